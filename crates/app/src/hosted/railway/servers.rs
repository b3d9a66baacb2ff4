//! How the databases at Railway are reached: by a TCP proxy, which is made where there is none.

use std::{collections::BTreeSet, time::Duration};

use ambit_cloud::railway::TcpProxy;
use ambit_domain::{Failure, FailureKind, hosted::Reached, railway::Place, relocation::Login};

use super::{AtRailway, unknown};

pub(super) const POSTGRES: u16 = 5432;
const REDIS: u16 = 6379;
/// How often it is looked whether a proxy leads somewhere, and how often at most.
const EVERY: Duration = Duration::from_secs(2);
const LOOKS: u32 = 60;

impl AtRailway<'_> {
    /// Servers that are declared: their names there and their ports.
    pub(super) fn declared_servers(&self) -> Vec<(String, u16)> {
        let postgres = self.environment.postgres.as_ref().map(|_| (self.names.postgres(), POSTGRES));
        let redis = self.environment.redis.as_ref().map(|_| (self.names.redis(), REDIS));
        postgres.into_iter().chain(redis).collect()
    }

    pub(super) async fn proxy(&self, at: &Place, port: u16) -> Result<Option<TcpProxy>, Failure> {
        let all = self.projects.client().proxies(at).await?;
        Ok(all.into_iter().find(|proxy| proxy.application_port == port))
    }

    pub(super) async fn without_proxy(&self) -> Result<BTreeSet<String>, Failure> {
        let mut all = BTreeSet::new();
        for (name, port) in self.declared_servers() {
            let (_, at) = self.service(&name).await?;
            if self.proxy(&at, port).await?.is_none() {
                all.insert(name);
            }
        }
        Ok(all)
    }

    pub(super) async fn opened(&self) -> Result<Reached, Failure> {
        let mut reached = Reached::default();
        for (name, port) in self.declared_servers() {
            let (_, at) = self.service(&name).await?;
            let proxy = self.open(&name, &at, port).await?;
            if proxy.application_port == POSTGRES {
                reached.postgres = Some(self.postgres_login(&at, proxy).await?);
            } else {
                let [user, password] = self.said(&at, ["REDISUSER", "REDISPASSWORD"]).await?;
                let (host, port, database) = (proxy.domain, proxy.proxy_port, String::new());
                reached.redis = Some(Login { host, port, user, password, database, tls: false });
            }
        }
        Ok(reached)
    }

    /// How a PostgreSQL behind a proxy is reached.
    pub(super) async fn postgres_login(&self, at: &Place, proxy: TcpProxy) -> Result<Login, Failure> {
        let [user, password, database] = self.said(at, ["PGUSER", "PGPASSWORD", "PGDATABASE"]).await?;
        Ok(Login { host: proxy.domain, port: proxy.proxy_port, user, password, database, tls: true })
    }

    /// What the variables of a server say.
    async fn said<const N: usize>(&self, at: &Place, names: [&str; N]) -> Result<[String; N], Failure> {
        let mut variables = self.projects.client().variables(at).await?;
        if let Some(missing) = names.iter().find(|name| variables.get(**name).is_none_or(String::is_empty)) {
            return Err(Failure::new(FailureKind::Machine, format!("a server at Railway has no variable {missing}"))
                .because("Railway's template of it is another than Ambit knows"));
        }
        Ok(names.map(|name| variables.remove(name).unwrap_or_default()))
    }

    /// The proxy of a server, with somebody behind it.
    pub(super) async fn open(&self, name: &str, at: &Place, port: u16) -> Result<TcpProxy, Failure> {
        let mut proxy = self.proxy(at, port).await?;
        if proxy.is_none()
            && let Err(why) = self.projects.client().open_proxy(at, port).await?
        {
            proxy = self.proxy(at, port).await?;
            if proxy.is_none() {
                return Err(unknown(why));
            }
        }
        for _ in 0..LOOKS {
            if proxy.is_none() {
                proxy = self.proxy(at, port).await?;
            }
            if let Some(proxy) = &proxy
                && tokio::net::TcpStream::connect((proxy.domain.as_str(), proxy.proxy_port)).await.is_ok()
            {
                return Ok(proxy.clone());
            }
            tokio::time::sleep(EVERY).await;
        }
        Err(Failure::new(FailureKind::Machine, format!("{name} at Railway is not reached from outside"))
            .hint("does the workspace forbid public TCP proxies? Railway's pages, Settings")
            .hint("or does this machine's network let nothing out to other ports than the usual ones?"))
    }

    pub(super) async fn closed_again(&self, servers: &BTreeSet<String>) -> Result<(), Failure> {
        for (name, port) in self.declared_servers().into_iter().filter(|(name, _)| servers.contains(name)) {
            let (_, at) = self.service(&name).await?;
            if let Some(proxy) = self.proxy(&at, port).await?
                && let Err(why) = self.projects.client().close_proxy(&proxy.id).await?
                && self.proxy(&at, port).await?.is_some()
            {
                return Err(unknown(why));
            }
        }
        Ok(())
    }
}
