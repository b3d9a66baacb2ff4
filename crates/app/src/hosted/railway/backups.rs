//! Copies of volumes at Railway.
//!
//! What is asked for is written down before it is asked for, and with the workflow that makes it as soon as that is known: whoever was
//! killed in between waits for it, or looks for a copy of that name, before asking again.

use std::time::Duration;

use ambit_cloud::railway::Backup;
use ambit_domain::{
    Failure, FailureKind,
    backup::hosted::VolumeCopy,
    hosted::{HostedData, HostedVolume, ListedCopy},
    railway::PresentService,
    spec::Persistence,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{AtRailway, moment, unknown};
use crate::{ambit::now, fault};

/// How long a copy may take to be listed after it was asked for, in milliseconds.
const UNDER_WAY: i64 = 60_000;
/// The pauses between two questions whether something is done: each is a request, so that they grow.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often that is asked.
const QUESTIONS: u32 = 20;
/// How often it is looked for what is done and not listed yet.
const LOOKS: u32 = 5;

/// A copy that was asked for.
#[derive(Clone, Serialize, Deserialize)]
struct Asked {
    name: String,
    at: i64,
    workflow: Option<String>,
}

/// Where it is written down which copy of a volume was asked for.
fn asked_for(volume: &str) -> String {
    format!("railway copy of {volume}")
}

fn megabytes(number: Option<u64>) -> u64 {
    number.unwrap_or(0) << 20
}

fn listed(service: &str, backup: Backup) -> ListedCopy {
    let copy = VolumeCopy {
        service: service.to_owned(),
        id: backup.id,
        made: moment(&backup.created_at),
        size: megabytes(backup.referenced_mb),
        stored: megabytes(backup.used_mb),
    };
    ListedCopy { name: backup.name.unwrap_or_default(), copy }
}

/// The volume of a service, where it has one.
fn volume_of(service: &PresentService) -> Option<HostedVolume> {
    service.volumes.first().map(|v| HostedVolume { service: service.name.clone(), id: v.instance.clone() })
}

impl AtRailway<'_> {
    /// PostgreSQL's volume; `None` where there is no PostgreSQL.
    pub(super) async fn postgres_volume(&self) -> Result<Option<HostedVolume>, Failure> {
        if self.environment.postgres.is_none() {
            return Ok(None);
        }
        let name = self.names.postgres();
        let (service, _) = self.service(&name).await?;
        volume_of(service).map(Some).ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("{name} of {} has no volume", HostedData::describe(self)))
                .because("what it holds is gone with its next deployment, and there is nothing to copy")
                .hint("give it one in Railway's pages")
        })
    }

    /// Waits until a workflow is over.
    pub(super) async fn wait_for(&self, workflow: &str, what: &str) -> Result<(), Failure> {
        let mut pause = PAUSE;
        for _ in 0..QUESTIONS {
            if self.projects.client().is_over(workflow).await? {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(Failure::new(FailureKind::Machine, format!("Railway did not finish {what} in time"))
            .hint("repeat the command later: what was begun is found again"))
    }

    async fn named(&self, volume: &HostedVolume, name: &str) -> Result<Option<VolumeCopy>, Failure> {
        Ok(self.copies(volume).await?.into_iter().find(|c| c.name == name).map(|c| c.copy))
    }

    /// What was asked for and is not listed yet.
    async fn appears(&self, volume: &HostedVolume, name: &str) -> Result<Option<VolumeCopy>, Failure> {
        let mut pause = PAUSE;
        for look in 1..=LOOKS {
            if let Some(found) = self.named(volume, name).await? {
                return Ok(Some(found));
            }
            if look < LOOKS {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        Ok(None)
    }

    /// What came of an earlier question for the same copy.
    async fn asked_before(&self, volume: &HostedVolume, name: &str) -> Result<Option<VolumeCopy>, Failure> {
        let asked: Option<Asked> = self.ambit().remembered(&asked_for(&volume.id))?;
        match asked.filter(|asked| asked.name == name) {
            Some(Asked { workflow: Some(workflow), .. }) => {
                self.wait_for(&workflow, "the copy").await?;
                self.appears(volume, name).await
            }
            Some(Asked { at, .. }) if now().saturating_sub(at) < UNDER_WAY => self.appears(volume, name).await,
            _ => self.named(volume, name).await,
        }
    }

    async fn ask(&self, volume: &HostedVolume, name: &str) -> Result<VolumeCopy, Failure> {
        let key = asked_for(&volume.id);
        let asked = Asked { name: name.to_owned(), at: now(), workflow: None };
        self.ambit().remember(&key, &Some(asked.clone()))?;
        let tried = self.projects.client().back_up(&volume.id, name).await;
        fault::point("when a copy of a volume was asked for");
        let why = match tried {
            Ok(Ok(workflow)) => {
                self.ambit().remember(&key, &Some(Asked { workflow: Some(workflow.clone()), ..asked }))?;
                self.wait_for(&workflow, "the copy").await?;
                None
            }
            Ok(Err(why)) => Some(why),
            Err(refused) => {
                self.ambit().remember(&key, &None::<Asked>)?;
                return Err(refused);
            }
        };
        let what = || why.unwrap_or_else(|| format!("{name} of {} is not listed", volume.service));
        self.appears(volume, name).await?.ok_or_else(|| unknown(what()))
    }
}

#[async_trait]
impl HostedData for AtRailway<'_> {
    fn describe(&self) -> String {
        format!("Railway ({})", self.environment.railway_project().unwrap_or_default())
    }

    fn requests_left(&self) -> Option<u32> {
        self.projects.client().quota()?.left
    }

    async fn volumes(&self) -> Result<Vec<HostedVolume>, Failure> {
        let mut all: Vec<HostedVolume> = self.postgres_volume().await?.into_iter().collect();
        if self.environment.redis.as_ref().is_some_and(|redis| redis.persist != Persistence::None) {
            // One without a volume keeps nothing.
            all.extend(volume_of(self.service(&self.names.redis()).await?.0));
        }
        Ok(all)
    }

    async fn copies(&self, volume: &HostedVolume) -> Result<Vec<ListedCopy>, Failure> {
        let all = self.projects.client().backups(&volume.id).await?;
        Ok(all.into_iter().map(|backup| listed(&volume.service, backup)).collect())
    }

    async fn copy(&self, volume: &HostedVolume, name: &str) -> Result<VolumeCopy, Failure> {
        let copy = match self.asked_before(volume, name).await? {
            Some(there) => there,
            None => self.ask(volume, name).await?,
        };
        self.ambit().remember(&asked_for(&volume.id), &None::<Asked>)?;
        Ok(copy)
    }

    async fn remove_copy(&self, volume: &HostedVolume, copy: &VolumeCopy) -> Result<(), Failure> {
        match self.projects.client().delete_backup(&volume.id, &copy.id).await? {
            Ok(()) => Ok(()),
            Err(_) if self.copies(volume).await?.iter().all(|c| c.copy.id != copy.id) => Ok(()),
            Err(why) => Err(unknown(why)),
        }
    }
}
