//! The comparison against a model of GitHub that carries out what it asks for.

use proptest::prelude::*;

use super::*;
use crate::{
    outside::{Action, Change},
    spec::ProjectName,
};

const KAIA: &str = "project = \"kaia\"\n[environments.dev]\nbranch = \"develop\"\n[environments.test]\nbranch = \"staging\"\n\
    [environments.prod]\ntag = \"v*\"\napprovers = [\"@lead\", \"cto@kaia.ai\"]\n[services.api]\nrun = \"x\"\n";

fn kaia() -> ProjectName {
    "kaia".parse().unwrap()
}

fn reviewer(name: &str, id: u64) -> Reviewer {
    Reviewer { name: name.to_owned(), team: false, id }
}

fn secret(environment: &str, name: &str) -> Name {
    Name { home: Home::Environment(environment.to_owned()), name: name.to_owned(), secret: true }
}

fn wanted_kaia() -> Wanted {
    let mut wanted = wanted(&ambit_spec::parse(KAIA).project.unwrap());
    wanted.approvers = BTreeMap::from([
        ("@lead".to_owned(), Approver::Known(reviewer("lead", 101))),
        ("cto@kaia.ai".to_owned(), Approver::Address("cto@kaia.ai".to_owned())),
    ]);
    let variable = Name { name: "AMBIT_HOST".into(), secret: false, ..secret("prod", "") };
    wanted.values = BTreeMap::from([
        (secret("prod", "AMBIT_SSH_KEY"), Given::Digest("d1".into())),
        (variable, Given::Text("a@kaia.ai".into())),
        (secret("test", "EXPO_TOKEN"), Given::Nothing("gh secret set EXPO_TOKEN --env test".into())),
    ]);
    wanted.hook = Some(Hook { url: "https://hooks.kaia.ai/github".into(), digest: "d2".into() });
    wanted
}

fn fresh() -> Present {
    let main = PresentBranch { exists: true, ..PresentBranch::default() };
    Present {
        default_branch: "main".into(),
        head: Some("c0ffee".into()),
        branches: BTreeMap::from([("main".to_owned(), main)]),
        ..Present::default()
    }
}

/// GitHub, as far as the comparison knows it.
struct Model {
    there: Present,
    memory: Memory,
    clock: u64,
}

impl Model {
    fn new(there: Present) -> Self {
        Self { there, memory: Memory::default(), clock: 0 }
    }

    fn look(&self, wanted: &Wanted) -> Found {
        compare(&kaia(), wanted, &self.there, &self.memory)
    }

    fn keys(&self, wanted: &Wanted) -> Vec<String> {
        self.look(wanted).steps.into_iter().map(|s| s.change.key).collect()
    }

    fn environment(&mut self, name: &str) -> &mut PresentEnvironment {
        self.there.environments.get_mut(name).expect("it was made before")
    }

    fn secrets(&mut self, home: &Home) -> &mut BTreeMap<String, String> {
        match home {
            Home::Repository => &mut self.there.secrets,
            Home::Environment(name) => &mut self.environment(name).secrets,
        }
    }

