//! Deployments and what they print.

use ambit_domain::{Failure, railway::Place};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{List, Railway, Tried, document};

/// A deployment as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// By what the API knows it.
    pub id: String,
    /// `SUCCESS`, `BUILDING`, …
    pub status: String,
    /// RFC 3339.
    pub created_at: String,
    #[serde(default)]
    meta: Value,
    /// Whether its image is still there.
    #[serde(default)]
    pub can_rollback: bool,
}

impl Deployment {
    /// The commit that it was built from, where it was.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        self.meta["commitHash"].as_str()
    }
}

/// A line that was printed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Line {
    /// RFC 3339.
    pub timestamp: String,
    /// The line; hostile input.
    pub message: String,
}

impl Railway {
    /// Asks for a deployment of a commit, and tells what it is called.
    pub async fn deploy(&self, at: &Place, commit: &str) -> Tried<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            service_instance_deploy_v2: String,
        }
        let variables = json!({ "service": at.service, "environment": at.environment, "commit": commit });
        let tried = self.change::<Data>(document!("deploy"), &variables, &[]).await?;
        Ok(tried.map(|data| data.service_instance_deploy_v2))
    }

    /// The newest deployments of a service.
    pub async fn deployments(&self, at: &Place, most: u32) -> Result<Vec<Deployment>, Failure> {
        #[derive(Deserialize)]
        struct Data {
            deployments: List<Deployment>,
        }
        let input = json!({ "projectId": at.project, "environmentId": at.environment, "serviceId": at.service });
        let data: Data = self.read(document!("deployments"), &json!({ "input": input, "first": most })).await?;
        Ok(data.deployments.nodes().collect())
    }

    /// One of them.
    pub async fn deployment(&self, id: &str) -> Result<Deployment, Failure> {
        #[derive(Deserialize)]
        struct Data {
            deployment: Deployment,
        }
        Ok(self.read::<Data>(document!("deployment"), &json!({ "id": id })).await?.deployment)
    }

    /// Asks for a new deployment of an earlier one's image.
    pub async fn roll_back(&self, id: &str) -> Tried<()> {
        Ok(self.change::<Value>(document!("rollback"), &json!({ "id": id }), &[]).await?.map(drop))
    }

    /// The last lines of what a deployment printed; while it was built where it never started.
    pub async fn lines(&self, id: &str, most: usize) -> Result<Vec<Line>, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            #[serde(default, alias = "buildLogs")]
            deployment_logs: Vec<Line>,
        }
        let variables = json!({ "id": id, "limit": most });
        let printed = self.read::<Data>(document!("deployment_logs"), &variables).await?.deployment_logs;
        if !printed.is_empty() {
            return Ok(printed);
        }
        Ok(self.read::<Data>(document!("build_logs"), &variables).await?.deployment_logs)
    }
}
