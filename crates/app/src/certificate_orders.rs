//! Certificates ordered from authorities: for every public host of a project that declares one, by itself, before the one
//! there is expires. One order a host, so that one host that does not lead here yet keeps no other from its certificate.
//!
//! What happens in an order, and what a crash leaves: 1. it is noted as begun (a crash after it: a pause, then another
//! order); 2. the certificate is ordered (the authority forgets what is not fetched, and the next order takes back the
//! answers to challenges that this one left); 3. it is stored (from here on it is
//! served at the next reload, by a crash too); 4. it is noted as done (a crash before: ordered again after the pause, as if
//! it were due, since what decides is the certificate that lies there).

use std::{collections::BTreeMap, fs, io, os::unix::fs::DirBuilderExt, path::PathBuf, sync::Arc, time::Duration};

use ambit_cloud::acme::{AcmeError, Authority, Challenges, Client, LETS_ENCRYPT};
use ambit_domain::{Failure, FailureKind, spec::ProjectName};
use ambit_proxy::{
    certificates::{self, Listed, Summary},
    challenges, explain,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    ambit::{Ambit, now},
    declaration::Declaration,
};

/// Under which authorities are kept, by project.
const AUTHORITIES: &str = "certificate-authorities";
/// However little there is to do, the clock may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);
/// An authority that takes longer is asked again later.
const ORDER: Duration = Duration::from_secs(300);

/// An authority as a project declares it, as it is remembered without the declaration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Declared {
    contact: String,
    directory: String,
    roots: Option<String>,
}

/// The proxy's folder as the place for answers to challenges.
struct ProxyFolder(PathBuf);

impl Challenges for ProxyFolder {
    fn answer(&self, token: &str, key_authorization: &str) -> io::Result<()> {
        challenges::answer(&self.0, token, key_authorization)
    }

    fn forget(&self, token: &str) -> io::Result<()> {
        challenges::forget(&self.0, token)
    }
}

impl Ambit {
    /// Remembers the authority that a declaration names, or that it names none.
    pub(crate) fn record_authority(&self, declaration: &Declaration) -> Result<(), Failure> {
        let declared = match &declaration.project.acme {
            None => None,
            Some(acme) => {
                let roots = match &acme.ca {
                    None => None,
                    Some(file) => {
                        let file = declaration.folder.join(file);
                        let text = fs::read_to_string(&file).map_err(|e| {
                            Failure::new(FailureKind::Declaration, format!("cannot read {}", file.display()))
                                .because(e.to_string())
                                .hint("`ca` in [tls] names a file with certificates in PEM, relative to ambit.toml")
                        })?;
                        Some(text)
                    }
                };
                let directory = acme.directory.clone().unwrap_or_else(|| LETS_ENCRYPT.to_owned());
                Some(Declared { contact: acme.contact.clone(), directory, roots })
            }
        };
        let project = &declaration.project.name;
        let before = self.authorities()?;
        if before.get(project) == declared.as_ref() {
            return Ok(());
        }
        let mut all = before;
        match declared {
            Some(declared) => all.insert(project.clone(), declared),
            None => all.remove(project),
        };
        self.remember(AUTHORITIES, &all)?;
        self.keeping.changed.notify_one();
        Ok(())
    }

    pub(crate) fn authorities(&self) -> Result<BTreeMap<ProjectName, Declared>, Failure> {
        self.remembered(AUTHORITIES)
    }

    /// Orders and renews certificates, for as long as it is polled.
    pub async fn look_after_certificates(self: Arc<Self>) {
        loop {
            let next = self.order_what_is_due().await.unwrap_or_else(|failure| {
                tracing::error!(causes = ?failure.causes, "certificates are not looked after: {failure}");
                i64::MAX
            });
            let sleep = Duration::from_millis(u64::try_from(next.saturating_sub(now())).unwrap_or(0));
            tokio::select! {
                () = tokio::time::sleep(sleep.clamp(SHORTEST_SLEEP, LONGEST_SLEEP)) => {}
                () = self.keeping.changed.notified() => {}
            }
        }
    }

    /// Orders what is due, what expires first first; tells when something is due again.
    async fn order_what_is_due(&self) -> Result<i64, Failure> {
        let authorities = self.authorities()?;
        let nobody_could_use_it = authorities.is_empty() || self.listen_tls()?.is_none();
        if nobody_could_use_it || ambit_proxy::client::health(&self.home.proxy()).await.is_err() {
            return Ok(i64::MAX);
        }
        let listed = self.listed()?;
        let wanted = self.wanted(&authorities, &listed)?;
        self.give_way(&listed).await?;
        let orders = self.orders()?;
        let due_of = |host: &str, listed: &[Listed]| {
            let present = listed.iter().find(|file| file.name == host).and_then(|file| file.certificate.as_ref().ok());
            let validity = present.map(|c| (c.summary.not_before, c.summary.not_after));
            orders.get(host).cloned().unwrap_or_default().due(validity)
        };
        let mut due: Vec<(i64, &String, &Declared)> =
            wanted.iter().map(|(host, authority)| (due_of(host, &listed), host, *authority)).collect();
        due.sort_by_key(|(at, host, _)| (*at, *host));
        let (at_once, later): (Vec<_>, Vec<_>) = due.into_iter().partition(|(at, ..)| *at <= now());
        let next = later.first().map_or(i64::MAX, |(at, ..)| *at);
        if at_once.is_empty() {
            return Ok(next);
        }
        for (_, host, authority) in at_once {
            self.order(host, authority).await?;
        }
        // What was ordered just now is due again some time, too.
        Ok(now())
    }