    fn carry_out(&mut self, op: Op) {
        self.clock += 1;
        let now = self.clock;
        match op {
            Op::Branch { name, .. } => self.there.branches.entry(name).or_default().exists = true,
            Op::Protect { branch, protection } => {
                let branch = self.there.branches.get_mut(&branch).filter(|b| b.exists).expect("it was made before");
                branch.protection = Some(*protection);
            }
            Op::Open { branch } => {
                let protection = self.there.branches.get_mut(&branch).and_then(|b| b.protection.as_mut());
                protection.expect("it is protected").reviews = None;
            }
            Op::Tags { id, tags } => {
                self.there.tags.retain(|t| Some(t.id) != id);
                self.there.tags.push(PresentTags {
                    id: id.unwrap_or(now),
                    mark: tags.mark,
                    active: true,
                    include: BTreeSet::from([format!("refs/tags/{}", tags.pattern)]),
                    refuses: ["update", "deletion"].map(str::to_owned).into(),
                    ..PresentTags::default()
                });
            }
            Op::RemoveTags { id } => self.there.tags.retain(|t| t.id != id),
            Op::Environment { name, settings } => {
                self.there.environments.entry(name).or_default().settings = *settings;
            }
            Op::AddSource { environment, source } => {
                assert_eq!(self.environment(&environment).settings.from, environments::DeployedFrom::Named);
                self.environment(&environment).sources.insert(source, now);
            }
            Op::RemoveSource { environment, id } => self.environment(&environment).sources.retain(|_, i| *i != id),
            Op::Variable { name, value, exists } => {
                let Home::Environment(environment) = &name.home else { panic!("no variable is the repository's") };
                let before = self.environment(environment).variables.insert(name.name.clone(), value);
                assert_eq!(before.is_some(), exists);
            }
            Op::Secret { name, digest } => {
                self.secrets(&name.home).insert(name.name.clone(), now.to_string());
                self.memory.written.insert(name.key(), Written { digest, updated_at: now.to_string() });
            }
            Op::Token { name } => {
                self.secrets(&name.home).insert(name.name.clone(), now.to_string());
                let written = Written { digest: now.to_string(), updated_at: now.to_string() };
                self.memory.written.insert(name.key(), written);
            }
            Op::RemoveToken { .. } => {}
            Op::AdoptTags { id, mark } => {
                self.there.tags.iter_mut().filter(|t| t.id == id).for_each(|t| t.mark.clone_from(&mark));
            }
            Op::AdoptSecret { name, updated_at } => {
                self.memory.written.insert(name.key(), Written { digest: String::new(), updated_at });
            }
            Op::RemoveSecret { name } => {
                self.secrets(&name.home).remove(&name.name);
                self.memory.written.remove(&name.key());
            }
            Op::Hook { id, hook } => {
                self.there.hooks.retain(|h| Some(h.id) != id);
                self.there.hooks.push(PresentHook {
                    id: id.unwrap_or(now),
                    url: hook.url.clone(),
                    active: true,
                    events: EVENTS.map(str::to_owned).into(),
                    content_type: "json".into(),
                    verifies: true,
                    answered: None,
                });
                self.memory.written.insert(hook.url, Written { digest: hook.digest, updated_at: String::new() });
            }
        }
    }

    fn apply(&mut self, wanted: &Wanted) {
        for step in self.look(wanted).steps {
            self.carry_out(step.op);
        }
    }
}

fn only(found: &Found) -> &Change {
    assert_eq!(found.steps.len(), 1, "{:?}", found.steps);
    &found.steps[0].change
}

#[test]
fn from_a_repository_with_one_branch_to_the_declared_one_and_then_nothing_is_left_to_do() {
    let (wanted, mut github) = (wanted_kaia(), Model::new(fresh()));
    let keys = github.keys(&wanted);
    for key in [
        "branch develop",
        "branch staging",
        "protection of staging",
        "protection of main",
        "tags v* of prod",
        "environment dev",
        "deployments to test from branch staging",
        "deployments to prod from tag v*",
        "reviewers of prod",
        "variable AMBIT_HOST of prod",
        "secret AMBIT_SSH_KEY of prod",
        "webhook https://hooks.kaia.ai/github",
    ] {
        assert!(keys.iter().any(|k| k == key), "{key} is not in {keys:#?}");
    }
    assert!(!keys.iter().any(|k| k.contains("protection of develop")), "everybody pushes there");
    github.apply(&wanted);
    let found = github.look(&wanted);
    assert_eq!((found.steps, found.unmanaged), (vec![], 0));
    // Of two approvers GitHub knows one, and nobody set the token.
    let told: Vec<&str> = found.remarks.iter().map(|r| r.about.as_str()).collect();
    assert_eq!(told, ["reviewers of prod", "secret EXPO_TOKEN of test"]);
    let prod = &github.there.environments["prod"].settings;
    assert_eq!((prod.reviewers.as_slice(), prod.no_self_review), (&[reviewer("lead", 101)][..], true));
}

#[test]
fn what_is_weaker_than_declared_is_mended_and_what_is_stricter_stays() {
    let (wanted, mut github) = (wanted_kaia(), Model::new(fresh()));
    github.apply(&wanted);
    let checks = Some(Checks { strict: true, checks: vec![("lint".into(), Some(7))] });
    let main = github.there.branches.get_mut("main").unwrap().protection.as_mut().unwrap();
    *main = Protection { checks: checks.clone(), force_pushes: true, ..Protection::default() };
    let change = only(&github.look(&wanted)).clone();
    let told: Vec<String> = change.details.iter().map(|d| d.name.clone()).collect();
    assert_eq!(
        (change.action, told.join(", ").as_str()),
        (Action::Change, "pull request, approving reviews, push by force")
    );
    github.apply(&wanted);
    let main = github.there.branches["main"].protection.clone().unwrap();
    assert_eq!((&main.checks, main.force_pushes), (&checks, false));

    let reviews = github.there.branches.get_mut("main").unwrap().protection.as_mut().unwrap().reviews.as_mut().unwrap();
    (reviews.count, reviews.code_owners) = (3, true);
    assert!(github.look(&wanted).steps.is_empty());
}

