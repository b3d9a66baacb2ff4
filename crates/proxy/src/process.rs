//! A proxy from its start to its end.

use std::{future::Future, io, rc::Rc, sync::Arc, thread, time::Duration};

use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    sync::{Mutex, mpsc},
};

use crate::{
    Config, Error,
    control::{self, Control},
    folder::{Folder, LOCK, SOCKET},
    listen::Listeners,
    lock::{Holder, Lock, Taken},
    registry::Registry,
    table::RoutingTable,
    tls::Tls,
    worker::{self, Command, Plan},
};

/// Runs a proxy until SIGTERM or SIGINT, and then until what is in flight has finished. Builds its own runtimes.
pub fn run(config: Config) -> Result<(), Error> {
    let prepared = Prepared::new(config)?;
    prepared.serve(async {
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, "cannot wait for signals");
                std::future::pending().await
            }
        }
    })
}

/// A proxy that holds its folder and its addresses: whatever can fail at the start has not failed.
pub struct Prepared {
    config: Config,
    folder: Arc<Folder>,
    lock: Lock,
    holder: Holder,
    table: Arc<RoutingTable>,
    listeners: Listeners,
    tls: Option<Arc<Tls>>,
    control: std::os::fd::OwnedFd,
}

impl Prepared {
    /// Takes the folder's lock, reads the table, binds every address and gives up root's rights where told to.
    pub fn new(mut config: Config) -> Result<Self, Error> {
        if config.listen.is_empty() && config.listen_tls.is_empty() {
            return Err(Error::Nothing("no address to listen on"));
        }
        config.threads = config.threads.clamp(1, 256);
        let at = |what, name: &str| {
            let path = config.folder.join(name);
            move |source| Error::Folder { what, path, source }
        };
        let folder = Folder::open(&config.folder).map_err(at("cannot open", ""))?;
        let mut lock = match Lock::take(&folder).map_err(at("cannot lock", LOCK))? {
            Ok(lock) => lock,
            Err(Taken(holder)) => {
                return Err(Error::AlreadyRuns { folder: config.folder, pid: holder.map(|h| h.pid) });
            }
        };
        let table = control::load(&folder)?;
        let listeners = Listeners::bind(&config.listen, &config.listen_tls, config.threads)?;
        let control = control::bind(&folder).map_err(at("cannot listen on", SOCKET))?;
        let holder = Holder {
            pid: std::process::id(),
            listen: listeners.addresses.clone(),
            listen_tls: listeners.tls_addresses.clone(),
        };
        lock.write(&holder).map_err(at("cannot write", LOCK))?;
        if let Some((uid, gid)) = config.user
            && rustix::process::geteuid().is_root()
        {
            folder.give(uid, gid).map_err(at("cannot hand over", ""))?;
            become_user(uid, gid).map_err(|source| Error::System { what: "cannot give up root's rights", source })?;
        }
        let tls = if listeners.tls_addresses.is_empty() { None } else { Some(Arc::new(Tls::new()?)) };
        if let Some(tls) = &tls {
            // As the user that it has become, so that what it reads now it can also read when told to reload.
            tls.reload(&folder);
        }
        Ok(Self { config, folder: Arc::new(folder), lock, holder, table: Arc::new(table), listeners, tls, control })
    }

    /// Where it will answer.
    #[must_use]
    pub fn addresses(&self) -> &[std::net::SocketAddr] {
        &self.listeners.addresses
    }

    /// Where it will answer over TLS.
    #[must_use]
    pub fn tls_addresses(&self) -> &[std::net::SocketAddr] {
        &self.listeners.tls_addresses
    }

    /// Serves until `stop` resolves and what is in flight then has finished.
    pub fn serve(self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let Self { config, folder, lock, holder, table, listeners, tls, control } = self;
        let system = |what| move |source| Error::System { what, source };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build_local(tokio::runtime::LocalOptions::default())
            .map_err(system("cannot start"))?;
        let registry = Arc::new(Registry::default());
        registry.in_force(&table);
        let max_connections = max_connections(config.threads);
        let (ended, mut endings) = mpsc::unbounded_channel();
        let https_port = listeners.tls_addresses.first().map(std::net::SocketAddr::port);
        let mut workers = Vec::new();
        let mut threads = Vec::new();
        for (number, listeners) in listeners.of_worker.into_iter().enumerate() {
            let (sender, commands) = mpsc::unbounded_channel();
            let plan = Plan {
                number,
                limits: config.limits.clone(),
                registry: Arc::clone(&registry),
                table: Arc::clone(&table),
                folder: Arc::clone(&folder),
                listeners,
                tls: tls.as_ref().map(|tls| tls.acceptor()),
                https_port,
                max_connections,
            };
            let ended = ended.clone();
            let thread = thread::Builder::new()
                .name(format!("worker-{number}"))
                .stack_size(1 << 20)
                .spawn(move || {
                    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| worker::run(plan, commands)));
                    let well = match result {
                        Ok(Ok(())) => true,
                        Ok(Err(error)) => {
                            tracing::error!(%error, number, "a worker ended");
                            false
                        }
                        Err(_) => false,
                    };
                    // Nobody waits any more only when the process ends.
                    let _ = ended.send(well);
                })
                .map_err(system("cannot start a worker"))?;
            workers.push(sender);
            threads.push(thread);
        }
        tracing::info!(
            listen = ?holder.listen, listen_tls = ?holder.listen_tls, routes = table.routes.len(),
            workers = workers.len(), pid = holder.pid, "the proxy serves"
        );
        let routes = Mutex::new(table.routes.len());
        drop(table);
        let control_state =
            Rc::new(Control { folder: Arc::clone(&folder), holder, registry, tls, workers: workers.clone(), routes });
        let result = runtime.block_on(async {
            let listener = UnixListener::from_std(control.into()).map_err(system("cannot serve the control socket"))?;
            let control = tokio::task::spawn_local(control::listen(control_state, listener));
            tokio::select! {
                () = stop => {}
                _ = endings.recv() => return Err(Error::WorkerEnded),
            }
            tracing::info!("told to stop: finishing what is in flight");
            for worker in &workers {
                let _ = worker.send(Command::Stop);
            }
            let mut well = true;
            for _ in &threads {
                well &= endings.recv().await.unwrap_or(false);
            }
            // Until here, so that a drain can be watched.
            control.abort();
            if well { Ok(()) } else { Err(Error::WorkerEnded) }
        });
        if result.is_ok() {
            for thread in threads {
                // It caught its own panics.
                let _ = thread.join();
            }
            if let Err(error) = folder.remove(SOCKET) {
                tracing::warn!(%error, "the control socket stays behind");
            }
        }
        runtime.shutdown_timeout(Duration::ZERO);
        drop(lock);
        tracing::info!("the proxy has ended");
        result
    }
}

/// For the whole process, before there is a second thread.
fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    let (uid, gid) = (nix::unistd::Uid::from_raw(uid), nix::unistd::Gid::from_raw(gid));
    nix::unistd::setgroups(&[gid])?;
    nix::unistd::setresgid(gid, gid, gid)?;
    nix::unistd::setresuid(uid, uid, uid)?;
    Ok(())
}

/// As many as there are file descriptors for: one for the client and one for the app.
fn max_connections(workers: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(1 << 16).min(1 << 16);
    if limit.current.is_some_and(|current| current < wanted) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(wanted).min(1 << 16);
    (usize::try_from(files).unwrap_or(1024).saturating_sub(64) / 2 / workers).max(16)
}
