//! The data of an environment at a service elsewhere: copies of its volumes.

use async_trait::async_trait;

use crate::{Failure, backup::hosted::VolumeCopy};

/// A volume there whose data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedVolume {
    /// The service that has it, as it is called there.
    pub service: String,
    /// By what the service elsewhere knows it.
    pub id: String,
}

/// A copy of a volume as it is listed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCopy {
    /// What somebody called it.
    pub name: String,
    /// The copy.
    pub copy: VolumeCopy,
}

/// The data of an environment at a service elsewhere. Every method may be called again after a crash at any point.
#[async_trait]
pub trait HostedData: Send + Sync {
    /// `Railway (kaia)`
    fn describe(&self) -> String;

    /// How many requests there are left for now, as far as that was said.
    fn requests_left(&self) -> Option<u32>;

    /// The volumes whose data is kept.
    async fn volumes(&self) -> Result<Vec<HostedVolume>, Failure>;

    /// The copies of a volume, whosever they are.
    async fn copies(&self, volume: &HostedVolume) -> Result<Vec<ListedCopy>, Failure>;

    /// Copies a volume under a name and waits for it. A copy of that name that is there, or was asked for a moment ago, is that copy.
    async fn copy(&self, volume: &HostedVolume, name: &str) -> Result<VolumeCopy, Failure>;

    /// Deletes a copy.
    async fn remove_copy(&self, volume: &HostedVolume, copy: &VolumeCopy) -> Result<(), Failure>;
}