#[test]
fn a_protection_that_forbids_the_declared_direct_push_loses_that_alone() {
    let (wanted, mut github) = (wanted_kaia(), Model::new(fresh()));
    github.apply(&wanted);
    let kept = Protection { linear: true, ..Protection::default() };
    let develop = github.there.branches.get_mut("develop").unwrap();
    develop.protection = Some(Protection { reviews: Some(Reviews::default()), ..kept.clone() });
    assert_eq!(only(&github.look(&wanted)).key, "protection of develop");
    github.apply(&wanted);
    assert_eq!(github.there.branches["develop"].protection, Some(kept));
    // A ruleset is a person's.
    github.there.branches.get_mut("develop").unwrap().rules.reviews = Some(0);
    let found = github.look(&wanted);
    assert!(found.steps.is_empty() && found.remarks[0].text.contains("not Ambit's"));
}

#[test]
fn a_ruleset_that_asks_the_same_is_as_good_as_a_protection() {
    let (wanted, mut there) = (wanted_kaia(), fresh());
    there.branches.get_mut("main").unwrap().rules =
        Rules { reviews: Some(1), no_force_pushes: true, no_deletion: true };
    assert!(!Model::new(there).keys(&wanted).contains(&"protection of main".to_owned()));
}

#[test]
fn a_secret_that_somebody_else_wrote_or_that_is_declared_anew_is_written() {
    let (mut wanted, mut github) = (wanted_kaia(), Model::new(fresh()));
    github.apply(&wanted);
    github.environment("prod").secrets.insert("AMBIT_SSH_KEY".into(), "later".into());
    let found = github.look(&wanted);
    let change = only(&found);
    assert_eq!(change.key, "secret AMBIT_SSH_KEY of prod");
    assert!(change.details.iter().any(|d| d.old == Some(crate::outside::Said::text("somebody else, later"))));
    github.apply(&wanted);
    wanted.values.insert(secret("prod", "AMBIT_SSH_KEY"), Given::Digest("d9".into()));
    assert_eq!(only(&github.look(&wanted)).details.len(), 1);
    github.apply(&wanted);
    assert!(github.look(&wanted).steps.is_empty());
}

#[test]
fn only_a_secret_that_ambit_wrote_and_nobody_else_since_is_deleted() {
    let (mut wanted, mut github) = (wanted_kaia(), Model::new(fresh()));
    github.apply(&wanted);
    github.environment("prod").secrets.insert("BY_HAND".into(), "1".into());
    wanted.values.remove(&secret("prod", "AMBIT_SSH_KEY"));
    let found = github.look(&wanted);
    assert_eq!((only(&found).action, only(&found).key.as_str()), (Action::Delete, "secret AMBIT_SSH_KEY of prod"));
    assert_eq!(found.unmanaged, 2);
    github.environment("prod").secrets.insert("AMBIT_SSH_KEY".into(), "later".into());
    assert!(github.look(&wanted).steps.is_empty());
}

#[test]
fn what_a_plan_does_not_give_is_told_and_never_asked_for_again() {
    let (wanted, mut there) = (wanted_kaia(), fresh());
    there.refused = [Feature::Protection, Feature::Sources, Feature::Reviewers].into();
    let mut github = Model::new(there);
    github.apply(&wanted);
    let found = github.look(&wanted);
    assert!(found.steps.is_empty(), "{:?}", found.steps);
    let told: Vec<&str> = found.remarks.iter().map(|r| r.about.as_str()).collect();
    assert!(
        ["protection", "environment prod", "reviewers of prod"].iter().all(|about| told.contains(about)),
        "{told:?}"
    );
    assert!(found.remarks.iter().any(|r| r.text.contains("ambit approve")));
    assert!(github.there.environments["prod"].secrets.contains_key("AMBIT_SSH_KEY"));
}

