//! Ambit's own processes: the daemon, the proxy and the keepers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ambit_domain::{
    Failure, Wanted,
    diagnosis::{Check, Trouble},
};
use ambit_proxy::client::ClientError;

use super::{DaemonSeen, Seen, ask, told};

impl Seen<'_> {
    pub(super) async fn processes(&self) -> Result<Vec<Check>, Failure> {
        if !self.environments.iter().any(|(_, record)| record.wanted == Wanted::Running) {
            return Ok(Vec::new());
        }
        let daemon = Check::new("daemon", "the daemon runs", self.daemon()).needs(["state"]);
        Ok([vec![daemon], self.proxy().await?].concat())
    }

    fn daemon(&self) -> Result<(), Trouble> {
        match &self.patient.daemon {
            DaemonSeen::Answers => Ok(()),
            DaemonSeen::OfAnotherProgram => Err(Trouble::new(
                "the daemon is of another version than this program",
                "it says which program it is",
                "ambit upgrade",
            )),
            DaemonSeen::Missing(why) => Err(Trouble::new(
                "the daemon does not run: nothing is deployed, backed up or started again",
                why.clone(),
                "ambit upgrade",
            )),
        }
    }

    /// The proxy, and the address at which people find it.
    async fn proxy(&self) -> Result<Vec<Check>, Failure> {
        let listen = self.ambit.listen()?;
        let health = ambit_proxy::client::health(&self.ambit.home.proxy()).await;
        let up = self.up_all();
        let runs = match &health {
            Ok(_) => Ok(()),
            Err(ClientError::NotRunning(_)) => match self.ambit.host.check_address(listen) {
                Ok(()) => Err(Trouble::new("the proxy does not run", "nobody answers on its socket", up.clone())),
                // Why it does not run: somebody else has its place.
                Err(failure) => {
                    let another = format!("ambit up --listen {}", SocketAddr::new(listen.ip(), next(listen.port())));
                    let trouble = told(&failure, "the address was tried");
                    Err(Trouble { mend: vec![format!("stop what listens there, then {up}"), another], ..trouble })
                }
            },
            Err(error) => Err(Trouble::new("the proxy does not answer", error.to_string(), "ambit upgrade --force")),
        };
        let mut checks = vec![Check::new("proxy", "the proxy runs", runs)];
        let addresses = [Some(listen), self.ambit.listen_tls()?];
        for address in addresses.into_iter().flatten() {
            let reached = ask::connect(reachable(address)).await.map(drop).map_err(|error| {
                Trouble::new(format!("nothing listens on {address}"), format!("TCP: {error}"), up.clone())
            });
            let id = format!("listen/{address}");
            checks.push(Check::new(id, format!("TCP connections to {address}"), reached).needs(["proxy"]));
        }
        Ok(checks)
    }

    /// Brings up what should run.
    fn up_all(&self) -> String {
        let running = self.environments.iter().filter(|(_, record)| record.wanted == Wanted::Running);
        let names: Vec<&str> = running.map(|(id, _)| id.environment.as_str()).collect();
        format!("ambit up {}", names.join(" "))
    }
}

/// The address at which this machine itself reaches one that listens everywhere.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() { SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port()) } else { listen }
}

fn next(port: u16) -> u16 {
    match port {
        80 => 8080,
        443 => 8443,
        other => other.checked_add(1).unwrap_or(8080),
    }
}
