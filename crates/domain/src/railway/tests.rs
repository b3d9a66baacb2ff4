//! What is declared beside what is there, with a small model of what carrying it out does.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    outside::{Action, Said},
    spec::{Environment, Project, Reference, ServerPart, UrlPart},
};

const KAIA: &str = "project = \"kaia\"\ndomain = \"kaia.ai\"\n[environments.dev]\nbranch = \"develop\"\n[environments.prod]\ntag = \"v*\"\n\
    backup = { every = \"6h\", keep = \"7d\" }\n[services.backend]\nsource = \"backend\"\nmigrate = \"bin/kaia migrate\"\nhealth = \"/ready\"\n\
    instances = { prod = 2 }\nurl = { dev = \"api-dev.@\", prod = \"api.@\" }\n[services.web]\nstatic = \"web\"\nurl = { dev = \"dev.@\", prod = \"@\" }\n\
    [services.postgres]\n[services.redis]\npersist = { dev = \"none\", prod = \"append-only\" }\n\
    [providers.railway]\nproject = { dev = \"kaia-dev\", prod = \"kaia\" }\nservice = { dev = \"backend-dev\", prod = \"backend\" }\n\
    [providers.github]\nrepository = \"kaia/kaia\"\n";

fn kaia() -> Project {
    let parsed = ambit_spec::parse(KAIA);
    parsed.project.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
}

fn environment<'a>(project: &'a Project, name: &str) -> &'a Environment {
    project.environments.values().find(|e| e.name.as_str() == name).unwrap()
}

struct Plainly;

impl Secrets for Plainly {
    fn digest(&self, value: &str) -> String {
        format!("digest of {} characters", value.len())
    }

    fn was_written(&self, _: &str, _: &str, value: &str) -> bool {
        value == "sealed"
    }
}

fn given(pairs: &[(&str, &str, bool)]) -> Surroundings {
    let of = |(name, value, secret): &(&str, &str, bool)| {
        ((*name).to_owned(), Given { value: (*value).to_owned(), secret: *secret })
    };
    let variables = BTreeMap::from([("backend".parse().unwrap(), pairs.iter().map(of).collect())]);
    Surroundings { variables: Some(variables), deployed_elsewhere: false }
}

fn of(project: &Project, name: &str, pairs: &[(&str, &str, bool)]) -> Wanted {
    wanted(project, environment(project, name), &given(pairs)).unwrap().unwrap()
}

