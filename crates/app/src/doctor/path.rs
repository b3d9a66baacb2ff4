//! The way of a request to an environment: name, certificate, route, answer. What stands before it (TCP, the proxy) and behind it (the
//! app, its servers) are checks of their own.

use ambit_domain::{
    Failure, ServiceRecord,
    diagnosis::{Check, Trouble},
    spec::Url,
};

use super::{
    Examined, Seen, ask,
    names::{Expected, judge, resolve},
    processes::reachable,
};
use crate::{
    address::Address,
    ambit::now,
    certificates::{CertificateStatus, Source},
};

/// A certificate that a person replaces is told of this many days before it expires.
const DAYS_BY_HAND: i64 = 14;
/// One that is renewed by itself was renewed long before, unless something is wrong.
const DAYS_RENEWED: i64 = 7;
const DAY: i64 = 24 * 3600 * 1000;

impl Examined<'_> {
    pub(super) async fn paths(&self) -> Result<Vec<Check>, Failure> {
        let mut checks = Vec::new();
        let public = matches!(self.seen.ambit.address()?, Address::Server(_));
        let expected = self.expected();
        for service in &self.record.services {
            let Some(url) = service.urls.first() else { continue };
            let mut before = vec!["proxy".to_owned(), format!("listen/{}", self.seen.ambit.listen()?)];
            for url in service.urls.iter().filter(|url| public && !url.host.ends_with(".localhost")) {
                let id = self.name(&format!("name/{}", url.host));
                let found = judge(&url.host, resolve(&url.host).await, &expected);
                checks.push(Check::new(id, format!("{} leads here", url.host), found));
            }
            let name = service.made_from.service.as_str();
            before.extend([self.name(name), "declaration".to_owned()]);
            let id = self.name(&format!("{name}/route"));
            let what = format!("{name} of {} is reached through the proxy", self.id.environment);
            checks.push(Check::new(id, what, self.through_proxy(service, url).await?).needs(before));
        }
        Ok(checks)
    }

    fn expected(&self) -> Expected {
        let cloudflare = self.seen.declaration.and_then(|d| d.project.providers.cloudflare.as_ref());
        let declared = cloudflare.and_then(|c| c.addresses.get(&self.id.environment)).cloned().unwrap_or_default();
        Expected { declared, own: ambit_host::addresses(), behind_cloudflare: cloudflare.is_some() }
    }

    async fn through_proxy(&self, service: &ServiceRecord, url: &Url) -> Result<Result<(), Trouble>, Failure> {
        let name = service.made_from.service.as_str();
        let environment = &self.id.environment;
        let route = format!("{}/{name}", self.id);
        if self.seen.figures.as_ref().is_some_and(|figures| figures.route(&route).is_none()) {
            let wrong = format!("the proxy has no route to {name} of {environment}");
            return Ok(Err(Trouble::new(wrong, "the proxy lists its routes", self.up())));
        }
        let listen = self.seen.ambit.listen()?;
        let host = Address::Here(listen).host(url);
        let health = self.app(name).and_then(|app| app.health.as_ref()).map_or("/", |health| health.path.as_str());
        let path = format!("{}{health}", url.path.trim_end_matches('/'));
        let answer = ask::ask(reachable(listen), "GET", &host, &path, &[]).await;
        let wrong = format!("{name} of {environment} is not reached through the proxy");
        Ok(match answer {
            Err(why) => Err(Trouble::new(wrong, why, "ambit upgrade --force")),
            // What an app answers to its own root is its business; that it is the proxy's error is not.
            Ok(answer) if answer.status >= 500 => {
                let seen = format!("GET http://{host}{path} answered {}", answer.status);
                Err(Trouble::new(wrong, seen, format!("ambit logs {name} -e {environment}")).and(self.up()))
            }
            Ok(_) => Ok(()),
        })
    }
}

impl Seen<'_> {
    /// Certificates of the hosts that the proxy takes TLS for.
    pub(super) async fn certificates(&self) -> Result<Vec<Check>, Failure> {
        let all = self.ambit.certificates().await?;
        if all.listen_tls.is_none() {
            return Ok(Vec::new());
        }
        let public = matches!(self.ambit.address()?, Address::Server(_));
        let looked_at = all.certificates.iter().filter(|status| public || status.certificate.is_some());
        let check = |status: &CertificateStatus| {
            let id = format!("certificate/{}", status.host);
            Check::new(id, format!("the certificate of {} is valid", status.host), valid(status)).needs(["clock"])
        };
        Ok(looked_at.map(check).collect())
    }
}

fn valid(status: &CertificateStatus) -> Result<(), Trouble> {
    let host = &status.host;
    let mend = match status.source {
        Source::Acme => format!("ambit certificate remove {host}   # another one is ordered at once"),
        Source::File | Source::None => format!("ambit certificate add {host} --cert FILE --key FILE"),
    };
    let seen = |what: &str| status.trouble.clone().unwrap_or_else(|| what.to_owned());
    let Some(certificate) = &status.certificate else {
        let wrong = format!("{host} has no certificate");
        return Err(Trouble::new(wrong, seen("none was added, and no authority is declared"), mend)
            .and("or let them be ordered: [tls] acme = \"you@example.org\" in ambit.toml, then ambit up"));
    };
    let left = certificate.not_after - now();
    if left <= 0 {
        let wrong = format!("the certificate of {host} has expired");
        return Err(Trouble::new(wrong, format!("it was valid until {}", day(certificate.not_after)), mend));
    }
    let early = if status.source == Source::Acme { DAYS_RENEWED } else { DAYS_BY_HAND };
    if left < early * DAY {
        let wrong = format!("the certificate of {host} expires in {} days", left / DAY);
        return Err(Trouble::new(wrong, seen(&format!("it is valid until {}", day(certificate.not_after))), mend));
    }
    match &status.trouble {
        Some(trouble) => {
            Err(Trouble::new(format!("the certificate of {host} is not served as it should"), trouble, mend))
        }
        None => Ok(()),
    }
}

fn day(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}
