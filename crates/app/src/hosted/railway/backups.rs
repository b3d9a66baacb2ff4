//! Copies of volumes at Railway.

use ambit_cloud::railway::{Backup, Tried};
use ambit_domain::{
    Failure, FailureKind,
    backup::hosted::VolumeCopy,
    hosted::{HostedVolume, ListedCopy},
    railway::PresentService,
    spec::Persistence,
};
use async_trait::async_trait;

use super::{AtRailway, moment, once::Once, unknown};

struct CopyOfVolume<'a> {
    there: &'a AtRailway<'a>,
    volume: &'a HostedVolume,
    name: &'a str,
}

#[async_trait]
impl Once for CopyOfVolume<'_> {
    type Found = VolumeCopy;

    fn key(&self) -> String {
        format!("railway copy of {}", self.volume.id)
    }

    fn name(&self) -> &str {
        self.name
    }

    fn what(&self) -> &'static str {
        "a copy of a volume"
    }

    async fn look(&self) -> Result<Option<VolumeCopy>, Failure> {
        let all = self.there.copies_of(self.volume).await?;
        Ok(all.into_iter().find(|listed| listed.name == self.name).map(|listed| listed.copy))
    }

    async fn ask(&self) -> Tried<String> {
        self.there.projects.client().back_up(&self.volume.id, self.name).await
    }
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
            Failure::new(FailureKind::NotFound, format!("{name} of {} has no volume", self.place()))
                .because("what it holds is gone with its next deployment, and there is nothing to copy")
                .hint("give it one in Railway's pages")
        })
    }

    pub(super) async fn kept_volumes(&self) -> Result<Vec<HostedVolume>, Failure> {
        let mut all: Vec<HostedVolume> = self.postgres_volume().await?.into_iter().collect();
        if self.environment.redis.as_ref().is_some_and(|redis| redis.persist != Persistence::None) {
            // One without a volume keeps nothing.
            all.extend(volume_of(self.service(&self.names.redis()).await?.0));
        }
        Ok(all)
    }

    pub(super) async fn copies_of(&self, volume: &HostedVolume) -> Result<Vec<ListedCopy>, Failure> {
        let all = self.projects.client().backups(&volume.id).await?;
        Ok(all.into_iter().map(|backup| listed(&volume.service, backup)).collect())
    }

    pub(super) async fn copy_of(&self, volume: &HostedVolume, name: &str) -> Result<VolumeCopy, Failure> {
        self.once(&CopyOfVolume { there: self, volume, name }).await
    }

    pub(super) async fn delete_copy(&self, volume: &HostedVolume, copy: &VolumeCopy) -> Result<(), Failure> {
        match self.projects.client().delete_backup(&volume.id, &copy.id).await? {
            Ok(()) => Ok(()),
            Err(_) if self.copies_of(volume).await?.iter().all(|c| c.copy.id != copy.id) => Ok(()),
            Err(why) => Err(unknown(why)),
        }
    }
}