/// What carrying out does, as far as it is compared.
fn carried_out(mut there: Option<Present>, steps: &[crate::outside::Step<Op>]) -> Option<Present> {
    for step in steps {
        assert!(there.is_some() || matches!(step.op, Op::CreateProject { .. }) || !step.op.is_ready());
        if !step.op.is_ready() {
            continue;
        }
        let next = there.as_ref().map_or(0, |p| p.services.len());
        let made = |name: &str, owner: &Owner| PresentService {
            id: format!("s{next}-{name}"),
            name: name.to_owned(),
            variables: [(OWNER.to_owned(), Some(owner.text()))].into(),
            ..PresentService::default()
        };
        match &step.op {
            Op::CreateProject { name, description, .. } => {
                let project = Listed { id: "p".into(), name: name.clone(), description: description.clone() };
                there = Some(Present { project, environment: "e".into(), services: Vec::new() });
                continue;
            }
            Op::DeleteProject { .. } => return None,
            _ => {}
        }
        let present = there.as_mut().unwrap();
        if let Op::CreateService { name, owner, .. } = &step.op {
            present.services.push(made(name, owner));
        }
        if let Op::CreateDatabase { name, owner, edits, .. } = &step.op {
            let mut service = made(name, owner);
            let volume = VolumeAt { id: "v".into(), instance: format!("vi-{name}"), schedule: Vec::new() };
            service.volumes.push(volume);
            if let Some(command) = edits.persist.and_then(|persist| command("redis-server", persist)) {
                service.settings.insert(Setting::StartCommand, command);
            }
            present.services.push(service);
        }
        let at = |place: &Place| place.service.clone();
        let mut own = |id: &str, change: &mut dyn FnMut(&mut PresentService)| {
            change(present.services.iter_mut().find(|s| s.id == id).unwrap());
        };
        match &step.op {
            Op::ChangeProject { name, description, .. } => {
                present.project.name = name.clone().unwrap_or(std::mem::take(&mut present.project.name));
                if let Some(description) = description {
                    present.project.description.clone_from(description);
                }
            }
            Op::RenameService { service, name } => own(service, &mut |s| s.name.clone_from(name)),
            Op::AdoptService { at: place, owner } => own(&at(place), &mut |s| {
                s.variables.insert(OWNER.to_owned(), Some(owner.text()));
            }),
            Op::DeleteService { at: place, .. } => present.services.retain(|s| s.id != place.service),
            Op::Variable { at: place, name, value, owner, .. } => own(&at(place), &mut |s| {
                s.variables.insert(OWNER.to_owned(), Some(owner.text()));
                match value {
                    Some(value) => drop(s.variables.insert(name.clone(), Some(value.clone()))),
                    None => drop(s.variables.remove(name)),
                }
            }),
            Op::Settings { at: place, settings, owner } => own(&at(place), &mut |s| {
                s.variables.insert(OWNER.to_owned(), Some(owner.text()));
                for (setting, text) in settings {
                    match text.as_deref().and_then(|text| setting.plain(text)) {
                        Some(text) => drop(s.settings.insert(*setting, text)),
                        None => drop(s.settings.remove(setting)),
                    }
                }
            }),
            Op::Connect { at: place, repository, branch, at_each_push } => own(&at(place), &mut |s| {
                s.repository = Some(repository.clone());
                s.trigger = at_each_push.then(|| Branch { id: "t".into(), branch: branch.clone() });
            }),
            Op::DeployAtPush { at: place, branch, .. } => own(&at(place), &mut |s| {
                s.trigger = Some(Branch { id: "t".into(), branch: branch.clone() });
            }),
            Op::DeployByHand { trigger } => {
                present.services.iter_mut().for_each(|s| s.trigger = s.trigger.take().filter(|t| t.id != *trigger));
            }
            Op::CreateHost { at: place, host, port, owner } => own(&at(place), &mut |s| {
                s.variables.insert(OWNER.to_owned(), Some(owner.text()));
                s.hosts.push(Host { id: host.clone(), host: host.clone(), port: *port, ..Host::default() });
            }),
            Op::MoveHost { id, port, .. } => {
                present
                    .services
                    .iter_mut()
                    .flat_map(|s| &mut s.hosts)
                    .filter(|h| h.id == *id)
                    .for_each(|h| h.port = *port);
            }
            Op::DeleteHost { id } => present.services.iter_mut().for_each(|s| s.hosts.retain(|h| h.id != *id)),
            Op::Archive { at: place, .. } => own(&at(place), &mut |s| {
                s.variables.insert(ARCHIVE.to_owned(), Some("${{Postgres-PITR.BUCKET}}".to_owned()));
            }),
            Op::Schedule { volume, kinds } => {
                let volumes = present.services.iter_mut().flat_map(|s| &mut s.volumes);
                for volume in volumes.filter(|v| v.instance == *volume) {
                    volume.schedule = kinds.iter().map(|k| (*k).to_owned()).collect();
                }
            }
            _ => {}
        }
    }
    there
}

fn compared(wanted: &Wanted, there: Option<&Present>) -> Found {
    let all: Vec<Listed> = there.map(|p| p.project.clone()).into_iter().collect();
    compare(wanted, there, &all, &Plainly).unwrap()
}

/// Looked at and carried out as often as it takes; what is left in the end.
fn applied(wanted: &Wanted, mut there: Option<Present>) -> (Present, Vec<Vec<String>>) {
    let mut rounds = Vec::new();
    for _ in 0..4 {
        let found = compared(wanted, there.as_ref());
        if found.steps.is_empty() {
            return (there.unwrap(), rounds);
        }
        rounds.push(found.steps.iter().map(|s| s.change.key.clone()).collect());
        there = carried_out(there, &found.steps);
    }
    panic!("it does not come to an end: {rounds:#?}");
}

