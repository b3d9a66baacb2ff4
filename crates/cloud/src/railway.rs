//! Railway's public API (docs.railway.com/integrations/api), GraphQL. The documents lie in `railway/documents`, and tests hold each
//! against the published schema.
//!
//! Reads may be repeated. Of a change that was not answered nobody knows whether it was carried out, and neither of one that was
//! answered by an error: whoever asked looks at what is there.

mod answer;
mod backups;
mod change;
mod deploy;
mod reach;
mod read;
mod restores;
mod tokens;

use std::sync::{Mutex, PoisonError};

use ambit_domain::{Failure, outside::Quota, railway::Listed};
use hyper::{HeaderMap, Method, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use self::answer::{Errors, understood};
use crate::{api::Api, http::Answer};

pub use self::{
    backups::Backup,
    change::{Tried, Volume},
    deploy::{Deployment, Line},
    reach::TcpProxy,
    read::{Project, Template},
};

/// Where the API is.
pub const BASE: &str = "https://backboard.railway.com/graphql/v2";
/// How many are read of a list at once.
const PAGE: u32 = 500;
/// Quotas are counted by the hour.
const HOUR: u32 = 3600;

const SERVICE: &str = "Railway";
const OF_A_PROJECT: header::HeaderName = header::HeaderName::from_static("project-access-token");

macro_rules! document {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/railway/documents/", $name, ".graphql"))
    };
}
pub(crate) use document;

/// An account or a workspace, by its token.
pub struct Railway {
    api: Api,
    /// The same token as one of a project, to find out what it is.
    as_project: Api,
    quota: Mutex<Option<Quota>>,
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Workspace {
    /// By what the API knows it.
    pub id: String,
    /// Its name.
    pub name: String,
}

#[derive(Deserialize)]
struct List<T> {
    edges: Vec<Edge<T>>,
    #[serde(rename = "pageInfo")]
    page: Option<Page>,
}

#[derive(Deserialize)]
struct Edge<T> {
    node: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    has_next_page: bool,
    #[serde(default)]
    end_cursor: Option<String>,
}

impl<T> List<T> {
    fn nodes(self) -> impl Iterator<Item = T> {
        self.edges.into_iter().map(|edge| edge.node)
    }

    fn goes_on(&self) -> bool {
        self.page.as_ref().is_some_and(|page| page.has_next_page)
    }
}

impl Railway {
    /// `base` is [`BASE`], or a server of the same API over TLS or on this machine.
    pub fn new(base: &str, token: &str) -> Result<Self, Failure> {
        let api = Api::new(SERVICE, base, (header::AUTHORIZATION, "Bearer ", token), &[])?;
        let as_project = Api::new(SERVICE, base, (OF_A_PROJECT, "", token), &[])?;
        Ok(Self { api, as_project, quota: Mutex::new(None) })
    }

    /// How many requests the token has, as the last answer said.
    #[must_use]
    pub fn quota(&self) -> Option<Quota> {
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The workspaces that the token opens.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            api_token: Workspaces,
        }
        #[derive(Deserialize)]
        struct Workspaces {
            workspaces: Vec<Workspace>,
        }
        match self.read::<Data>(document!("workspaces"), &json!({})).await {
            Ok(data) => Ok(data.api_token.workspaces),
            Err(failure) if answer::is_unauthorized(&failure) && self.is_of_a_project().await => {
                Err(answer::needs_account(failure))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whether the token is one of a project, which opens one environment and nothing else.
    async fn is_of_a_project(&self) -> bool {
        let body = body(document!("token"), &json!({}));
        let token = self
            .as_project
            .repeat(Method::POST, "", Some(&body), |answer| understood::<Value>(answer, &Errors::new(&[])));
        token.await.is_ok()
    }

    /// The projects of a workspace.
    pub async fn projects(&self, workspace: &str) -> Result<Vec<Listed>, Failure> {
        #[derive(Deserialize)]
        struct Data {
            projects: List<Node>,
        }
        #[derive(Deserialize)]
        struct Node {
            id: String,
            name: String,
            description: Option<String>,
        }
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let variables = json!({ "workspace": workspace, "first": PAGE, "after": after });
            let Data { projects } = self.read(document!("projects"), &variables).await?;
            let next = projects.page.as_ref().filter(|p| p.has_next_page).and_then(|p| p.end_cursor.clone());
            all.extend(projects.nodes().map(|p| Listed {
                id: p.id,
                name: p.name,
                description: p.description.unwrap_or_default(),
            }));
            match next {
                // A cursor that stands still would be asked for ever.
                Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                _ => return Ok(all),
            }
        }
    }

    async fn read<T: DeserializeOwned>(&self, document: &str, variables: &Value) -> Result<T, Failure> {
        let body = body(document, variables);
        let understand = |answer: &Answer| {
            self.note(&answer.headers);
            understood(answer, &Errors::new(&[]))
        };
        self.api.repeat(Method::POST, "", Some(&body), understand).await
    }

    /// One try of a change. `secrets` are kept out of what is told of it.
    async fn change<T: DeserializeOwned>(&self, document: &str, variables: &Value, secrets: &[&str]) -> Tried<T> {
        let body = body(document, variables);
        let understand = |answer: &Answer| {
            self.note(&answer.headers);
            understood(answer, &Errors::new(secrets))
        };
        self.api.once_in_turn(Method::POST, "", Some(&body), understand).await
    }

    fn note(&self, headers: &HeaderMap) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
        if let Some(calls) = number("x-ratelimit-limit") {
            let quota = Quota { calls, seconds: HOUR, left: number("x-ratelimit-remaining") };
            *self.quota.lock().unwrap_or_else(PoisonError::into_inner) = Some(quota);
        }
    }
}

fn body(document: &str, variables: &Value) -> Vec<u8> {
    json!({ "query": document, "variables": variables }).to_string().into_bytes()
}
