//! Where the dashboard is found: on a loopback port that is chosen once, and through the proxy where a host was named for it.

use ambit_domain::{Actor, Failure, FailureKind, audit::Note};
use ambit_proxy::table::{Route, RouteState, Target};
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, store_failure},
    certificates::Secured,
};

/// The key under which its port is recorded.
const PORT: &str = "dashboard";
/// The setting that names its host.
const HOST: &str = "dashboard-host";
/// Its name on this machine. Not 127.0.0.1, whose cookies every port there would be shown.
const LOCAL: &str = "ambit.localhost";

/// Where the dashboard is wanted.
#[derive(Clone, Serialize, Deserialize)]
pub struct PlaceDashboard {
    /// On this loopback port; as before where nothing is said.
    pub port: Option<u16>,
    /// Under this host, through the proxy; under none where it is empty, as before where nothing is said.
    pub host: Option<String>,
    /// Who asks.
    pub actor: Actor,
}

/// Where to find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DashboardAddress {
    /// The loopback port.
    pub port: u16,
    /// The host that the proxy serves it under.
    pub host: Option<String>,
}

impl DashboardAddress {
    /// The address on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{LOCAL}:{}", self.port)
    }

    /// Whether somebody who asks for a host means it. A name that merely leads here is refused, so that no page elsewhere can
    /// have a browser take it for itself.
    #[must_use]
    pub fn is_called(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
            _ => host,
        };
        [LOCAL, "localhost", "127.0.0.1", "[::1]"]
            .into_iter()
            .chain(self.host.as_deref())
            .any(|known| known.eq_ignore_ascii_case(name))
    }
}

impl Ambit {
    /// Where the dashboard is found.
    pub fn dashboard(&self) -> Result<DashboardAddress, Failure> {
        Ok(DashboardAddress { port: self.port(PORT, None)?, host: self.dashboard_host()? })
    }

    /// Another port, where somebody else listens on the recorded one.
    pub async fn move_dashboard(&self) -> Result<DashboardAddress, Failure> {
        self.store.release_port(PORT).map_err(|e| store_failure(&e))?;
        self.publish_routes_if_served().await?;
        self.dashboard()
    }

    /// Puts it where somebody wants it.
    pub async fn place_dashboard(&self, request: &PlaceDashboard) -> Result<DashboardAddress, Failure> {
        let before = self.dashboard()?;
        if let Some(host) = &request.host {
            self.check_dashboard_host(host)?;
            self.store.set_setting(HOST, &host.to_ascii_lowercase()).map_err(|e| store_failure(&e))?;
        }
        self.port(PORT, request.port)?;
        let after = self.dashboard()?;
        if after != before {
            self.publish_routes_if_served().await?;
            let note = Note::of_machine(&request.actor, "dashboard.moved").about("port", u64::from(after.port));
            self.note(note.about("host", after.host.as_deref().unwrap_or_default()))?;
        }
        Ok(after)
    }

    fn check_dashboard_host(&self, host: &str) -> Result<(), Failure> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && !label.starts_with('-')
        };
        if !host.is_empty() && (host.len() > 253 || !host.contains('.') || !host.split('.').all(label)) {
            return Err(Failure::new(FailureKind::User, format!("`{}` is no host name", host.escape_debug())));
        }
        let same = |known: &str| known.eq_ignore_ascii_case(host);
        let all = self.store.environments().map_err(|e| store_failure(&e))?;
        let taken = all.into_iter().find(|(_, record)| {
            record.services.iter().flat_map(|s| &s.urls).any(|url| same(&url.host) || same(&url.local_host))
        });
        match taken {
            Some((id, _)) => Err(Failure::new(FailureKind::User, format!("{id} is reached by {host} already"))),
            None => Ok(()),
        }
    }

    fn dashboard_host(&self) -> Result<Option<String>, Failure> {
        Ok(self.store.setting(HOST).map_err(|e| store_failure(&e))?.filter(|host| !host.is_empty()))
    }

    pub(crate) fn dashboard_route(&self, secured: &Secured) -> Result<Option<Route>, Failure> {
        let Some(host) = self.dashboard_host()? else { return Ok(None) };
        Ok(Some(Route {
            id: "dashboard".to_owned(),
            https: secured.hosts(&[host.clone()].into()),
            hosts: vec![host],
            path: "/".to_owned(),
            target: Target::App { upstreams: vec![([127, 0, 0, 1], self.port(PORT, None)?).into()] },
            noindex: true,
            environment: "dashboard".to_owned(),
            hsts: false,
            state: RouteState::Serving,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_names_lead_to_it() {
        let address = DashboardAddress { port: 7000, host: Some("ambit.kaia.ai".into()) };
        for own in ["ambit.localhost:7000", "127.0.0.1:7000", "localhost", "[::1]:7000", "Ambit.Kaia.AI"] {
            assert!(address.is_called(own), "{own}");
        }
        for other in ["", "evil.example", "evil.example:7000", "ambit.localhost.evil.example", "10.0.0.1:7000"] {
            assert!(!address.is_called(other), "{other}");
        }
    }
}
