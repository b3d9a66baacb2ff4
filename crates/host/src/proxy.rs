//! The proxy's process. It is held by a keeper like any other, so that it comes back even while the daemon is gone.

use std::{
    fs::{self, Permissions},
    io,
    net::{SocketAddr, TcpListener},
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    time::{Duration, Instant},
};

use ambit_domain::{Failure, FailureKind};
use ambit_keeper::{FORMAT, Limits, Spec, StopSignal, client};
use futures_util::future::join_all;

use crate::{
    Host,
    machine::{blocking, cannot, failed, record_failure},
    ports,
    proxy_records::ProxyRecord,
};

/// How long a proxy may take until it serves.
const START: Duration = Duration::from_secs(10);

impl Host {
    /// Makes the folders that the proxy reads: nobody but its user enters them.
    pub fn proxy_folders(&self) -> Result<Option<(u32, u32)>, Failure> {
        let user = self.proxy_user()?;
        for folder in [self.home.proxy(), self.home.root().join("sites")] {
            fs::create_dir_all(&folder).map_err(cannot("make", &folder))?;
            if let Some((_, gid)) = user {
                chown(&folder, None, Some(gid)).map_err(cannot("give away", &folder))?;
                // What is made within belongs to the same group (set-group-id on a folder, inode(7)).
                fs::set_permissions(&folder, Permissions::from_mode(0o2750)).map_err(cannot("close", &folder))?;
            } else {
                fs::set_permissions(&folder, Permissions::from_mode(0o700)).map_err(cannot("close", &folder))?;
            }
        }
        Ok(user)
    }

    /// Fails where nothing can listen, so that a proxy that serves is not stopped for an address that it cannot have.
    pub fn check_address(&self, address: SocketAddr) -> Result<(), Failure> {
        let Err(error) = TcpListener::bind(address) else { return Ok(()) };
        let failure = Failure::new(FailureKind::Machine, format!("the proxy cannot listen on {address}"));
        Err(match error.kind() {
            io::ErrorKind::AddrInUse => failure
                .because(format!("{} listens there", ports::holder(address.port())))
                .hint("stop it, or take another port"),
            io::ErrorKind::PermissionDenied => failure
                .because(error.to_string())
                .hint("ports below 1024 need root or CAP_NET_BIND_SERVICE; 127.0.0.1:8443 does not"),
            _ => failure.because(error.to_string()).hint("is it an address of this machine? ip addr"),
        })
    }

    /// Starts the proxy where it does not run; returns when its keeper has it.
    pub async fn start_proxy(&self, listen: SocketAddr, listen_tls: Option<SocketAddr>) -> Result<(), Failure> {
        let _alone = self.proxy.lock().await;
        let record = self.present_proxy().await?;
        self.start_in(record, listen, listen_tls).await
    }

    async fn start_in(
        &self,
        record: ProxyRecord,
        listen: SocketAddr,
        listen_tls: Option<SocketAddr>,
    ) -> Result<(), Failure> {
        let user = self.proxy_folders()?;
        let runs = client::keeper(&record.folder).is_some() || self.serving_proxy().await.is_some();
        for (address, hint) in [
            (Some(listen), "stop it, or take another port: ambit up --listen 127.0.0.1:8081"),
            (listen_tls, "stop it, or take another port: ambit up --listen-tls 127.0.0.1:8443"),
        ] {
            let Some(address) = address else { continue };
            if !runs && !ports::is_free(address.port()) {
                return Err(Failure::new(FailureKind::Machine, format!("the proxy cannot listen on {address}"))
                    .because(format!("{} listens there", ports::holder(address.port())))
                    .hint(hint));
            }
        }
        let spec = self.proxy_spec(&record, listen, listen_tls, user);
        let (program, record) = (self.program.clone(), record.folder);
        blocking(move || {
            client::write_spec(&record, &spec).map_err(record_failure)?;
            client::ensure(&program, &record).map_err(|e| failed("the proxy cannot be started", &e))?;
            let until = Instant::now() + START;
            let answers =
                |address: &SocketAddr| std::net::TcpStream::connect_timeout(address, Duration::from_secs(1)).is_ok();
            while !answers(&listen) || !listen_tls.as_ref().is_none_or(answers) {
                if gave_up(&record) || Instant::now() > until {
                    return Err(does_not_start(&record));
                }
                std::thread::sleep(Duration::from_millis(3));
            }
            Ok(())
        })
        .await?;
        // It listens for people before it can be told anything; who started it tells it its routes next.
        let until = Instant::now() + START;
        while ambit_proxy::client::health(&self.home.proxy()).await.is_err() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        Ok(())
    }

