//! The protection of a branch. It is written whole, so all of it is read, and what nobody declared goes back as it was.

use super::{Branch, Guard, Op, PresentBranch, compare::Comparison};
use crate::outside::{Change, Detail, Remark};

/// Names of who may do something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Who {
    /// Logins.
    pub users: Vec<String>,
    /// Teams, by their name in URLs.
    pub teams: Vec<String>,
    /// Apps, by their name in URLs.
    pub apps: Vec<String>,
}

/// What has to pass before a merge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checks {
    /// Whether the branch has to be up to date.
    pub strict: bool,
    /// Name, and the number of the app that has to say it, where it is bound to one.
    pub checks: Vec<(String, Option<i64>)>,
}

/// Pull requests, and who has to look at them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reviews {
    /// How many have to approve.
    pub count: u32,
    /// Whether another push takes approvals away.
    pub dismiss_stale: bool,
    /// Whether the owners of the code have to be among them.
    pub code_owners: bool,
    /// Whether somebody else than the last pusher has to be.
    pub last_push: bool,
    /// Who alone may dismiss a review.
    pub dismissal: Option<Who>,
    /// Who needs no pull request.
    pub bypass: Option<Who>,
}

/// A branch's protection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protection {
    /// What has to pass.
    pub checks: Option<Checks>,
    /// Whether administrators are held to it.
    pub admins: bool,
    /// Pull requests.
    pub reviews: Option<Reviews>,
    /// Who alone may push.
    pub restrictions: Option<Who>,
    /// Whether history is a line.
    pub linear: bool,
    /// Whether the branch may be pushed to by force.
    pub force_pushes: bool,
    /// Whether it may be deleted.
    pub deletions: bool,
    /// Whether matching branches may be made by whoever may push alone.
    pub block_creations: bool,
    /// Whether every conversation has to be resolved.
    pub conversations: bool,
    /// Whether nobody may push.
    pub locked: bool,
    /// Whether a locked branch may be brought up to date from what it was forked from.
    pub fork_syncing: bool,
}

/// What rulesets ask of a branch, whoever made them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// How many have to approve a pull request; `None` where none is needed.
    pub reviews: Option<u32>,
    /// Whether pushes by force are refused.
    pub no_force_pushes: bool,
    /// Whether deleting it is refused.
    pub no_deletion: bool,
}

pub(super) fn compare(branch: &Branch, there: &PresentBranch, found: &mut Comparison<'_>) {
    let name = &branch.name;
    let key = format!("protection of {name}");
    let least = match branch.guard {
        Guard::Open => return open(branch, key, there, found),
        Guard::PullRequest => 0,
        Guard::Reviewed => 1,
    };
    let details = lacking(there, least);
    if details.is_empty() {
        found.kept += 1;
        return;
    }
    let op = Op::Protect { branch: name.clone(), protection: Box::new(strengthened(there, least)) };
    found.change(key, there.protection.is_some(), details, op);
}

/// Of what stands against direct pushes, only what was asked of a protection is taken away; the rest of it stays.
fn open(branch: &Branch, key: String, there: &PresentBranch, found: &mut Comparison<'_>) {
    let by_pull_request = there.protection.as_ref().is_some_and(|p| p.reviews.is_some());
    if by_pull_request {
        let details = asked(true, false).into_iter().collect();
        return found.step(Change::replace(key, details), Op::Open { branch: branch.name.clone() });
    }
    if there.rules.reviews.is_some() {
        let text = "a ruleset asks for pull requests, so that nobody can push directly as declared; it is not Ambit's: change it at GitHub";
        found.remarks.push(Remark::new(format!("branch {}", branch.name), text));
    }
    found.kept += 1;
}

fn asked(old: bool, new: bool) -> Option<Detail> {
    let word = |asked| Some(if asked { "required" } else { "not required" });
    Detail::of_texts("pull request", word(old), word(new))
}

/// What of the declared is neither protected nor ruled.
fn lacking(there: &PresentBranch, least: u32) -> Vec<Detail> {
    let own = there.protection.as_ref();
    let reviews = own.and_then(|p| p.reviews.as_ref());
    let count = reviews.map(|r| r.count).into_iter().chain(there.rules.reviews).max();
    let forced = own.is_none_or(|p| p.force_pushes) && !there.rules.no_force_pushes;
    let deleted = own.is_none_or(|p| p.deletions) && !there.rules.no_deletion;
    let word = |allowed: bool| Some(if allowed { "allowed" } else { "refused" });
    // More than are declared are as good.
    let (few, enough) = (count.unwrap_or(0).min(least).to_string(), least.to_string());
    let found = [
        asked(count.is_some(), true),
        Detail::of_texts("approving reviews", Some(&few), Some(&enough)),
        Detail::of_texts("push by force", word(forced), word(false)),
        Detail::of_texts("deletion", word(deleted), word(false)),
    ];
    found.into_iter().flatten().collect()
}

/// The protection with what is lacking, and all else as it is.
fn strengthened(there: &PresentBranch, least: u32) -> Protection {
    let mut protection = there.protection.clone().unwrap_or_default();
    let ruled = there.rules.reviews.is_some_and(|count| count >= least);
    if !ruled || protection.reviews.is_some() {
        let reviews = protection.reviews.get_or_insert_default();
        reviews.count = reviews.count.max(least);
    }
    protection.force_pushes = false;
    protection.deletions = false;
    protection
}
