//! Several simulated services behind one address: `/cloudflare/zones` is `/zones` of Cloudflare. This is what `AMBIT_SIMULATE` names.

use std::{io, ops::Deref, sync::Arc};

use serde_json::json;

use crate::http::{HttpServer, Reply, Request, Service};

/// The token that stands for each service's own.
pub const SIMULATED: &str = "simulated";

/// The address of several services, until it is dropped.
pub struct Gateway(HttpServer);

impl Deref for Gateway {
    type Target = HttpServer;

    fn deref(&self) -> &HttpServer {
        &self.0
    }
}

impl Gateway {
    /// Starts on a port of this machine; 0 takes a free one.
    pub async fn start(port: u16, services: Vec<Arc<dyn Service>>) -> io::Result<Self> {
        HttpServer::on(port, None, move |request| route(&services, request)).await.map(Self)
    }

    /// Where it is.
    #[must_use]
    pub fn base(&self) -> String {
        self.0.url("").replace("localhost", "127.0.0.1")
    }
}

fn route(services: &[Arc<dyn Service>], request: &Request) -> Reply {
    let (name, rest) = request.path.trim_start_matches('/').split_once('/').unwrap_or((&request.path, ""));
    let Some(service) = services.iter().find(|service| service.name() == name.trim_start_matches('/')) else {
        return Reply::json(404, &json!({ "error": "no such service is simulated" }));
    };
    let mut request = Request { path: format!("/{rest}"), ..request.clone() };
    for value in request.headers.values_mut() {
        let replaced = value.to_str().ok().and_then(|text| {
            let prefix = text.strip_suffix(SIMULATED)?;
            format!("{prefix}{}", service.token()).parse().ok()
        });
        if let Some(replaced) = replaced {
            *value = replaced;
        }
    }
    service.reply(&request)
}