#[test]
fn an_empty_repository_gets_its_branches_after_the_first_push() {
    let (wanted, mut there) = (wanted_kaia(), fresh());
    (there.head, there.branches) = (None, BTreeMap::new());
    let found = Model::new(there).look(&wanted);
    assert!(!found.steps.iter().any(|s| s.change.key.contains("branch ") && !s.change.key.starts_with("deployments")));
    assert_eq!(found.remarks.iter().filter(|r| r.text.contains("first push")).count(), 3);
}

#[test]
fn an_approver_whom_github_does_not_know_takes_nobody_away_and_one_it_knows_does() {
    let (mut wanted, mut github) = (wanted_kaia(), Model::new(fresh()));
    github.apply(&wanted);
    github.environment("prod").settings.reviewers.push(reviewer("cto", 103));
    assert!(github.look(&wanted).steps.is_empty(), "cto@kaia.ai may be cto");
    wanted.environments[2].approvers.truncate(1);
    let change = only(&github.look(&wanted)).clone();
    assert_eq!(change.key, "reviewers of prod");
    github.apply(&wanted);
    assert_eq!(github.there.environments["prod"].settings.reviewers, [reviewer("lead", 101)]);
}

fn protections() -> impl Strategy<Value = Option<Protection>> {
    let reviews = proptest::option::of((0u32..4).prop_map(|count| Reviews { count, ..Reviews::default() }));
    let one = (reviews, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(reviews, force, delete, admins)| {
        Protection { reviews, admins, force_pushes: force, deletions: delete, ..Protection::default() }
    });
    proptest::option::of(one)
}

fn branches() -> impl Strategy<Value = PresentBranch> {
    let rules = (proptest::option::of(0u32..3), any::<bool>(), any::<bool>());
    (any::<bool>(), protections(), rules).prop_map(|(exists, protection, (reviews, no_force_pushes, no_deletion))| {
        let protection = protection.filter(|_| exists);
        PresentBranch { exists, protection, rules: Rules { reviews, no_force_pushes, no_deletion } }
    })
}

fn environments() -> impl Strategy<Value = PresentEnvironment> {
    let sources = proptest::collection::btree_map("[a-c]".prop_map(Source::Branch), 100u64..200, 0..3);
    let from = prop_oneof![
        Just(environments::DeployedFrom::Anything),
        Just(environments::DeployedFrom::Protected),
        Just(environments::DeployedFrom::Named)
    ];
    (sources, from, any::<bool>(), 0u32..3, any::<bool>()).prop_map(|(sources, from, asked, wait, by_hand)| {
        let reviewers = if asked { vec![reviewer("qa", 102)] } else { Vec::new() };
        let sources = if from == environments::DeployedFrom::Named { sources } else { BTreeMap::new() };
        let mut there = PresentEnvironment {
            settings: Settings { wait, reviewers, no_self_review: asked, from },
            sources,
            ..PresentEnvironment::default()
        };
        if by_hand {
            there.secrets.insert("AMBIT_SSH_KEY".into(), "by hand".into());
            there.variables.insert("AMBIT_HOST".into(), "elsewhere".into());
        }
        there
    })
}

proptest! {
    /// However a repository is, and wherever an apply breaks off, applying once more leaves nothing to do and nothing doubled.
    #[test]
    fn whatever_is_there_an_apply_ends_and_the_next_one_has_nothing_to_do(
        branches in proptest::collection::btree_map("(develop|staging|main)", branches(), 0..4),
        environments in proptest::collection::btree_map("(dev|test|prod|old)", environments(), 0..4),
        broken_off in 0usize..20,
    ) {
        let there = Present { branches, environments, ..fresh() };
        let waits: BTreeMap<String, u32> = there.environments.iter().map(|(n, e)| (n.clone(), e.settings.wait)).collect();
        let admins: BTreeMap<String, bool> =
            there.branches.iter().filter_map(|(n, b)| Some((n.clone(), b.protection.as_ref()?.admins))).collect();
        let (wanted, mut github) = (wanted_kaia(), Model::new(there));
        for step in github.look(&wanted).steps.into_iter().take(broken_off) {
            github.carry_out(step.op);
        }
        github.apply(&wanted);
        prop_assert_eq!(github.look(&wanted).steps, vec![]);
        // What nobody declared is as it was.
        for (name, wait) in waits {
            prop_assert_eq!(github.there.environments[&name].settings.wait, wait);
        }
        for (name, admins) in admins {
            prop_assert_eq!(github.there.branches[&name].protection.as_ref().map(|p| p.admins), Some(admins));
        }
        let keys: BTreeSet<String> = Model::new(fresh()).keys(&wanted).into_iter().collect();
        prop_assert_eq!(keys.len(), Model::new(fresh()).keys(&wanted).len());
    }
}

