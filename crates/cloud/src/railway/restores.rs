//! Databases that are restored beside.

use ambit_domain::railway::Place;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Railway, Tried, backups::Workflow, document};

impl Railway {
    /// Begins to make a new service of a PostgreSQL's data as of a moment (RFC 3339); tells the workflow that does it.
    pub async fn restore(&self, volume: &str, to: &str, name: &str) -> Tried<String> {
        #[derive(Deserialize)]
        struct Data {
            #[serde(rename = "volumeInstancePITRRestore")]
            restore: Workflow,
        }
        let variables = json!({ "volume": volume, "to": to, "name": name });
        let tried = self.change::<Data>(document!("restore"), &variables, &[]).await?;
        Ok(tried.map(|data| data.restore.workflow_id))
    }

    /// Deploys what a service runs once more, with its variables as they are now.
    pub async fn redeploy(&self, at: &Place) -> Tried<()> {
        let variables = json!({ "service": at.service, "environment": at.environment });
        Ok(self.change::<Value>(document!("redeploy"), &variables, &[]).await?.map(drop))
    }
}
