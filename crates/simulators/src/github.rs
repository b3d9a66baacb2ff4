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
use crate::{http::HttpServer, openapi::OpenApi};

/// A GitHub with one repository.
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
    /// Starts with a public repository `OWNER/NAME` of an organisation, which has a branch `main` with one commit. `document` is the
    /// text of the published OpenAPI document.
    pub async fn start(repository: &str, document: &str) -> io::Result<Self> {
        Self::start_on(0, repository, document).await
    }

    /// The same on a port of one's choice; 0 is any that is free.
    pub async fn start_on(port: u16, repository: &str, document: &str) -> io::Result<Self> {
        let api = OpenApi::read(document);
        let state = Arc::new(Mutex::new(Repository::new(repository)));
        let shared = Arc::clone(&state);
        let server = HttpServer::start_on(port, None, move |request| {
            let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            door::answer(&api, &mut state, request)
        })
        .await?;
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
