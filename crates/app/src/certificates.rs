//! Certificates of public hosts: what there is, and what people add and remove. Orders from an authority are in
//! `certificate_orders`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use ambit_domain::{
    Actor, Failure, FailureKind, Wanted,
    audit::Note,
    renewal::Orders,
    spec::{Kind, ProjectName},
};
use ambit_proxy::{
    certificates::{self, Certificate, CertificateError, Listed, Summary},
    explain,
};
use serde::{Deserialize, Serialize};

use crate::ambit::{Ambit, now, store_failure};

/// Under which [`Orders`] are kept, by host.
const ORDERS: &str = "certificate-orders";
/// Clocks differ.
const AHEAD: i64 = 5 * 60 * 1000;

/// What the use cases of certificates share.
#[derive(Default)]
pub(crate) struct Keeping {
    /// Held while what is remembered of orders is read and written.
    pub(crate) orders: tokio::sync::Mutex<()>,
    /// Told when other hosts may want certificates.
    pub(crate) changed: tokio::sync::Notify,
}

/// A certificate to be served.
#[derive(Clone, Serialize, Deserialize)]
pub struct AddCertificate {
    /// The host that it is for, or a wildcard.
    pub host: String,
    /// The host's certificate and its chain, in PEM.
    pub certificate: String,
    /// The private key, in PEM.
    pub key: String,
    /// Who asks.
    pub actor: Actor,
}

/// A certificate not to be served any more.
#[derive(Clone, Serialize, Deserialize)]
pub struct RemoveCertificate {
    /// Under which it was added.
    pub host: String,
    /// Who asks.
    pub actor: Actor,
}

/// The certificates of this machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Certificates {
    /// Where the proxy takes TLS, if it does.
    pub listen_tls: Option<SocketAddr>,
    /// Those that there are and those that are wanted, by host.
    pub certificates: Vec<CertificateStatus>,
}

/// Where a certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A person added it and replaces it before it expires.
    File,
    /// It is ordered from an authority and renewed.
    Acme,
    /// Nobody: no authority is declared, and no certificate was added.
    None,
}

/// The certificate of one host, or the lack of it. All times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// The host, or wildcard, that it is kept under.
    pub host: String,
    /// Where it comes from.
    pub source: Source,
    /// What it says of itself; `None` where there is none that can be served.
    pub certificate: Option<Summary>,
    /// When it is ordered next, where it comes from an authority.
    pub next_order: Option<i64>,
    /// Orders in a row that came to nothing.
    pub failures: u32,
    /// What is wrong, where something is.
    pub trouble: Option<String>,
}

impl Ambit {
    /// Where the proxy takes TLS, if it does.
    pub fn listen_tls(&self) -> Result<Option<SocketAddr>, Failure> {
        let recorded = self.store.setting("listen-tls").map_err(|e| store_failure(&e))?;
        Ok(recorded.and_then(|text| text.parse().ok()))
    }

    /// Makes the proxy take TLS at an address, or at none.
    pub async fn set_listen_tls(&self, listen: Option<SocketAddr>) -> Result<(), Failure> {
        if self.listen_tls()? == listen {
            return Ok(());
        }
        if let Some(address) = listen {
            if address.port() == self.listen()?.port() {
                return Err(Failure::new(
                    FailureKind::User,
                    format!("the proxy takes plain requests on port {} already", address.port()),
                )
                .hint("take another port for one of the two: --listen, --listen-tls"));
            }
            self.host.check_address(address)?;
        }
        let text = listen.map_or_else(|| "off".to_owned(), |address| address.to_string());
        self.move_proxy("listen-tls", &text).await
    }