const PAIRS: [(&str, &str, bool); 3] =
    [("LOG_LEVEL", "debug", false), ("JWT_SECRET", "hush", true), ("PORT", "3001", false)];

#[test]
fn what_the_first_look_says_is_what_the_later_ones_carry_out() {
    let project = kaia();
    for name in ["dev", "prod"] {
        let wanted = of(&project, name, &PAIRS);
        let first = compared(&wanted, None);
        let planned: Vec<_> = first.steps.iter().map(|s| s.change.clone()).collect();
        let mut there = None;
        loop {
            let found = compared(&wanted, there.as_ref());
            if found.steps.is_empty() {
                break;
            }
            let allowed = crate::outside::Allowed::new(&planned);
            for step in &found.steps {
                assert!(allowed.covers(&step.change), "nobody said yes to {:?}", step.change);
            }
            there = carried_out(there, &found.steps);
        }
        let found = compared(&wanted, there.as_ref());
        assert!(found.kept > 10 && found.unmanaged == 0);
    }
}

#[test]
fn the_seeds_services_have_the_seeds_names() {
    let project = kaia();
    let names = |name: &str| of(&project, name, &PAIRS).services.into_iter().map(|s| s.name).collect::<Vec<_>>();
    assert_eq!(names("dev"), ["postgresql-dev", "redis-dev", "backend-dev"]);
    assert_eq!(names("prod"), ["postgresql", "redis", "backend"]);
}

#[test]
fn what_stands_around_an_apps_name_stands_around_all() {
    let named = |service: &str, apps: &str| {
        let text = format!(
            "project = \"x\"\n[environments.dev]\n{apps}[services.postgres]\n[providers.railway]\nproject = \"x\"\n{service}"
        );
        let project = ambit_spec::parse(&text).project.unwrap();
        let environment = &project.environments[0];
        Names::of(environment).map(|names| {
            let apps = environment.services.keys().map(|app| names.app(app));
            apps.chain([names.postgres()]).collect::<Vec<_>>().join(" ")
        })
    };
    let one = "[services.back]\nrun = \"x\"\n";
    let two = "[services.back]\nrun = \"x\"\n[services.backend]\nrun = \"x\"\n";
    for (service, apps, wanted) in [
        ("", one, "back postgresql"),
        ("service = \"back\"", one, "back postgresql"),
        ("service = \"dev-back\"", one, "dev-back dev-postgresql"),
        ("service = \"api\"", one, "api postgresql"),
        ("service = \"backward\"", one, "backward postgresql"),
        ("service = \"backend-dev\"", two, "back-dev backend-dev postgresql-dev"),
    ] {
        assert_eq!(named(service, apps).unwrap(), wanted, "{service}");
    }
    assert!(matches!(named("service = \"api\"", two), Err(NoNames::WhichApp { apps: 2, .. })));
    assert!(matches!(named("service = \"postgresql\"", one), Err(NoNames::Twice { .. })));
}

#[test]
fn references_stay_references_and_public_addresses_are_public() {
    let project = kaia();
    let dev = environment(&project, "dev");
    let names = Names::of(dev).unwrap();
    let text = |r: Reference| reference(dev, &names, &r).unwrap();
    assert_eq!(text(Reference::Postgres(ServerPart::Url)), "${{postgresql-dev.DATABASE_URL}}");
    assert_eq!(text(Reference::Redis(ServerPart::Password)), "${{redis-dev.REDISPASSWORD}}");
    assert_eq!(text(Reference::Service("web".parse().unwrap(), UrlPart::Url)), "https://dev.kaia.ai");
    assert_eq!(text(Reference::EnvironmentKind), "development");
}

