//! Databases that are restored beside, and how databases are reached from outside.

use std::collections::BTreeMap;

use ambit_domain::{Failure, railway::Place};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Railway, Tried, backups::Workflow, change::MESSAGE, document};

/// Where a service is reached from outside by TCP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TcpProxy {
    /// The host.
    pub domain: String,
    /// Its port.
    pub proxy_port: u16,
    /// The port of the service that it leads to.
    pub application_port: u16,
    deleted_at: Option<String>,
}

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

    /// Where a service is reached from outside.
    pub async fn tcp_proxies(&self, at: &Place) -> Result<Vec<TcpProxy>, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            tcp_proxies: Vec<TcpProxy>,
        }
        let variables = json!({ "service": at.service, "environment": at.environment });
        let all = self.read::<Data>(document!("tcp_proxies"), &variables).await?.tcp_proxies;
        Ok(all.into_iter().filter(|proxy| proxy.deleted_at.is_none()).collect())
    }

    /// Opens a port of a service to the outside. It is deployed anew for it.
    pub async fn open_port(&self, at: &Place, port: u16) -> Tried<()> {
        let networking = json!({ "tcpProxies": { port.to_string(): {} } });
        let patch = json!({ "services": { at.service.as_str(): { "networking": networking } } });
        let variables = json!({ "environment": at.environment, "patch": patch, "message": MESSAGE });
        Ok(self.change::<Value>(document!("commit"), &variables, &[]).await?.map(drop))
    }

    /// The variables of a service with their references resolved.
    pub async fn variables(&self, at: &Place) -> Result<BTreeMap<String, String>, Failure> {
        #[derive(Deserialize)]
        struct Data {
            variables: BTreeMap<String, String>,
        }
        let variables = json!({ "project": at.project, "environment": at.environment, "service": at.service });
        Ok(self.read::<Data>(document!("variables"), &variables).await?.variables)
    }
}