#[test]
fn what_does_what_is_declared_is_taken_over_and_nothing_else_of_it_changes() {
    let (wanted, mut there) = (wanted_kaia(), fresh());
    let ruleset = |id, mark: &str, include: &str| PresentTags {
        id,
        mark: mark.to_owned(),
        include: BTreeSet::from([include.to_owned()]),
        ..PresentTags::default()
    };
    there.tags = vec![ruleset(1, "releases stay", "refs/tags/v*"), ruleset(2, "ambit:other/prod", "refs/tags/v*")];
    let mut prod = PresentEnvironment::default();
    prod.secrets.extend([("AMBIT_SSH_KEY", "1"), ("UNDECLARED", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    let test = PresentEnvironment { secrets: [("EXPO_TOKEN".to_owned(), "1".to_owned())].into(), ..prod.clone() };
    there.environments = [("prod".to_owned(), prod), ("test".to_owned(), test)].into();
    let mut github = Model::new(there);
    let found = adoptable(&kaia(), &wanted, &github.there, &github.memory);
    let keys: Vec<&str> = found.steps.iter().map(|s| s.change.key.as_str()).collect();
    assert_eq!(keys, ["ruleset releases stay", "secret AMBIT_SSH_KEY of prod"], "EXPO_TOKEN is declared by nobody");
    found.steps.into_iter().for_each(|step| github.carry_out(step.op));
    assert_eq!(adoptable(&kaia(), &wanted, &github.there, &github.memory).steps, vec![]);
    // The next plan changes it where it is.
    let steps = github.look(&wanted).steps;
    assert!(steps.iter().any(|s| s.change.key == "tags v* of prod" && s.change.action == Action::Change), "{steps:#?}");
    let two = [ruleset(3, "a", "refs/tags/v*"), ruleset(4, "b", "refs/tags/v*")].into();
    let found = adoptable(&kaia(), &wanted, &Present { tags: two, ..fresh() }, &Memory::default());
    assert!(found.steps.is_empty() && found.remarks[0].text.contains("2 rulesets"));
}

#[test]
fn a_token_is_made_where_it_is_not_known_to_be_on_both_sides_and_a_persons_stays() {
    let token = |name: &str| ProjectToken { name: name.into(), ..ProjectToken::default() };
    let made =
        |live: Option<&str>, stray| Given::Made(Made { project: "kaia".into(), live: live.map(str::to_owned), stray });
    let name = secret("prod", "RAILWAY_TOKEN");
    let with = |given| Wanted { values: [(name.clone(), given)].into(), ..Wanted::default() };
    let there = |at: &str| {
        let secrets = [("RAILWAY_TOKEN".to_owned(), at.to_owned())].into();
        Present {
            environments: [("prod".to_owned(), PresentEnvironment { secrets, ..Default::default() })].into(),
            ..fresh()
        }
    };
    let memory = |at: &str| Memory {
        written: [(name.key(), Written { digest: "d".into(), updated_at: at.into() })].into(),
        ..Memory::default()
    };
    let keys = |given, there: &Present, memory: &Memory| -> Vec<String> {
        compare(&kaia(), &with(given), there, memory).steps.into_iter().map(|s| s.change.key).collect()
    };
    let writes = ["secret RAILWAY_TOKEN of prod"];
    assert_eq!(keys(made(None, vec![]), &fresh(), &Memory::default()), writes);
    assert!(keys(made(None, vec![token("x")]), &there("1"), &Memory::default()).is_empty(), "a person's");
    assert!(keys(made(Some("d"), vec![]), &there("1"), &memory("1")).is_empty());
    assert_eq!(keys(made(None, vec![]), &there("1"), &memory("1")), writes, "Railway lost it");
    assert_eq!(keys(made(Some("d"), vec![]), &there("2"), &memory("1")), writes, "somebody wrote it");
    assert_eq!(
        keys(made(Some("d"), vec![token("x")]), &there("1"), &memory("")),
        writes,
        "killed while it was written"
    );
    assert_eq!(keys(made(Some("d"), vec![token("x")]), &there("1"), &memory("1")), ["token x at Railway"]);
}