#[test]
fn production_is_deployed_when_it_is_told_to_and_says_what_does_not_hold_there() {
    let wanted = of(&kaia(), "prod", &PAIRS);
    let app = wanted.services.iter().find_map(|s| match &s.what {
        What::App(app) => Some(app),
        _ => None,
    });
    let app = app.unwrap();
    assert_eq!((app.source.as_ref().unwrap().1.as_str(), app.at_each_push), ("main", false));
    assert_eq!((app.settings[&Setting::Replicas].as_str(), app.port), ("2", Some(3001)));
    assert!(wanted.remarks.iter().any(|r| r.text.contains("every 6 h")), "{:?}", wanted.remarks);
    let redis = wanted.services.iter().find(|s| s.name == "redis").unwrap();
    assert!(matches!(&redis.what, What::Redis { schedule, .. } if *schedule == ["DAILY", "WEEKLY"]));
}

#[test]
fn a_secret_is_shown_as_a_digest_and_a_sealed_one_compared_with_what_was_written() {
    let wanted = of(&kaia(), "dev", &[("A", "hush", true), ("B", "sealed", true), ("C", "hush", true)]);
    let (mut there, _) = applied(&wanted, None);
    for service in there.services.iter_mut().filter(|s| s.name == "backend-dev") {
        for name in ["B", "C"] {
            service.variables.insert(name.into(), None);
        }
        service.variables.insert("A".into(), Some("loud!".into()));
    }
    let found = compared(&wanted, Some(&there));
    let shown: Vec<_> = found.steps.iter().map(|s| (s.change.key.as_str(), s.change.details[0].clone())).collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!(shown[0].1.old, Some(Said::Secret("digest of 5 characters".into())));
    assert_eq!((shown[1].0, &shown[1].1.old), ("kaia-dev/backend-dev C", &Some(Said::Secret(String::new()))));
}

#[test]
fn without_all_its_variables_an_app_is_not_deployed() {
    let project = kaia();
    let nothing = Surroundings::default();
    let wanted = wanted(&project, environment(&project, "dev"), &nothing).unwrap().unwrap();
    let (there, _) = applied(&wanted, None);
    let backend = there.services.iter().find(|s| s.name == "backend-dev").unwrap();
    assert_eq!((backend.repository.as_ref(), backend.hosts.len()), (None, 1));
}

#[test]
fn a_mark_in_a_description_is_one_word_among_others() {
    let project = kaia();
    let wanted = [of(&project, "dev", &PAIRS), of(&project, "prod", &PAIRS)];
    let listed =
        |name: &str, description: &str| Listed { id: name.into(), name: name.into(), description: description.into() };
    let all = [
        listed("kaia-dev", "Where we try things. ambit:kaia/dev"),
        listed("kaia", "ours"),
        listed("old", "ambit:kaia/old"),
        listed("theirs", "ambit:kaiax/old"),
    ];
    assert_eq!(project_of("ambit:kaia/dev", &all).unwrap().name, "kaia-dev");
    assert_eq!(unmarked("kaia", &all).len(), 1);
    let names: Vec<&str> = forgotten(&project.name, &wanted, &all).iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["old"]);
    assert!(unique(&wanted, &all).is_ok());
    let again = [all[0].clone(), listed("copy", "ambit:kaia/dev")];
    assert!(unique(&wanted, &again).unwrap_err().to_string().contains("kaia-dev, copy"));
}

fn perturbed() -> impl Strategy<Value = Vec<(usize, u8)>> {
    prop::collection::vec((0usize..4, 0u8..12), 0..8)
}