    /// How the certificates stand.
    pub async fn certificates(&self) -> Result<Certificates, Failure> {
        let served = match ambit_proxy::client::health(&self.home.proxy()).await {
            Ok(health) => health.certificates,
            Err(_) => Vec::new(),
        };
        let listed = self.listed()?;
        let orders = self.orders()?;
        let wanted = self.public_hosts()?;
        let authorities = self.authorities()?;
        let now = now();
        let mut all: Vec<CertificateStatus> = listed
            .iter()
            .map(|file| {
                let of_orders = orders.get(&file.name);
                let summary = file.certificate.as_ref().ok().map(|c| &c.summary);
                let trouble = match &file.certificate {
                    Err(error) => Some(explain(error)),
                    Ok(c) if c.summary.not_after <= now => Some("it has expired".to_owned()),
                    Ok(_) => of_orders.and_then(|o| o.error.clone()),
                };
                // The proxy is another user, and may have tried to read it at another moment.
                let of_proxy = served.iter().find(|s| s.name == file.name).and_then(|s| s.problem.clone());
                CertificateStatus {
                    host: file.name.clone(),
                    source: if of_orders.is_some() { Source::Acme } else { Source::File },
                    certificate: summary.cloned(),
                    next_order: of_orders.map(|o| o.due(summary.map(|s| (s.not_before, s.not_after)))),
                    failures: of_orders.map_or(0, |o| o.failures),
                    trouble: trouble.or(of_proxy),
                }
            })
            .collect();
        for (host, project) in &wanted {
            let covered =
                |file: &Listed| file.name == *host || file.certificate.as_ref().is_ok_and(|c| c.summary.covers(host));
            if listed.iter().any(covered) {
                continue;
            }
            let of_orders = orders.get(host).cloned().unwrap_or_default();
            let ordered = authorities.contains_key(project);
            all.push(CertificateStatus {
                host: host.clone(),
                source: if ordered { Source::Acme } else { Source::None },
                certificate: None,
                next_order: ordered.then(|| of_orders.due(None)),
                failures: of_orders.failures,
                trouble: of_orders.error,
            });
        }
        all.sort_by(|a, b| a.host.cmp(&b.host));
        Ok(Certificates { listen_tls: self.listen_tls()?, certificates: all })
    }

    /// Serves a certificate that a person has, after a look at it.
    pub async fn add_certificate(&self, request: &AddCertificate) -> Result<Summary, Failure> {
        let pem = format!("{}\n{}", request.certificate, request.key);
        let summary = Certificate::read(pem.as_bytes()).map_err(|e| refused(&request.host, &e))?.summary;
        check(&request.host, &summary, now())?;
        self.host.proxy_folders()?;
        let folder = self.home.proxy();
        {
            let _alone = self.keeping.orders.lock().await;
            certificates::store(&folder, &request.host, pem.as_bytes()).map_err(|e| refused(&request.host, &e))?;
            // Only now: a crash before leaves a certificate that is renewed early, and none that is never renewed.
            let mut orders = self.orders()?;
            if orders.remove(&request.host).is_some() {
                self.set_orders(&orders)?;
            }
        }
        self.note_certificate(&request.actor, "certificate.added", &request.host)?;
        self.publish_routes_if_served().await?;
        Ok(summary)
    }

    /// Stops serving a certificate and forgets what came of ordering it. Where an authority is declared, another one is
    /// ordered from it at once.
    pub async fn remove_certificate(&self, request: &RemoveCertificate) -> Result<(), Failure> {
        let there = self.listed()?.iter().any(|file| file.name == request.host);
        if !there && !self.orders()?.contains_key(&request.host) {
            return Err(Failure::new(
                FailureKind::NotFound,
                format!("there is no certificate of {}", request.host.escape_debug()),
            )
            .hint("ambit certificate list"));
        }
        {
            let _alone = self.keeping.orders.lock().await;
            certificates::remove(&self.home.proxy(), &request.host).map_err(|e| refused(&request.host, &e))?;
            let mut orders = self.orders()?;
            if orders.remove(&request.host).is_some() {
                self.set_orders(&orders)?;
            }
        }
        self.note_certificate(&request.actor, "certificate.removed", &request.host)?;
        self.keeping.changed.notify_one();
        self.publish_routes_if_served().await
    }

    fn note_certificate(&self, actor: &Actor, what: &str, host: &str) -> Result<(), Failure> {
        let hosts = self.public_hosts()?;
        let wildcard = host.strip_prefix("*.");
        let mine = |name: &str| name == host || name.split_once('.').is_some_and(|(_, rest)| Some(rest) == wildcard);
        // A host that nothing here is reached by belongs to no project's record.
        match hosts.iter().find(|(name, _)| mine(name)) {
            Some((_, project)) => self.note(Note::new(actor, project, what).about("host", host)).map(drop),
            None => Ok(()),
        }
    }

    /// The files in the proxy's folder, where there is one yet.
    pub(crate) fn listed(&self) -> Result<Vec<Listed>, Failure> {
        let folder = self.home.proxy();
        if !folder.exists() {
            return Ok(Vec::new());
        }
        certificates::list(&folder).map_err(|e| Failure::from_error(FailureKind::Machine, &e))
    }

    /// What is remembered of orders, by host. A host is in it exactly if its certificate is an authority's.
    pub(crate) fn orders(&self) -> Result<BTreeMap<String, Orders>, Failure> {
        self.remembered(ORDERS)
    }

    pub(crate) fn set_orders(&self, orders: &BTreeMap<String, Orders>) -> Result<(), Failure> {
        self.remember(ORDERS, orders)
    }

