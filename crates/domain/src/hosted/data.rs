//! The data of an environment at a service elsewhere: copies of its volumes.

use async_trait::async_trait;

use crate::{Failure, backup::hosted::VolumeCopy, relocation::Login};

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

    /// Whether PostgreSQL's log is archived, so that it can be restored to a moment.
    async fn archives(&self) -> Result<bool, Failure>;

    /// What PostgreSQL is called there.
    fn postgres(&self) -> String;

    /// Makes a PostgreSQL of that name beside the one that serves, with the data of a moment (milliseconds since the Unix epoch), and
    /// waits until it answers. One of that name that is there, or was asked for a moment ago, is that one.
    async fn restore(&self, to: i64, name: &str) -> Result<(), Failure>;

    /// What lies beside: restored ones, and what was replaced by one.
    async fn beside(&self) -> Result<Vec<String>, Failure>;

    /// Deletes what lies beside under a name, with its data.
    async fn remove_beside(&self, name: &str) -> Result<(), Failure>;

    /// How the PostgreSQL of a name is reached from here; `None` where it is not.
    async fn reached(&self, name: &str) -> Result<Option<Login>, Failure>;

    /// The same, opened to the outside for it where it is not.
    async fn open(&self, name: &str) -> Result<Login, Failure>;

    /// Lets what lies beside take the place of the one that serves, which is kept under another name; the apps are deployed anew for it.
    async fn put_in_place(&self, name: &str, kept: &str) -> Result<(), Failure>;

    /// Goes on with what took the place of another when that was interrupted; tells whether something was.
    async fn settle(&self) -> Result<bool, Failure>;
}