proptest! {
    #[test]
    fn whatever_somebody_changes_is_mended_in_the_end_and_what_is_nobodys_stays(changes in perturbed(), name in prop::sample::select(vec!["dev", "prod"])) {
        let wanted = of(&kaia(), name, &PAIRS);
        let (mut there, _) = applied(&wanted, None);
        let foreign = PresentService { id: "foreign".into(), name: "metabase".into(), ..PresentService::default() };
        there.services.push(foreign.clone());
        for (at, change) in changes {
            if at >= there.services.len() || there.services[at].id == "foreign" {
                continue;
            }
            let service = &mut there.services[at];
            match change {
                0 => service.name = "another".into(),
                1 => drop(service.variables.insert("LOG_LEVEL".into(), Some("trace".into()))),
                2 => drop(service.variables.remove("JWT_SECRET")),
                3 => drop(service.variables.insert("MINE".into(), Some("x".into()))),
                4 => drop(service.settings.insert(Setting::Replicas, "7".into())),
                5 => drop(service.settings.remove(&Setting::HealthcheckPath)),
                6 => service.repository = None,
                7 => service.trigger = Some(Branch { id: "other".into(), branch: "elsewhere".into() }),
                8 => service.hosts.clear(),
                9 => service.hosts.iter_mut().for_each(|h| h.port = None),
                10 => service.volumes.iter_mut().for_each(|v| v.schedule.clear()),
                _ => drop(there.services.remove(at)),
            }
        }
        let mine = |p: &Present| p.services.iter().filter(|s| s.variables.contains_key("MINE")).count();
        let before = mine(&there);
        let (after, _) = applied(&wanted, Some(there));
        prop_assert_eq!(mine(&after), before);
        prop_assert!(after.services.contains(&foreign));
        let mut names: Vec<&str> = after.services.iter().map(|s| s.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), 4);
    }

    #[test]
    fn a_mark_says_what_it_was_given(mark in "ambit:[a-z]{1,9}/[a-z]{1,9}/[a-z]{1,9}", names in prop::collection::btree_set("[A-Za-z_.-]{1,12}", 0..9)) {
        let owner = Owner { mark, manages: names };
        prop_assert_eq!(Owner::read(&owner.text()), Some(owner));
    }

    #[test]
    fn no_text_is_a_mark_by_accident(text in "\\PC*") {
        if let Some(owner) = Owner::read(&text) {
            prop_assert!(owner.mark.starts_with("ambit:"));
        }
    }
}

#[test]
fn deleting_is_told_for_what_nothing_declares_any_more() {
    let project = kaia();
    let wanted = of(&project, "prod", &PAIRS);
    let (there, _) = applied(&wanted, None);
    let without: String = KAIA.replace("[services.redis]\npersist = { dev = \"none\", prod = \"append-only\" }\n", "");
    let project = ambit_spec::parse(&without).project.unwrap();
    let found = compared(&of(&project, "prod", &PAIRS), Some(&there));
    let deleted: Vec<&str> =
        found.steps.iter().filter(|s| s.change.action == Action::Delete).map(|s| s.change.key.as_str()).collect();
    assert_eq!(deleted, ["kaia/backend REDIS_URL", "kaia/redis"]);
    assert_eq!(found.confirm[0].name, "kaia/redis");
}

#[test]
fn a_log_is_archived_where_every_moment_is_declared_and_the_image_does_it() {
    let project =
        ambit_spec::parse(&KAIA.replace("keep = \"7d\"", "keep = \"7d\", point-in-time = true")).project.unwrap();
    let wanted = of(&project, "prod", &[]);
    let steps = |there: &Present| {
        let found = compare(&wanted, Some(there), std::slice::from_ref(&there.project), &Plainly).unwrap();
        let archives = found.steps.iter().filter(|s| matches!(s.op, Op::Archive { .. })).count();
        let why = found.remarks.iter().filter(|r| r.text.contains("cannot be restored to any moment")).count();
        (archives, why)
    };
    let with = |image: &str| {
        let mark = wanted.services.iter().find(|s| matches!(s.what, What::Postgres { .. })).unwrap().mark.clone();
        let service = PresentService {
            id: "s".into(),
            name: "postgresql".into(),
            image: Some(image.into()),
            variables: [(OWNER.to_owned(), Some(mark))].into(),
            ..PresentService::default()
        };
        let project = Listed { id: "p".into(), name: "kaia".into(), description: wanted.mark.clone() };
        Present { project, environment: "e".into(), services: vec![service] }
    };
    let official = "ghcr.io/railwayapp-templates/postgres-ssl:17";
    assert_eq!(steps(&with(official)), (1, 0));
    assert_eq!(steps(&with("ghcr.io/railwayapp-templates/postgres-ssl:17.6")), (0, 1), "one minor version");
    assert_eq!(steps(&with("postgis/postgis:17")), (0, 1), "an image of somebody else's");
    let mut archived = with(official);
    archived.services[0].variables.insert(ARCHIVE.to_owned(), None);
    assert_eq!(steps(&archived), (0, 0), "it is switched on");
}
