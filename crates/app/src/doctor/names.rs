//! Where a public name leads, and whether that is here.

use std::{net::IpAddr, time::Duration};

use ambit_domain::diagnosis::Trouble;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(5);

/// Where names should lead.
pub(super) struct Expected {
    /// Addresses that ambit.toml declares.
    pub(super) declared: Vec<IpAddr>,
    /// Addresses of this machine.
    pub(super) own: Vec<IpAddr>,
    /// Whether a zone at Cloudflare is declared, whose own addresses may stand before this machine.
    pub(super) behind_cloudflare: bool,
}

/// The addresses that the system's resolver gives for a name.
pub(super) async fn resolve(host: &str) -> Result<Vec<IpAddr>, String> {
    match timeout(PATIENCE, tokio::net::lookup_host((host, 443))).await {
        Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

/// What an answer of the resolver means.
pub(super) fn judge(host: &str, answer: Result<Vec<IpAddr>, String>, expected: &Expected) -> Result<(), Trouble> {
    let mend = if expected.behind_cloudflare {
        "ambit apply --only dns".to_owned()
    } else {
        "ambit dns --zone-file prints the records that the zone has to hold".to_owned()
    };
    let leads = match answer {
        Err(why) => return Err(Trouble::new(format!("the name {host} leads nowhere"), format!("DNS: {why}"), mend)),
        Ok(leads) if leads.is_empty() => {
            return Err(Trouble::new(format!("the name {host} leads nowhere"), "DNS: it has no address", mend));
        }
        Ok(leads) => leads,
    };
    let wanted = if expected.declared.is_empty() { &expected.own } else { &expected.declared };
    // Behind another's proxy or address translation nobody here can know which address is right.
    let unknowable = expected.behind_cloudflare || (expected.declared.is_empty() && !wanted.iter().any(is_public));
    if unknowable || leads.iter().any(|address| wanted.contains(address) || expected.own.contains(address)) {
        return Ok(());
    }
    let shown = |all: &[IpAddr]| all.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    let public: Vec<IpAddr> = wanted.iter().filter(|address| is_public(address)).copied().collect();
    let seen = format!("DNS: it leads to {}, and should lead to {}", shown(&leads), shown(&public));
    Err(Trouble::new(format!("the name {host} leads elsewhere"), seen, mend))
}

fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()),
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(addresses: &[&str]) -> Vec<IpAddr> {
        addresses.iter().map(|a| a.parse().unwrap()).collect()
    }

    fn judged(
        answer: Result<&[&str], &str>,
        declared: &[&str],
        own: &[&str],
        behind_cloudflare: bool,
    ) -> Option<String> {
        let expected = Expected { declared: at(declared), own: at(own), behind_cloudflare };
        judge("api.kaia.ai", answer.map(at).map_err(str::to_owned), &expected).err().map(|trouble| trouble.wrong)
    }

    #[test]
    fn a_name_leads_here_elsewhere_or_nowhere() {
        let elsewhere = Some("the name api.kaia.ai leads elsewhere".to_owned());
        let nowhere = Some("the name api.kaia.ai leads nowhere".to_owned());
        assert_eq!(judged(Ok(&["198.51.100.7"]), &[], &["198.51.100.7", "10.0.0.2"], false), None);
        assert_eq!(judged(Ok(&["203.0.113.9"]), &[], &["198.51.100.7"], false), elsewhere);
        assert_eq!(judged(Ok(&["203.0.113.9"]), &["203.0.113.9"], &["10.0.0.2"], false), None);
        assert_eq!(judged(Ok(&["198.51.100.8"]), &["203.0.113.9"], &["10.0.0.2"], false), elsewhere);
        assert_eq!(judged(Ok(&[]), &[], &[], false), nowhere);
        assert_eq!(judged(Err("NXDOMAIN"), &[], &[], true), nowhere);
    }

    #[test]
    fn behind_address_translation_or_cloudflare_any_address_may_be_right() {
        assert_eq!(judged(Ok(&["203.0.113.9"]), &[], &["10.0.0.2", "fd00::1"], false), None);
        assert_eq!(judged(Ok(&["203.0.113.9"]), &["198.51.100.7"], &[], true), None);
    }
}
