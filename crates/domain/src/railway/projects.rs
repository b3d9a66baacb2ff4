//! Projects as a whole: whose they are, which of them nothing declares any more, and what could be taken over.

use super::{
    app,
    compare::Found,
    mark::{Owner, environment_of, marked},
    ops::{Op, Place},
    present::{Listed, Present, PresentService},
    wanted::{Wanted, What},
};
use crate::{
    Failure, FailureKind,
    outside::{Change, Confirm, Detail, Remark, Said, Step},
    spec::ProjectName,
};

/// The project that carries a mark.
#[must_use]
pub fn project_of<'a>(mark: &str, all: &'a [Listed]) -> Option<&'a Listed> {
    all.iter().find(|project| marked(&project.description) == Some(mark))
}

/// Projects of a name that carry no mark.
#[must_use]
pub fn unmarked<'a>(name: &str, all: &'a [Listed]) -> Vec<&'a Listed> {
    all.iter().filter(|project| project.name == name && marked(&project.description).is_none()).collect()
}

/// Two with the same mark are nothing that can be told apart, and neither are two environments of one project.
pub fn unique(wanted: &[Wanted], all: &[Listed]) -> Result<(), Failure> {
    for (n, one) in wanted.iter().enumerate() {
        if let Some(other) = wanted.iter().take(n).find(|other| other.project == one.project) {
            let what =
                format!("{} and {} both live in the project {}", other.environment, one.environment, one.project);
            return Err(Failure::new(FailureKind::Declaration, what)
                .hint("give each a project of its own at Railway: [providers.railway] project = { dev = \"…\", … }"));
        }
        let names: Vec<&str> =
            all.iter().filter(|p| marked(&p.description) == Some(&one.mark)).map(|p| p.name.as_str()).collect();
        if names.len() > 1 {
            let what = format!("{} projects at Railway carry the mark {}: {}", names.len(), one.mark, names.join(", "));
            return Err(Failure::new(FailureKind::User, what).hint(
                "nothing was changed; take the mark out of the description of those that are not meant, or delete them",
            ));
        }
    }
    Ok(())
}

/// Projects that are the team's, and that nothing declares any more.
#[must_use]
pub fn forgotten<'a>(project: &ProjectName, wanted: &[Wanted], all: &'a [Listed]) -> Vec<&'a Listed> {
    let is_wanted = |mark: &str| wanted.iter().any(|w| w.mark == mark);
    let of = |p: &&Listed| {
        marked(&p.description).is_some_and(|mark| environment_of(project, mark).is_some() && !is_wanted(mark))
    };
    all.iter().filter(of).collect()
}

/// A project that nothing declares any more goes, where nothing of others is in it.
pub fn forget(found: &mut Found, present: &Present) {
    let project = &present.project;
    let foreign: Vec<&str> = present.services.iter().filter(|s| s.owner().is_none()).map(|s| s.name.as_str()).collect();
    if !foreign.is_empty() {
        let text = format!(
            "nothing declares this project any more; it is not deleted, since these in it are somebody else's: {}",
            foreign.join(", ")
        );
        found.remarks.push(Remark::new(project.name.as_str(), text));
        return;
    }
    let change = Change::delete(format!("project {}", project.name), Vec::new());
    found.steps.push(Step { change, op: Op::DeleteProject { id: project.id.clone() } });
    let why = format!("the project {} and everything in it would be deleted", project.name);
    found.confirm.push(Confirm { name: project.name.clone(), why });
}

/// What could be taken over: a project of the right name without a mark, and in it services of the right names.
pub fn adoptable(wanted: &Wanted, present: &Present) -> Vec<Step<Op>> {
    let of = &wanted.environment;
    let mut found = Found::default();
    let project = &present.project;
    if marked(&project.description).is_none() {
        let words = [project.description.trim(), &wanted.mark];
        let description = words.iter().filter(|w| !w.is_empty()).copied().collect::<Vec<_>>().join(" ");
        let detail = Detail::of_texts("description", Some(&project.description), Some(&description));
        let change = Change::replace(format!("project {}", project.name), detail.into_iter().collect());
        let id = project.id.clone();
        found.step(of, change, Op::ChangeProject { id, name: None, description: Some(description) });
    }
    for service in &wanted.services {
        let same: Vec<&PresentService> = present.services.iter().filter(|s| s.name == service.name).collect();
        let ([there], None) =
            (same.as_slice(), present.services.iter().find(|s| s.owner().is_some_and(|o| o.mark == service.mark)))
        else {
            continue;
        };
        if there.owner().is_some() {
            continue;
        }
        let mut owner = Owner::new(service.mark.as_str());
        if let What::App(app) = &service.what {
            owner.manages = app::names(app).into_iter().filter(|name| there.has(name)).collect();
        }
        let detail = Detail::new("owner", None, Some(Said::text(service.mark.as_str())));
        let change = Change::replace(format!("{}/{}", project.name, service.name), vec![detail]);
        let at =
            Place { project: project.id.clone(), environment: present.environment.clone(), service: there.id.clone() };
        found.step(of, change, Op::AdoptService { at, owner });
    }
    found.steps
}
