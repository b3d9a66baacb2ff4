//! How a service is reached from outside other than by HTTP, what it was given, and how its deployments end.

use std::collections::BTreeMap;

use ambit_domain::{Failure, railway::Place};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Railway, Tried, document};

/// A TCP proxy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TcpProxy {
    /// By what the API knows it.
    pub id: String,
    /// The port of the service that it leads to.
    pub application_port: u16,
    /// Where it is.
    pub domain: String,
    /// The port there.
    pub proxy_port: u16,
}

impl Railway {
    /// The TCP proxies of a service.
    pub async fn proxies(&self, at: &Place) -> Result<Vec<TcpProxy>, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            tcp_proxies: Vec<TcpProxy>,
        }
        let variables = json!({ "environment": at.environment, "service": at.service });
        Ok(self.read::<Data>(document!("tcp_proxies"), &variables).await?.tcp_proxies)
    }

    /// Gives a service a TCP proxy to one of its ports. The service is deployed for it.
    pub async fn open_proxy(&self, at: &Place, port: u16) -> Tried<()> {
        let networking = json!({ "tcpProxies": { port.to_string(): {} } });
        let patch = json!({ "services": { at.service.as_str(): { "networking": networking } } });
        let variables = json!({ "environment": at.environment, "patch": patch, "message": "ambit" });
        Ok(self.change::<Value>(document!("commit"), &variables, &[]).await?.map(drop))
    }

    /// Takes one away.
    pub async fn close_proxy(&self, id: &str) -> Tried<()> {
        Ok(self.change::<Value>(document!("tcp_proxy_delete"), &json!({ "id": id }), &[]).await?.map(drop))
    }

    /// The variables of a service as it is given them.
    pub async fn variables(&self, at: &Place) -> Result<BTreeMap<String, String>, Failure> {
        #[derive(Deserialize)]
        struct Data {
            variables: BTreeMap<String, String>,
        }
        let variables = json!({ "project": at.project, "environment": at.environment, "service": at.service });
        Ok(self.read::<Data>(document!("variables"), &variables).await?.variables)
    }

    /// Ends a deployment. Its image stays as long as the plan keeps images.
    pub async fn end_deployment(&self, id: &str) -> Tried<()> {
        Ok(self.change::<Value>(document!("deployment_remove"), &json!({ "id": id }), &[]).await?.map(drop))
    }
}
