//! GitHub: one repository that remembers, and what is around it. Requests are checked against the published document; what that does
//! not say (plans, permissions of a token, limits, which thing has to be there first) by rules of its own.

mod activity;
mod branches;
mod door;
mod environments;
mod hooks;
mod rules;
mod secrets;
mod state;

use std::{
    io,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

pub use self::state::{Environment, Plan, Repository, Secret};
use crate::{
    http::{HttpServer, Reply, Request, Service},
    openapi::OpenApi,
};

/// What a GitHub with one repository answers.
pub struct GithubService {
    api: OpenApi,
    state: Arc<Mutex<Repository>>,
}

impl GithubService {
    /// A public repository `OWNER/NAME` of an organisation, which has a branch `main` with one commit; without a name it is the first
    /// one that is asked for. `document` is the text of the published OpenAPI document.
    #[must_use]
    pub fn new(repository: &str, document: &str) -> Self {
        Self { api: OpenApi::read(document), state: Arc::new(Mutex::new(Repository::new(repository))) }
    }

    /// Looks at the repository, or does by hand what a person would do in the web pages.
    pub fn by_hand<T>(&self, work: impl FnOnce(&mut Repository) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Service for GithubService {
    fn name(&self) -> &'static str {
        "github"
    }

    fn token(&self) -> &'static str {
        state::TOKEN
    }

    fn reply(&self, request: &Request) -> Reply {
        door::answer(&self.api, &mut self.state.lock().unwrap_or_else(PoisonError::into_inner), request)
    }
}

/// A GitHub with one repository, on a port of its own.
pub struct Github {
    server: HttpServer,
    state: Arc<Mutex<Repository>>,
}

impl Deref for Github {
    type Target = HttpServer;

    fn deref(&self) -> &HttpServer {
        &self.server
    }
}

impl Github {
    /// Starts with what [`GithubService::new`] says.
    pub async fn start(repository: &str, document: &str) -> io::Result<Self> {
        let service = GithubService::new(repository, document);
        let state = Arc::clone(&service.state);
        let server = HttpServer::on(0, None, move |request| service.reply(request)).await?;
        Ok(Self { server, state })
    }

    /// Where the API is.
    #[must_use]
    pub fn base(&self) -> String {
        self.server.url("")
    }

    /// A token that may do everything.
    #[must_use]
    pub fn token(&self) -> &'static str {
        state::TOKEN
    }

    /// Looks at the repository, or does by hand what a person would do in the web pages.
    pub fn by_hand<T>(&self, work: impl FnOnce(&mut Repository) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