    /// Replaces the proxy by one that executes the program as it lies there now. No connection is refused: the new one takes
    /// over from the old one, which finishes what it has begun. Where that fails, the old one goes on.
    ///
    /// Only one record at a time says that its proxy is to be started again, or two would take over from each other for ever:
    /// first the old one is let go, then the new one is written. After a crash in between nothing has changed but that, and
    /// [`Self::present_proxy`] takes it back. After a crash later the new one's keeper goes on with it.
    pub async fn upgrade_proxy(&self, listen: SocketAddr, listen_tls: Option<SocketAddr>) -> Result<(), Failure> {
        let _alone = self.proxy.lock().await;
        let old = self.present_proxy().await?;
        if client::keeper(&old.folder).is_none() {
            return self.start_in(old, listen, listen_tls).await;
        }
        let user = self.proxy_folders()?;
        let new = self.next_proxy();
        client::let_end(&old.folder).map_err(record_failure)?;
        let (spec, program, folder) =
            (self.proxy_spec(&new, listen, listen_tls, user), self.program.clone(), new.folder.clone());
        let started = blocking(move || {
            client::write_spec(&folder, &spec).map_err(record_failure)?;
            client::ensure(&program, &folder).map_err(|e| failed("the proxy cannot be started", &e))
        })
        .await;
        let result = match started {
            Ok(()) => self.until_serving(&new.folder).await,
            Err(failure) => Err(failure),
        };
        let Err(failure) = result else { return Ok(()) };
        let program = self.program.clone();
        blocking(move || {
            client::stop(&program, &new.folder).map_err(record_failure)?;
            fs::remove_dir_all(&new.folder).map_err(cannot("delete", &new.folder))?;
            client::keep(&program, &old.folder).map_err(record_failure)
        })
        .await?;
        Err(failure.hint("the proxy before goes on"))
    }

    async fn until_serving(&self, record: &Path) -> Result<(), Failure> {
        let until = Instant::now() + START;
        loop {
            let held = client::state(record).ok().flatten().and_then(|s| s.held).map(|held| held.pid);
            if held.is_some() && self.serving_proxy().await == held {
                return Ok(());
            }
            if gave_up(record) || Instant::now() > until {
                return Err(does_not_start(record));
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Whether the proxy that runs is of the program as it lies there now; nothing where none runs.
    #[must_use]
    pub fn proxy_is_current(&self) -> Option<bool> {
        let record = self.proxy_records().pop()?.folder;
        client::keeper(&record).is_some().then(|| client::holds(&record, &self.program))
    }

    /// Stops the proxy; requests in flight finish.
    pub async fn stop_proxy(&self) -> Result<(), Failure> {
        let _alone = self.proxy.lock().await;
        let stops = self.proxy_records().into_iter().map(|record| {
            let program = self.program.clone();
            blocking(move || client::stop(&program, &record.folder).map_err(record_failure))
        });
        for stopped in join_all(stops).await {
            stopped?;
        }
        Ok(())
    }

    fn proxy_spec(
        &self,
        record: &ProxyRecord,
        listen: SocketAddr,
        listen_tls: Option<SocketAddr>,
        user: Option<(u32, u32)>,
    ) -> Spec {
        let mut arguments = vec![
            "proxy".to_owned(),
            self.home.proxy().display().to_string(),
            // From the one that serves, if there is one; otherwise it starts as if this were not said.
            "--take-over".to_owned(),
            "--listen".to_owned(),
            listen.to_string(),
        ];
        if let Some(address) = listen_tls {
            arguments.extend(["--listen-tls".to_owned(), address.to_string()]);
        }
        if let Some((uid, gid)) = user {
            arguments.extend(["--user".to_owned(), format!("{uid}:{gid}")]);
        }
        Spec {
            format: FORMAT,
            // A name for each, since whatever carries it is ended with it.
            marker: format!("{}:{}", self.home.root().display(), record.name()),
            program: self.program.clone(),
            arguments,
            variables: Vec::new(),
            directory: "/".into(),
            // It binds its ports first and drops to its user by itself.
            user: None,
            stop_signal: StopSignal::Term,
            stop_seconds: 40,
            limits: Limits::default(),
            once: None,
            secrets: Vec::new(),
        }
    }
}

fn gave_up(record: &Path) -> bool {
    client::state(record).ok().flatten().is_some_and(|s| s.restarts >= 3)
}

fn does_not_start(record: &Path) -> Failure {
    let (lines, _) = client::tail(record, 10);
    let text: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
    Failure::new(FailureKind::Machine, "the proxy does not start").because(text.join("\n"))
}
