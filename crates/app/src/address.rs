//! How people reach a service: the public address that the file declares, and the same place on this machine.

use std::net::SocketAddr;

use ambit_domain::spec::Url;

/// Which of its two addresses a service is named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// As declared: `https://dev.kaia.ai`.
    Public,
    /// On this machine, through the proxy at this address: `http://dev.kaia.localhost:8080`.
    Here(SocketAddr),
    /// On a machine that serves the world by TLS: as declared, and names under `.localhost` as here.
    Server(SocketAddr),
}

impl Address {
    fn of(self, url: &Url) -> Self {
        match self {
            Self::Server(proxy) if url.host.ends_with(".localhost") => Self::Here(proxy),
            other => other,
        }
    }

    /// Host name, with the port where it is not the scheme's own.
    #[must_use]
    pub fn host(self, url: &Url) -> String {
        match self.of(url) {
            Self::Public | Self::Server(_) => url.host.clone(),
            Self::Here(proxy) if proxy.port() == 80 => url.local_host.clone(),
            Self::Here(proxy) => format!("{}:{}", url.local_host, proxy.port()),
        }
    }

    /// The whole URL, without a slash at the end.
    #[must_use]
    pub fn url(self, url: &Url) -> String {
        let scheme = match self.of(url) {
            Self::Public | Self::Server(_) => "https",
            Self::Here(_) => "http",
        };
        format!("{scheme}://{}{}", self.host(url), url.path.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docs() -> Url {
        Url { host: "dev.kaia.ai".into(), local_host: "dev.kaia.localhost".into(), path: "/docs".into() }
    }

    #[test]
    fn the_public_address_is_https_on_the_declared_domain() {
        assert_eq!(Address::Public.url(&docs()), "https://dev.kaia.ai/docs");
    }

    #[test]
    fn a_server_is_reached_by_its_public_names_where_it_has_some() {
        let server = Address::Server(SocketAddr::from(([0, 0, 0, 0], 80)));
        assert_eq!(server.url(&docs()), "https://dev.kaia.ai/docs");
        let local =
            Url { host: "dev.shop.localhost".into(), local_host: "dev.shop.localhost".into(), path: "/".into() };
        assert_eq!(server.url(&local), "http://dev.shop.localhost");
    }

    #[test]
    fn the_address_here_names_the_proxys_port_unless_it_is_80() {
        let at = |port| Address::Here(SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(at(8080).url(&docs()), "http://dev.kaia.localhost:8080/docs");
        assert_eq!(at(80).url(&docs()), "http://dev.kaia.localhost/docs");
    }
}
