//! The builds that an environment hands out: its list as the downloads site reads it, and what is kept.
//!
//! What is published is what the store says. The folders are laid out before their rows are written and deleted after they
//! are gone; the list is made from the rows, whole, whenever one changed and whenever a daemon starts. So a crash leaves a
//! folder that nobody is led to, or a list that is one change behind until the next start.

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use ambit_domain::{
    Announcement, EnvironmentId, Failure, FailureKind, Outgoing, ReleaseId,
    mobile::{Index, MobileBuild, expired},
    spec::{Kind, Occasion, ProjectName},
};
use serde::{Deserialize, Serialize};

use super::routes::site;
use crate::ambit::{Ambit, now, store_failure};

const INDEX: &str = "index.json";

/// A build with where it is found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MobileBuildView {
    /// The build.
    #[serde(flatten)]
    pub build: MobileBuild,
    /// Its place on the downloads site.
    pub page: Option<String>,
    /// The file itself.
    pub url: Option<String>,
}

impl Ambit {
    /// The builds of a project's environments, each environment's newest first.
    pub fn mobile_builds(
        &self,
        project: &ProjectName,
        environment: Option<&EnvironmentId>,
    ) -> Result<Vec<MobileBuildView>, Failure> {
        let builds = match environment {
            Some(id) => self.store.mobile_builds(id),
            None => self.store.mobile_builds_of(project),
        };
        builds.map_err(|e| store_failure(&e))?.into_iter().map(|build| self.view(build)).collect()
    }

    pub(crate) fn view(&self, build: MobileBuild) -> Result<MobileBuildView, Failure> {
        let base = self.downloads_url(&build)?;
        let page = base.as_ref().map(|base| format!("{base}/#{}", build.id));
        let url = base.map(|base| format!("{base}/builds/{}/{}", build.id, build.file));
        Ok(MobileBuildView { build, page, url })
    }

    /// Where the site of a build is reached; `None` where it is not there any more.
    fn downloads_url(&self, build: &MobileBuild) -> Result<Option<String>, Failure> {
        let record = self.store.environment(&build.environment).map_err(|e| store_failure(&e))?;
        let address = self.address()?;
        let url = record.as_ref().and_then(|record| site(record, build.site.as_str())?.urls.first());
        Ok(url.map(|url| address.url(url)))
    }

    /// What is told of a build, leading to its place on the downloads site.
    pub(crate) fn told_of(&self, build: &MobileBuild, event: Occasion) -> Result<Outgoing, Failure> {
        let page = self.view(build.clone())?.page;
        let published = event == Occasion::BuildPublished;
        let verdict = build.verdict.as_ref();
        let announcement = Announcement {
            commit: build.commit.clone(),
            subject: build.changes.first().cloned(),
            author: Some(verdict.map_or(&build.actor, |v| &v.actor).who.clone()),
            reason: verdict.map(|v| v.note.clone()),
            next: published.then(|| format!("ambit qa approve {} --note \"…\"", build.id)),
            url: page,
            ..Announcement::new(event, None, format!("{} ({})", build.version, build.id))
        };
        Ok(crate::notify::outgoing(&build.environment, announcement))
    }

    /// Writes the list of an environment's builds anew.
    pub(crate) fn write_index(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let builds = self.store.mobile_builds(id).map_err(|e| store_failure(&e))?;
        let folder = self.home.mobile_builds(id);
        if builds.is_empty() && !folder.exists() {
            return Ok(());
        }
        let index = Index { environment: id, builds: &builds, moment: crate::telling::moment };
        let write = || -> io::Result<()> {
            make_folder(&folder)?;
            let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&folder)?;
            serde_json::to_writer_pretty(&mut file, &index.json())?;
            file.write_all(b"\n")?;
            file.as_file().set_permissions(Permissions::from_mode(0o640))?;
            file.as_file().sync_all()?;
            file.persist(folder.join(INDEX)).map_err(|e| e.error)?;
            fs::File::open(&folder)?.sync_all()
        };
        write().map_err(|e| cannot("write the list of builds in", &folder, &e))
    }

    /// Forgets builds beyond those that are kept, and deletes what no row leads to.
    pub(crate) fn prune_mobile_builds(&self, id: &EnvironmentId, keep: usize) -> Result<(), Failure> {
        let builds = self.store.mobile_builds(id).map_err(|e| store_failure(&e))?;
        let live = self.live_in_production(&id.project)?;
        let gone = expired(&builds, keep, &live);
        for build in &gone {
            self.store.forget_mobile_build(build).map_err(|e| store_failure(&e))?;
        }
        if !gone.is_empty() {
            self.write_index(id)?;
        }
        self.delete_strays(id)
    }

    fn live_in_production(&self, project: &ProjectName) -> Result<Vec<ReleaseId>, Failure> {
        let environments = self.store.environments().map_err(|e| store_failure(&e))?;
        let production =
            environments.iter().filter(|(id, record)| id.project == *project && record.kind == Kind::Production);
        let mut live = Vec::new();
        for (_, record) in production {
            live.extend(self.live_of(record)?.and_then(|d| d.release));
        }
        Ok(live)
    }

    /// Folders that no row leads to: of a build that was not published in the end, or is kept no longer.
    fn delete_strays(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let builds = self.store.mobile_builds(id).map_err(|e| store_failure(&e))?;
        let known: BTreeSet<&str> = builds.iter().map(|b| b.id.0.as_str()).chain([INDEX]).collect();
        let folder = self.home.mobile_builds(id);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(cannot("read", &folder, &error)),
        };
        for entry in entries.flatten().filter(|e| e.file_name().to_str().is_none_or(|name| !known.contains(name))) {
            let path = entry.path();
            let deleted = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            deleted.map_err(|e| cannot("delete", &path, &e))?;
        }
        Ok(())
    }

    /// What a daemon that died in the middle of it left is put right.
    pub(crate) fn settle_mobile_builds(&self) {
        let settle = || -> Result<(), Failure> {
            for (id, _) in self.store.environments().map_err(|e| store_failure(&e))? {
                if self.home.mobile_builds(&id).is_dir() {
                    self.write_index(&id)?;
                    self.delete_strays(&id)?;
                }
            }
            Ok(())
        };
        if let Err(failure) = settle() {
            tracing::error!(causes = ?failure.causes, at = now(), "the lists of mobile builds are not up to date: {failure}");
        }
    }
}

/// Makes a folder whose files the proxy may read: it belongs to the proxy's group, as those above it do.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mode = fs::metadata(folder)?.permissions().mode();
    fs::set_permissions(folder, Permissions::from_mode(0o750 | (mode & 0o2000)))
}

pub(super) fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let full = error.kind() == io::ErrorKind::StorageFull;
    Failure::new(FailureKind::Machine, format!("cannot {what} {}", path.display()))
        .because(error.to_string())
        .hint_if(full.then_some("make room on the disk and repeat the command"))
}
