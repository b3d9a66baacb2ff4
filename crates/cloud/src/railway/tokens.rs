//! Tokens of one environment of a project. What a token says is in the answer to its making, and nowhere else ever.

use ambit_domain::{Failure, FailureKind, railway::ProjectToken};
use serde::Deserialize;
use serde_json::json;

use super::{List, PAGE, Railway, Tried, document};

impl Railway {
    /// The tokens of a project, of all its environments.
    pub async fn tokens(&self, project: &str) -> Result<Vec<ProjectToken>, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            project_tokens: List<Node>,
        }
        #[derive(Deserialize)]
        struct Node {
            id: String,
            name: String,
        }
        let Data { project_tokens: all } =
            self.read(document!("tokens"), &json!({ "project": project, "first": PAGE })).await?;
        if all.goes_on() {
            let what = format!("a project at Railway has more than {PAGE} tokens, and not all of them can be read");
            return Err(Failure::new(FailureKind::User, what).hint("delete those that nobody uses"));
        }
        Ok(all.nodes().map(|Node { id, name }| ProjectToken { project: project.to_owned(), id, name }).collect())
    }

    /// Makes a token of an environment and says what it says.
    pub async fn create_token(&self, project: &str, environment: &str, name: &str) -> Tried<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            project_token_create: String,
        }
        let input = json!({ "projectId": project, "environmentId": environment, "name": name });
        let tried = self.change::<Data>(document!("token_create"), &json!({ "input": input }), &[]).await?;
        Ok(tried.map(|data| data.project_token_create))
    }

    /// Whoever has it opens nothing by it any more.
    pub async fn delete_token(&self, id: &str) -> Tried<()> {
        let tried = self.change::<serde_json::Value>(document!("token_delete"), &json!({ "id": id }), &[]).await?;
        Ok(tried.map(drop))
    }
}
