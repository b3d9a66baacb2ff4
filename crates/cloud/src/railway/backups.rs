//! Copies of volumes.

use ambit_domain::Failure;
use serde::Deserialize;
use serde_json::json;

use super::{Railway, Tried, document};

/// A copy of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    /// By what the API knows it.
    pub id: String,
    /// What somebody called it.
    pub name: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// What it holds.
    #[serde(rename = "referencedMB")]
    pub referenced_mb: Option<u64>,
    /// What nothing else holds.
    #[serde(rename = "usedMB")]
    pub used_mb: Option<u64>,
}

/// Something that takes its time.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Workflow {
    pub(super) workflow_id: String,
}

impl Railway {
    /// The copies of a volume.
    pub async fn backups(&self, volume: &str) -> Result<Vec<Backup>, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            volume_instance_backup_list: Vec<Backup>,
        }
        Ok(self.read::<Data>(document!("backups"), &json!({ "volume": volume })).await?.volume_instance_backup_list)
    }

    /// Asks for a copy of a volume, and tells the workflow that makes it.
    pub async fn back_up(&self, volume: &str, name: &str) -> Tried<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            volume_instance_backup_create: Workflow,
        }
        let variables = json!({ "volume": volume, "name": name });
        let tried = self.change::<Data>(document!("backup_create"), &variables, &[]).await?;
        Ok(tried.map(|data| data.volume_instance_backup_create.workflow_id))
    }

    /// Deletes one, some time from now.
    pub async fn delete_backup(&self, volume: &str, backup: &str) -> Tried<()> {
        let variables = json!({ "volume": volume, "backup": backup });
        Ok(self.change::<serde_json::Value>(document!("backup_delete"), &variables, &[]).await?.map(drop))
    }
}
