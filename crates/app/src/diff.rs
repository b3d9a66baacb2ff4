//! `diff`: what one environment runs that another does not: commits, migrations, variables, versions, sizes. Secrets are
//! compared without being shown.

use std::collections::BTreeMap;

use ambit_domain::{
    Deployment, EnvironmentId, Failure, FailureKind, Release, release::pending_migrations, spec::EnvironmentName,
};
use ambit_source::git::Repository;
use serde::Serialize;

use crate::{
    ambit::{Ambit, store_failure},
    code::source_failure,
    declaration::Declaration,
    variables::View,
};

/// The difference between two environments.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// What the first runs.
    pub from: Side,
    /// What the second runs.
    pub to: Side,
    /// Whether both run the same release.
    pub same_release: bool,
    /// Commits that the first has and the second has not, the newest first: hash, author, subject.
    pub commits: Vec<(String, String, String)>,
    /// Migrations that the first has and the second has not.
    pub migrations: Vec<MigrationDiff>,
    /// Variables that differ.
    pub variables: Vec<VariableDiff>,
}

/// One of two environments.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// The environment.
    pub environment: EnvironmentName,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: Option<String>,
    /// What its builds take on disk, in bytes.
    pub size: u64,
    /// Versions of its servers.
    pub servers: BTreeMap<String, String>,
}

/// A migration that one has and the other has not.
#[derive(Debug, Clone, Serialize)]
pub struct MigrationDiff {
    /// The service and the file.
    pub path: String,
    /// What in it cannot be taken back by code.
    pub irreversible: Vec<String>,
}

/// A variable that differs.
#[derive(Debug, Clone, Serialize)]
pub struct VariableDiff {
    /// Its name.
    pub name: String,
    /// Its value in the first; `None` where it has none, or where it is secret.
    pub from: Option<String>,
    /// Its value in the second.
    pub to: Option<String>,
    /// Whether it is secret: then neither value is told, only that they differ.
    pub secret: bool,
    /// Whether only one of them has it.
    pub missing_in: Option<EnvironmentName>,
}

impl Ambit {
    /// Compares two environments.
    pub fn diff(
        &self,
        declaration: &Declaration,
        from: &EnvironmentName,
        to: &EnvironmentName,
    ) -> Result<Diff, Failure> {
        let (a, b) = (self.side(declaration, from)?, self.side(declaration, to)?);
        let commits = match (&a.0.commit, &b.0.commit) {
            (Some(newer), Some(older)) => {
                let repository =
                    Repository::at(self.home.repository(&declaration.project.name), std::path::PathBuf::new());
                let changes = repository.changes(Some(&older.id), &newer.id).map_err(|e| source_failure(&e))?;
                changes.into_iter().map(|c| (c.id.chars().take(7).collect(), c.author, c.subject)).collect()
            }
            _ => Vec::new(),
        };
        let migrations = match &a.1 {
            Some(release) => pending_migrations(release, b.1.as_ref())
                .into_iter()
                .map(|m| MigrationDiff {
                    path: format!("{}/{}", m.service, m.path),
                    irreversible: m.irreversible.clone(),
                })
                .collect(),
            None => Vec::new(),
        };
        Ok(Diff {
            same_release: a.0.release.is_some() && a.0.release == b.0.release,
            commits,
            migrations,
            variables: self.variables_that_differ(declaration, from, to)?,
            from: a.2,
            to: b.2,
        })
    }

    fn side(
        &self,
        declaration: &Declaration,
        name: &EnvironmentName,
    ) -> Result<(Deployment, Option<Release>, Side), Failure> {
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let nothing = || {
            Failure::new(FailureKind::NotFound, format!("nothing was deployed to {name} yet"))
                .hint(format!("ambit up {name}"))
        };
        let record = self.store.environment(&id).map_err(|e| store_failure(&e))?.ok_or_else(nothing)?;
        let live = self.store.deployment(record.live.ok_or_else(nothing)?).map_err(|e| store_failure(&e))?;
        let live = live.ok_or_else(nothing)?;
        let release = match &live.release {
            Some(release) => self.store.release(&id.project, release).map_err(|e| store_failure(&e))?,
            None => None,
        };
        let servers = ["postgres", "redis"]
            .into_iter()
            .filter_map(|server| Some((server.to_owned(), self.host.server_version(&id, server)?)))
            .collect();
        let side = Side {
            environment: name.clone(),
            version: live.version.clone(),
            release: live.release.as_ref().map(|r| r.short().to_owned()),
            size: release.as_ref().map_or(0, |r| r.size),
            servers,
        };
        Ok((live, release, side))
    }

    fn variables_that_differ(
        &self,
        declaration: &Declaration,
        from: &EnvironmentName,
        to: &EnvironmentName,
    ) -> Result<Vec<VariableDiff>, Failure> {
        let (a, b) = (self.resolve(declaration, from, View::Public)?, self.resolve(declaration, to, View::Public)?);
        let mut names: Vec<&str> = a.iter().chain(&b).map(|v| v.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let mut found = Vec::new();
        for name in names {
            let (one, other) = (a.iter().find(|v| v.name == name), b.iter().find(|v| v.name == name));
            if one.map(|v| &v.value) == other.map(|v| &v.value) {
                continue;
            }
            let secret = one.or(other).is_some_and(|v| v.secret);
            let shown = |v: Option<&ambit_spec::Resolved>| v.filter(|_| !secret).map(|v| v.value.clone());
            found.push(VariableDiff {
                name: name.to_owned(),
                from: shown(one),
                to: shown(other),
                secret,
                missing_in: match (one, other) {
                    (None, _) => Some(from.clone()),
                    (_, None) => Some(to.clone()),
                    _ => None,
                },
            });
        }
        Ok(found)
    }
}
