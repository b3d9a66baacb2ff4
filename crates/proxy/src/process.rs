//! A proxy from its start to its end.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    os::fd::OwnedFd,
    pin::pin,
    rc::Rc,
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    sync::{Mutex, mpsc},
};

use crate::{
    Config, Error,
    control::{self, Control, Serving},
    folder::{Folder, LOCK, SOCKET},
    handover::{self, Conversation, Handed},
    listen::Listeners,
    lock::{Holder, Lock, Taken},
    names::Names,
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
    names: Names,
    control: OwnedFd,
    /// With the proxy to take over from, where there is one.
    conversation: Option<Conversation>,
}

impl Prepared {
    /// Takes the folder's lock and binds every address, or takes both over; gives up root's rights where told to, and reads
    /// the table.
    pub fn new(mut config: Config) -> Result<Self, Error> {
        if config.listen.is_empty() && config.listen_tls.is_empty() {
            return Err(Error::Nothing("no address to listen on"));
        }
        config.threads = config.threads.clamp(1, 256);
        let at = |what, name: &str| {
            let path = config.folder.join(name);
            move |source| Error::Folder { what, path, source }
        };
        let folder = Arc::new(Folder::open(&config.folder).map_err(at("cannot open", ""))?);
        let handed = if config.take_over {
            let failed = |source| Error::TakeOver { folder: config.folder.clone(), source };
            handover::ask(&folder).map_err(failed)?
        } else {
            None
        };
        let (mut lock, handed, conversation) = match handed {
            Some(Handed { lock, listeners, conversation }) => (lock, listeners, Some(conversation)),
            None => match Lock::take(&folder).map_err(at("cannot lock", LOCK))? {
                Ok(lock) => (lock, Vec::new(), None),
                Err(Taken(holder)) => {
                    return Err(Error::AlreadyRuns { folder: config.folder, pid: holder.map(|h| h.pid) });
                }
            },
        };
        let listeners = Listeners::new(&config.listen, &config.listen_tls, config.threads, handed)?;
        let holder = Holder {
            pid: std::process::id(),
            listen: listeners.addresses.clone(),
            listen_tls: listeners.tls_addresses.clone(),
        };
        let (names, control) = Names::bind(Arc::clone(&folder)).map_err(at("cannot listen on", SOCKET))?;
        if conversation.is_none() {
            names.publish().map_err(at("cannot listen on", SOCKET))?;
            lock.write(&holder).map_err(at("cannot write", LOCK))?;
        }
        if let Some((uid, gid)) = config.user
            && rustix::process::geteuid().is_root()
        {
            folder.give(uid, gid, names.own()).map_err(at("cannot hand over", ""))?;
            become_user(uid, gid).map_err(|source| Error::System { what: "cannot give up root's rights", source })?;
        }
        // Only now that it has a name under which it is told of changes.
        let table = Arc::new(control::load(&folder)?);
        let tls = if listeners.tls_addresses.is_empty() { None } else { Some(Arc::new(Tls::new()?)) };
        if let Some(tls) = &tls {
            // As the user that it has become, so that what it reads now it can also read when told to reload.
            tls.reload(&folder);
        }
        Ok(Self { config, folder, lock, holder, table, listeners, tls, names, control, conversation })
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
        let Self { config, folder, lock, holder, table, listeners, tls, names, control, conversation } = self;
        let system = |what| move |source| Error::System { what, source };
        let copies = listeners.copies().map_err(system("cannot copy the listening sockets"))?;
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
        let state = Rc::new(Control {
            folder: Arc::clone(&folder),
            holder,
            registry,
            tls,
            workers: workers.clone(),
            routes: Mutex::new(table.routes.len()),
            names,
            serving: RefCell::new(Some(Serving { lock, listeners: copies })),
            handing_over: Cell::new(false),
        });
        drop(table);
        let result = runtime.block_on(async {
            let listener = UnixListener::from_std(control.into()).map_err(system("cannot serve the control socket"))?;
            let control = tokio::task::spawn_local(control::listen(Rc::clone(&state), listener));
            let mut take_over = pin!(async {
                if let Some(conversation) = conversation {
                    state.serve_by_name()?;
                    handover::retire_other(conversation, &folder).await?;
                }
                Ok(())
            });
            let mut stop = pin!(stop);
            let (mut taken_over, mut well, mut left) = (false, true, threads.len());
            while left > 0 {
                tokio::select! {
                    result = &mut take_over, if !taken_over => {
                        result.map_err(|source| Error::TakeOver { folder: config.folder.clone(), source })?;
                        taken_over = true;
                    }
                    () = &mut stop => break,
                    ended = endings.recv() => {
                        if !state.is_retired() {
                            return Err(Error::WorkerEnded);
                        }
                        well &= ended.unwrap_or(false);
                        left -= 1;
                    }
                }
            }
            if left > 0 {
                tracing::info!("told to stop: finishing what is in flight");
                if let Some(serving) = &mut *state.serving.borrow_mut() {
                    serving.listeners.clear();
                }
                for worker in &workers {
                    let _ = worker.send(Command::Stop);
                }
                for _ in 0..left {
                    well &= endings.recv().await.unwrap_or(false);
                }
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
        }
        runtime.shutdown_timeout(Duration::ZERO);
        // The lock goes last: the next proxy finds no names that are about to go.
        let serving = state.serving.take();
        drop(state);
        drop(serving);
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