    /// Hosts of what runs that others than this machine can reach, with their projects.
    pub(crate) fn public_hosts(&self) -> Result<BTreeMap<String, ProjectName>, Failure> {
        let environments = self.store.environments().map_err(|e| store_failure(&e))?;
        let webhooks = self.store.webhooks().map_err(|e| store_failure(&e))?;
        let told = webhooks.iter().flat_map(|w| w.hosts.iter().map(move |host| (host, &w.project)));
        Ok(environments
            .iter()
            .filter(|(_, record)| record.wanted == Wanted::Running)
            .flat_map(|(id, record)| record.services.iter().map(move |service| (id, service)))
            .flat_map(|(id, service)| service.urls.iter().map(move |url| (&url.host, &id.project)))
            .chain(told)
            .filter(|(host, _)| is_public(host))
            .map(|(host, project)| (host.clone(), project.clone()))
            .collect())
    }

    /// Which hosts are to be reached by HTTPS only: the public ones that there is a certificate for.
    pub(crate) fn secured(&self) -> Result<Secured, Failure> {
        let mut secured = Secured::default();
        if self.listen_tls()?.is_some() {
            secured.certificates =
                self.listed()?.into_iter().filter_map(|file| Some(file.certificate.ok()?.summary)).collect();
        }
        Ok(secured)
    }
}

/// See [`Ambit::secured`].
#[derive(Default)]
pub(crate) struct Secured {
    certificates: Vec<Summary>,
}

impl Secured {
    pub(crate) fn hosts(&self, hosts: &BTreeSet<String>) -> Vec<String> {
        let covered = |host: &str| self.certificates.iter().any(|c| c.covers(host));
        hosts.iter().filter(|host| is_public(host) && covered(host)).cloned().collect()
    }

    /// Whether browsers are told: a promise for a year, which is made for production only.
    pub(crate) fn strictly(kind: Kind) -> bool {
        kind == Kind::Production
    }
}

/// Names under `.localhost` never leave the machine (RFC 6761, section 6.3), and one without a dot is nobody's.
pub(crate) fn is_public(host: &str) -> bool {
    host.contains('.') && host != "localhost" && !host.ends_with(".localhost")
}

fn check(host: &str, summary: &Summary, now: i64) -> Result<(), Failure> {
    let refuse =
        |why: String| Failure::new(FailureKind::User, format!("the certificate cannot serve {host}")).because(why);
    if !summary.names.iter().any(|name| name == host) && !summary.covers(host) {
        return Err(refuse(format!("it is made out to {}", summary.names.join(", "))));
    }
    if summary.not_after <= now {
        return Err(refuse("it has expired".to_owned()).hint("have a new one made out"));
    }
    if summary.not_before > now + AHEAD {
        return Err(refuse("it does not hold yet".to_owned()).hint("is the clock of this machine right? date -u"));
    }
    Ok(())
}

fn refused(host: &str, error: &CertificateError) -> Failure {
    let kind = if matches!(error, CertificateError::Io { .. }) { FailureKind::Machine } else { FailureKind::User };
    Failure::new(kind, format!("the certificate cannot serve {}", host.escape_debug()))
        .because(explain(error))
        .hint_if(error.hint())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_out_to(names: &[&str]) -> Summary {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        Summary { names, issuer: "x".into(), not_before: 1_000, not_after: 2_000 }
    }

    #[test]
    fn a_certificate_is_taken_for_the_names_and_the_time_that_it_is_made_out_for() {
        let summary = made_out_to(&["kaia.ai", "*.kaia.ai"]);
        for host in ["kaia.ai", "dev.kaia.ai", "*.kaia.ai"] {
            assert!(check(host, &summary, 1_500).is_ok(), "{host}");
        }
        for host in ["kaia.org", "a.dev.kaia.ai", "*.ai", "*.dev.kaia.ai"] {
            assert!(check(host, &summary, 1_500).is_err(), "{host}");
        }
        assert_eq!(check("kaia.ai", &summary, 2_000).unwrap_err().causes, ["it has expired"]);
        assert_eq!(check("kaia.ai", &summary, -400_000).unwrap_err().causes, ["it does not hold yet"]);
        assert!(check("kaia.ai", &summary, 900).is_ok(), "clocks differ");
    }

    #[test]
    fn only_public_hosts_with_a_certificate_are_for_https_alone() {
        let secured = Secured { certificates: vec![made_out_to(&["kaia.ai", "kaia.localhost", "*.localhost"])] };
        let hosts = ["kaia.ai", "dev.kaia.ai", "kaia.localhost", "a.localhost", "localhost"];
        assert_eq!(secured.hosts(&hosts.map(str::to_owned).into()), ["kaia.ai"]);
    }
}
