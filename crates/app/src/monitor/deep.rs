//! What is looked at less often: how well servers, machine, backups, certificates and names are.

use std::{collections::BTreeSet, time::Duration};

use ambit_domain::{
    EnvironmentId, EnvironmentRecord, Failure,
    monitoring::{Check, Finding, What, bounds},
    spec::MonitoringLevel,
};
use futures_util::future::join_all;

use crate::{
    address::Address,
    ambit::{Ambit, now, store_failure},
    certificates::is_public,
};

/// How long the proxy may take to tell its certificates.
const PROXY: Duration = Duration::from_secs(1);

/// How often a kind of check is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Pace {
    /// At each look.
    Look,
    /// At every second one: what fails is still told within a minute.
    Second,
    /// Every minute: names, which others are asked for.
    Minute,
    /// Every ten minutes: what the server mends by itself in a while.
    TenMinutes,
}

impl Pace {
    /// Those of this file.
    pub(super) const DEEP: [Self; 3] = [Self::Second, Self::Minute, Self::TenMinutes];

    /// How often a kind is looked at.
    pub(super) fn of(what: What) -> Self {
        match what {
            What::Proxy | What::Http | What::Tcp | What::Process | What::Postgres | What::Redis | What::Latency => {
                Self::Look
            }
            What::Dns => Self::Minute,
            What::Bloat => Self::TenMinutes,
            _ => Self::Second,
        }
    }

    /// Whether it is its turn in a look.
    pub(super) fn is_due(self, look: u64) -> bool {
        let every = match self {
            Self::Look => 1,
            Self::Second => 2,
            Self::Minute => 6,
            Self::TenMinutes => 60,
        };
        look.is_multiple_of(every)
    }
}

impl Ambit {
    pub(super) async fn deep_look(
        &self,
        id: &EnvironmentId,
        record: &EnvironmentRecord,
        pace: Pace,
    ) -> Result<Vec<(Check, Finding)>, Failure> {
        if record.monitoring.level < MonitoringLevel::Full {
            return Ok(Vec::new());
        }
        match pace {
            Pace::Look => Ok(Vec::new()),
            Pace::Second => self.look_at_servers(id, record).await,
            Pace::Minute => self.look_at_names(record).await,
            Pace::TenMinutes => {
                let figures = self.with_readings(|r| r.environments.get(id).and_then(|e| e.postgres.clone()));
                Ok(figures.iter().map(|f| (Check::of(What::Bloat, "postgres"), bounds::bloat(f))).collect())
            }
        }
    }

    async fn look_at_servers(
        &self,
        id: &EnvironmentId,
        record: &EnvironmentRecord,
    ) -> Result<Vec<(Check, Finding)>, Failure> {
        let mut all = Vec::new();
        // One that does not answer is told by another check.
        let postgres = match self.postgres_of(id)? {
            Some(server) => self.host.postgres_figures(&server).await.ok(),
            None => None,
        };
        let redis = match self.redis_of(id)? {
            Some(server) => self.host.redis_figures(&server).await.ok(),
            None => None,
        };
        if let Some(figures) = &postgres {
            let of = |what| Check::of(what, "postgres");
            all.push((of(What::Connections), bounds::connections(figures)));
            all.push((of(What::Archive), bounds::archive(figures)));
            all.push((of(What::SlowQueries), bounds::slow_queries(figures)));
        }
        if let Some(figures) = &redis {
            all.push((Check::of(What::RedisMemory, "redis"), bounds::redis_memory(figures)));
            all.push((Check::of(What::RedisConnections, "redis"), bounds::redis_connections(figures)));
        }
        all.push((Check::of(What::Disk, "machine"), bounds::disk(&self.host.machine_figures())));
        let unfinished = self.store.unfinished_deployments().map_err(|e| store_failure(&e))?;
        let mine: Vec<_> = unfinished.iter().filter(|d| d.environment == *id).collect();
        all.push((Check::of(What::Queue, "deployments"), bounds::queue(mine.iter().copied(), now())));
        let newest = self.store.backups(id).map_err(|e| store_failure(&e))?.into_iter().next();
        if let Some(declared) = &record.backup {
            let since = record.up_since.unwrap_or_else(now);
            let trouble = self.backup_trouble(id)?;
            let finding = bounds::backup(declared, newest.as_ref(), since, trouble.as_deref(), now());
            all.push((Check::of(What::Backup, "backup"), finding));
        }
        all.extend(self.look_at_certificates(record).await?);
        all.extend(self.backup_elsewhere(id)?);
        self.with_readings(|readings| {
            let mine_of = readings.environments.entry(id.clone()).or_default();
            mine_of.postgres = postgres;
            mine_of.redis = redis;
            mine_of.backup_at = newest.map(|b| b.started);
            mine_of.unfinished = Some(mine.len());
        });
        Ok(all)
    }

    /// The certificates of the environment's public hosts, where the proxy takes TLS.
    async fn look_at_certificates(&self, record: &EnvironmentRecord) -> Result<Vec<(Check, Finding)>, Failure> {
        if self.listen_tls()?.is_none() {
            return Ok(Vec::new());
        }
        let hosts = public_hosts(record);
        // The proxy is asked for what it serves; that it does not answer is told by another check.
        let Ok(known) = tokio::time::timeout(PROXY, self.certificates()).await else { return Ok(Vec::new()) };
        let known = known?.certificates;
        Ok(hosts
            .into_iter()
            .filter_map(|host| {
                let covers = |c: &&crate::certificates::CertificateStatus| {
                    c.host == host || c.certificate.as_ref().is_some_and(|summary| summary.covers(&host))
                };
                let status = known.iter().find(covers)?;
                let finding = match (&status.trouble, &status.certificate) {
                    (_, Some(summary)) => {
                        match (bounds::certificate(summary.not_before, summary.not_after, now()), &status.trouble) {
                            (Finding::Broken(why), Some(trouble)) => Finding::Broken(format!("{why}: {trouble}")),
                            (finding, _) => finding,
                        }
                    }
                    (Some(trouble), None) => Finding::Broken(trouble.clone()),
                    // It is being ordered, or nobody wants one.
                    (None, None) => Finding::Well,
                };
                Some((Check::at(What::Certificate, "proxy", host), finding))
            })
            .collect())
    }

    /// Public names, where this machine serves the world: elsewhere they may belong to another one.
    async fn look_at_names(&self, record: &EnvironmentRecord) -> Result<Vec<(Check, Finding)>, Failure> {
        if !matches!(self.address()?, Address::Server(_)) {
            return Ok(Vec::new());
        }
        let looks = public_hosts(record).into_iter().map(async |host| {
            let found = self.host.finds(&host).await;
            (Check::at(What::Dns, "dns", host), found.map_or_else(Finding::Failing, |()| Finding::Well))
        });
        Ok(join_all(looks).await)
    }
}

fn public_hosts(record: &EnvironmentRecord) -> BTreeSet<String> {
    let urls = record.services.iter().flat_map(|service| &service.urls);
    urls.map(|url| url.host.clone()).filter(|host| is_public(host)).collect()
}
