//! The data of an environment at Railway.

use ambit_domain::{
    Failure,
    backup::hosted::VolumeCopy,
    hosted::{HostedData, HostedVolume, ListedCopy},
    relocation::Login,
};
use async_trait::async_trait;

use super::AtRailway;

#[async_trait]
impl HostedData for AtRailway<'_> {
    fn describe(&self) -> String {
        self.place()
    }

    fn requests_left(&self) -> Option<u32> {
        self.projects.client().quota()?.left
    }

    async fn volumes(&self) -> Result<Vec<HostedVolume>, Failure> {
        self.kept_volumes().await
    }

    async fn copies(&self, volume: &HostedVolume) -> Result<Vec<ListedCopy>, Failure> {
        self.copies_of(volume).await
    }

    async fn copy(&self, volume: &HostedVolume, name: &str) -> Result<VolumeCopy, Failure> {
        self.copy_of(volume, name).await
    }

    async fn remove_copy(&self, volume: &HostedVolume, copy: &VolumeCopy) -> Result<(), Failure> {
        self.delete_copy(volume, copy).await
    }

    async fn archives(&self) -> Result<bool, Failure> {
        if self.environment.postgres.is_none() {
            return Ok(false);
        }
        Ok(self.service(&self.names.postgres()).await?.0.archives())
    }

    fn postgres(&self) -> String {
        self.names.postgres()
    }

    async fn restore(&self, to: i64, name: &str) -> Result<(), Failure> {
        self.restore_to(to, name).await
    }

    async fn beside(&self) -> Result<Vec<String>, Failure> {
        Ok(self.all_beside().await?.into_iter().map(|service| service.name).collect())
    }

    async fn remove_beside(&self, name: &str) -> Result<(), Failure> {
        self.delete_beside(name).await
    }

    async fn reached(&self, name: &str) -> Result<Option<Login>, Failure> {
        self.login(&self.place_of(name).await?).await
    }

    async fn open(&self, name: &str) -> Result<Login, Failure> {
        self.open_up(name).await
    }

    async fn put_in_place(&self, name: &str, kept: &str) -> Result<(), Failure> {
        self.swap(name, kept).await
    }

    async fn settle(&self) -> Result<bool, Failure> {
        self.go_on_swapping().await
    }
}
