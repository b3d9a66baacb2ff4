//! TLS in front of the same HTTP: which certificate a client gets, and handshakes that cannot be held open for long.
//!
//! One configuration for all workers, so that a client may resume with any of them. A lock is taken once a handshake, to
//! find the certificates in force, and never on the way of a request.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, PoisonError, RwLock},
    task::Poll,
    time::Duration,
};

use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    Error,
    certificates::{self, Certificate, Summary},
    connection::Connection,
    error::explain,
    folder::Folder,
};

/// A certificate as a proxy serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// Its file's name.
    pub name: String,
    /// What it says of itself; none if there never was one that could be read.
    pub certificate: Option<Summary>,
    /// Why the file as it lies there is not used; the one before it still is, where there was one.
    pub problem: Option<String>,
}

/// The certificates in force.
#[derive(Default)]
struct InForce {
    files: Vec<(Served, Option<Arc<CertifiedKey>>)>,
    by_name: HashMap<Box<str>, Arc<CertifiedKey>>,
}

impl InForce {
    fn new(files: Vec<(Served, Option<Arc<CertifiedKey>>)>) -> Self {
        let mut by_name: HashMap<Box<str>, Arc<CertifiedKey>> = HashMap::new();
        // Two for one name: the one that is kept under it goes first, then the first file, always the same.
        for own in [true, false] {
            for (served, key) in &files {
                let (Some(certificate), Some(key)) = (&served.certificate, key) else { continue };
                for name in certificate.names.iter().filter(|name| (**name == served.name) == own) {
                    by_name.entry(name.as_str().into()).or_insert_with(|| Arc::clone(key));
                }
            }
        }
        Self { files, by_name }
    }

    fn find(&self, host: &str) -> Option<&Arc<CertifiedKey>> {
        self.by_name.get(host).or_else(|| {
            let (_, rest) = host.split_once('.')?;
            self.by_name.get(format!("*.{rest}").as_str())
        })
    }
}

/// What all handshakes of a proxy share.
pub(crate) struct Tls {
    config: Arc<ServerConfig>,
    chooser: Arc<Chooser>,
}

#[derive(Default)]
struct Chooser(RwLock<Arc<InForce>>);

impl Chooser {
    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Chooser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.in_force().by_name.keys()).finish()
    }
}

impl ResolvesServerCert for Chooser {
    /// None ends the handshake: nobody learns from it what else is served here.
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = client.server_name()?.to_ascii_lowercase();
        self.in_force().find(&host).cloned()
    }
}

impl Tls {
    pub(crate) fn new() -> Result<Self, Error> {
        let failed = |source: rustls::Error| Error::Tls(source);
        let chooser = Arc::new(Chooser::default());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(failed)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&chooser) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(failed)?;
        Ok(Self { config: Arc::new(config), chooser })
    }

    /// Puts the certificates of the folder in force. A file that cannot be used leaves the one before it in force; one
    /// that is gone is no longer served.
    pub(crate) fn reload(&self, folder: &Folder) {
        let before = self.chooser.in_force();
        let listed = match certificates::list_in(folder) {
            Ok(listed) => listed,
            Err(error) => {
                return tracing::error!(error = explain(&error), "the certificates before stay in force");
            }
        };
        let files = listed
            .into_iter()
            .map(|file| match file.certificate {
                Ok(Certificate { summary, key }) => {
                    (Served { name: file.name, certificate: Some(summary), problem: None }, Some(key))
                }
                Err(error) => {
                    let problem = explain(&error);
                    tracing::error!(name = file.name, error = problem, "a certificate is refused");
                    let (certificate, key) = before
                        .files
                        .iter()
                        .find(|(served, _)| served.name == file.name)
                        .map_or((None, None), |(served, key)| (served.certificate.clone(), key.clone()));
                    (Served { name: file.name, certificate, problem: Some(problem) }, key)
                }
            })
            .collect();
        *self.chooser.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(InForce::new(files));
    }

    /// What is in force, in alphabetical order.
    pub(crate) fn served(&self) -> Vec<Served> {
        self.chooser.in_force().files.iter().map(|(served, _)| served.clone()).collect()
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

/// The handshakes that are under way on one worker, oldest first.
#[derive(Default)]
pub(crate) struct Handshakes {
    open: RefCell<BTreeMap<u64, Arc<Connection>>>,
    next: Cell<u64>,
}

impl Handshakes {
    /// Shakes hands, within a time. Beyond the bound the oldest handshake has to go: honest ones are over in an instant,
    /// and who holds many open does not keep others out.
    pub(crate) async fn shake(
        &self,
        acceptor: &TlsAcceptor,
        socket: TcpStream,
        connection: &Arc<Connection>,
        within: Duration,
        most: usize,
    ) -> Option<TlsStream<TcpStream>> {
        struct UnderWay<'a>(&'a Handshakes, u64);
        impl Drop for UnderWay<'_> {
            fn drop(&mut self) {
                self.0.open.borrow_mut().remove(&self.1);
            }
        }

        let number = self.next.replace(self.next.get() + 1);
        self.open.borrow_mut().insert(number, Arc::clone(connection));
        let _under_way = UnderWay(self, number);
        let oldest = if self.open.borrow().len() > most { self.open.borrow_mut().pop_first() } else { None };
        if let Some((_, oldest)) = oldest {
            oldest.close_now();
        }
        let mut accepted = acceptor.accept(socket);
        let accepted = std::future::poll_fn(|cx| {
            connection.driven_by(cx);
            if connection.must_close() || connection.is_closing() {
                return Poll::Ready(None);
            }
            std::pin::Pin::new(&mut accepted).poll(cx).map(Some)
        });
        match tokio::time::timeout(within, accepted).await {
            Ok(Some(Ok(stream))) => Some(stream),
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, "no handshake");
                None
            }
            Ok(None) => None,
            Err(_) => {
                tracing::debug!("a handshake took too long");
                None
            }
        }
    }
}
