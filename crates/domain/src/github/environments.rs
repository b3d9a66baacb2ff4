//! Environments at GitHub: what may be deployed to them, and who is asked.

use std::collections::BTreeSet;

use super::{Approver, Environment, Feature, Op, PresentEnvironment, Reviewer, Source, Wanted, compare::Comparison};
use crate::outside::{Change, Detail, Remark, Said};

/// GitHub asks no more of them.
const MOST: usize = 6;
/// What is told where GitHub asks nobody.
const OWN_GATE: &str = "the gate is Ambit's own approval alone (ambit approve)";

/// The rules of an environment. They are written whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Minutes that a job waits.
    pub wait: u32,
    /// Who is asked; one yes is enough.
    pub reviewers: Vec<Reviewer>,
    /// Whether who started a job may not say yes.
    pub no_self_review: bool,
    /// What may be deployed.
    pub from: DeployedFrom,
}

/// What may be deployed to an environment at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeployedFrom {
    /// Everything.
    #[default]
    Anything,
    /// Branches that are protected.
    Protected,
    /// Branches and tags that are named.
    Named,
}

impl DeployedFrom {
    fn text(self) -> &'static str {
        match self {
            Self::Anything => "anything",
            Self::Protected => "protected branches",
            Self::Named => "named branches and tags",
        }
    }
}

pub(super) fn compare(
    environment: &Environment,
    there: Option<&PresentEnvironment>,
    wanted: &Wanted,
    found: &mut Comparison<'_>,
) {
    let name = &environment.name;
    let absent = PresentEnvironment::default();
    let mut settings = there.map_or_else(Settings::default, |t| t.settings.clone());
    let put = |settings: &Settings| Op::Environment { name: name.to_string(), settings: Box::new(settings.clone()) };
    match there {
        None => found.step(Change::create(format!("environment {name}"), Vec::new()), put(&settings)),
        Some(_) => found.kept += 1,
    }
    let there = there.unwrap_or(&absent);
    if found.refused(Feature::Sources) {
        let text = "GitHub lets a private repository of this plan not say what may be deployed: every branch can; Ambit itself deploys what ambit.toml names alone";
        found.remarks.push(Remark::new(format!("environment {name}"), text));
    } else {
        sources(environment, there, &mut settings, found);
    }
    reviewers(environment, &mut settings, wanted, found);
}

fn sources(environment: &Environment, there: &PresentEnvironment, settings: &mut Settings, found: &mut Comparison<'_>) {
    let name = &environment.name;
    let key = format!("deployments to {name}");
    let old = settings.from;
    settings.from = DeployedFrom::Named;
    if let Some(detail) = Detail::of_texts("from", Some(old.text()), Some(DeployedFrom::Named.text())) {
        let op = Op::Environment { name: name.to_string(), settings: Box::new(settings.clone()) };
        found.step(Change::replace(key.clone(), vec![detail]), op);
    } else {
        found.kept += 1;
    }
    let present: BTreeSet<&Source> = there.sources.keys().collect();
    for source in &environment.sources {
        if present.contains(source) {
            found.kept += 1;
            continue;
        }
        let op = Op::AddSource { environment: name.to_string(), source: source.clone() };
        found.step(Change::create(format!("{key} from {source}"), Vec::new()), op);
    }
    for (source, id) in there.sources.iter().filter(|(source, _)| !environment.sources.contains(source)) {
        let op = Op::RemoveSource { environment: name.to_string(), id: *id };
        found.step(Change::delete(format!("{key} from {source}"), Vec::new()), op);
    }
}

fn reviewers(environment: &Environment, settings: &mut Settings, wanted: &Wanted, found: &mut Comparison<'_>) {
    if environment.approvers.is_empty() {
        return;
    }
    let name = &environment.name;
    let about = format!("reviewers of {name}");
    if found.refused(Feature::Reviewers) {
        let text = format!("GitHub has them in private repositories of Enterprise Cloud alone; {OWN_GATE}");
        found.remarks.push(Remark::new(about, text));
        return;
    }
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for approver in &environment.approvers {
        match wanted.approvers.get(approver) {
            Some(Approver::Known(reviewer)) if !known.contains(reviewer) => known.push(reviewer.clone()),
            Some(Approver::Known(_)) => {}
            Some(Approver::Nobody(name)) => unknown.push(format!("`{name}` does not belong to the repository")),
            Some(Approver::Address(_)) | None => unknown.push(format!("{approver} is no name at GitHub")),
        }
    }
    if known.len() > MOST {
        let left: Vec<String> = known.drain(MOST..).map(|r| r.name).collect();
        unknown.push(format!("GitHub asks {MOST} at most, without {}", left.join(", ")));
    }
    // Who could not be looked for may have been set by hand; then nobody is taken away.
    if !unknown.is_empty() {
        let kept = settings.reviewers.iter().filter(|r| !known.contains(r)).cloned().collect::<Vec<_>>();
        known.extend(kept);
        known.truncate(MOST);
        let gate = if known.is_empty() { format!("; {OWN_GATE}") } else { String::new() };
        found.remarks.push(Remark::new(
            about.clone(),
            format!("{}{gate}; approvers can be `@account` or `@organisation/team`", unknown.join("; ")),
        ));
    }
    if known.is_empty() {
        return;
    }
    let list = |all: &[Reviewer]| {
        let mut names: Vec<&str> = all.iter().map(|r| r.name.as_str()).collect();
        names.sort_unstable();
        Some(Said::text(names.join(", "))).filter(|_| !all.is_empty())
    };
    let word = |refused: bool| Some(if refused { "no" } else { "yes" });
    let mut details = Vec::new();
    let (old, new) = (list(&settings.reviewers), list(&known));
    if old != new {
        details.push(Detail::new("reviewers", old, new));
    }
    details.extend(Detail::of_texts(
        "who started it may say yes",
        word(settings.no_self_review),
        word(!environment.self_review),
    ));
    if details.is_empty() {
        found.kept += 1;
        return;
    }
    settings.reviewers = known;
    settings.no_self_review = !environment.self_review;
    let op = Op::Environment { name: name.to_string(), settings: Box::new(settings.clone()) };
    found.step(Change::replace(about, details), op);
}