    /// The hosts whose certificates are to come from an authority: those of projects that declare one, without those
    /// that a person added a certificate for.
    fn wanted<'a>(
        &self,
        authorities: &'a BTreeMap<ProjectName, Declared>,
        listed: &[Listed],
    ) -> Result<BTreeMap<String, &'a Declared>, Failure> {
        let orders = self.orders()?;
        let added: Vec<&Summary> = added(listed, |host| orders.contains_key(host)).collect();
        Ok(self
            .public_hosts()?
            .into_iter()
            .filter(|(host, _)| !added.iter().any(|summary| summary.covers(host)))
            .filter_map(|(host, project)| Some((host, authorities.get(&project)?)))
            .collect())
    }

    /// A certificate that a person added goes before an authority's for the same host, and one that expired and that
    /// nothing wants any more goes as well.
    async fn give_way(&self, listed: &[Listed]) -> Result<(), Failure> {
        let mut changed = false;
        {
            let _alone = self.keeping.orders.lock().await;
            let mut orders = self.orders()?;
            let hosts = self.public_hosts()?;
            let covering: Vec<&Summary> = added(listed, |host| orders.contains_key(host)).collect();
            let gone: Vec<String> = orders
                .keys()
                .filter(|host| {
                    let present = listed.iter().find(|file| file.name == **host);
                    let expired = present
                        .is_none_or(|file| file.certificate.as_ref().is_ok_and(|c| c.summary.not_after <= now()));
                    covering.iter().any(|summary| summary.covers(host)) || (expired && !hosts.contains_key(*host))
                })
                .cloned()
                .collect();
            for host in gone {
                certificates::remove(&self.home.proxy(), &host)
                    .map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
                orders.remove(&host);
                self.set_orders(&orders)?;
                changed = true;
            }
        }
        if changed { self.publish_routes_if_served().await } else { Ok(()) }
    }

    async fn order(&self, host: &str, declared: &Declared) -> Result<(), Failure> {
        {
            let _alone = self.keeping.orders.lock().await;
            let mut orders = self.orders()?;
            orders.entry(host.to_owned()).or_default().begin(now());
            self.set_orders(&orders)?;
        }
        let outcome = match tokio::time::timeout(ORDER, self.ask(host, declared)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(AcmeError::TooLate { within: ORDER }),
        };
        let _alone = self.keeping.orders.lock().await;
        let mut orders = self.orders()?;
        // A person added a certificate meanwhile.
        let Some(of_host) = orders.get_mut(host) else { return Ok(()) };
        let stored = match outcome {
            Ok(pem) => certificates::store(&self.home.proxy(), host, pem.as_bytes()).map_err(|e| (explain(&e), None)),
            Err(error) => {
                let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
                Err((format!("{}{hint}", explain(&error)), error.retry_after()))
            }
        };
        match stored {
            Ok(certificate) => {
                of_host.succeed();
                self.set_orders(&orders)?;
                tracing::info!(host, until = certificate.summary.not_after, "a certificate was made out");
                self.publish_routes_if_served().await
            }
            Err((error, asked)) => {
                tracing::error!(host, error = %error.escape_debug(), "no certificate was made out");
                of_host.fail(now(), error, asked);
                self.set_orders(&orders)
            }
        }
    }

    async fn ask(&self, host: &str, declared: &Declared) -> Result<String, AcmeError> {
        let authority = Authority {
            directory: declared.directory.clone(),
            contact: declared.contact.clone(),
            roots: declared.roots.clone(),
        };
        let folder = self.home.acme();
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|source| AcmeError::File { what: "write", path: folder.clone(), source })?;
        let of_account = Sha256::digest(format!("{}\n{}", declared.directory, declared.contact));
        let name: String = of_account.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let client = Client::open(&authority, &folder.join(format!("{name}.json"))).await?;
        // One order at a time: whatever lies there is of one that broke off.
        challenges::forget_all(&self.home.proxy()).map_err(AcmeError::Answer)?;
        client.order(host, &ProxyFolder(self.home.proxy())).await
    }
}

/// The certificates that people added and that hold.
fn added(listed: &[Listed], ordered: impl Fn(&str) -> bool) -> impl Iterator<Item = &Summary> {
    listed
        .iter()
        .filter(move |file| !ordered(&file.name))
        .filter_map(|file| file.certificate.as_ref().ok())
        .map(|certificate| &certificate.summary)
}
