//! The proxy's process. It is held by a keeper like any other, so that it comes back even while the daemon is gone.

use std::{
    fs::{self, Permissions},
    io,
    net::{SocketAddr, TcpListener},
    os::unix::fs::{PermissionsExt, chown},
    path::PathBuf,
    time::{Duration, Instant},
};

use ambit_domain::{Failure, FailureKind};
use ambit_keeper::{FORMAT, Limits, Spec, StopSignal, client};

use crate::{
    Host,
    machine::{blocking, cannot, failed},
    ports,
};

impl Host {
    pub(crate) fn proxy_record(&self) -> PathBuf {
        // Not in the proxy's folder: that belongs to the proxy's user, and root acts on what a record says.
        self.home.run().join("proxy")
    }

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
            io::ErrorKind::AddrInUse => {
                let holder = ports::holder(address.port()).unwrap_or_else(|| "a process of another user".to_owned());
                failure.because(format!("{holder} listens there")).hint("stop it, or take another port")
            }
            io::ErrorKind::PermissionDenied => failure
                .because(error.to_string())
                .hint("ports below 1024 need root or CAP_NET_BIND_SERVICE; 127.0.0.1:8443 does not"),
            _ => failure.because(error.to_string()).hint("is it an address of this machine? ip addr"),
        })
    }

    /// Starts the proxy where it does not run; returns when its keeper has it.
    pub async fn start_proxy(&self, listen: SocketAddr, listen_tls: Option<SocketAddr>) -> Result<(), Failure> {
        let user = self.proxy_folders()?;
        let record = self.proxy_record();
        for (address, hint) in [
            (Some(listen), "stop it, or take another port: ambit up --listen 127.0.0.1:8081"),
            (listen_tls, "stop it, or take another port: ambit up --listen-tls 127.0.0.1:8443"),
        ] {
            let Some(address) = address else { continue };
            if client::keeper(&record).is_none() && !ports::is_free(address.port()) {
                let holder = ports::holder(address.port()).unwrap_or_else(|| "a process of another user".to_owned());
                return Err(Failure::new(FailureKind::Machine, format!("the proxy cannot listen on {address}"))
                    .because(format!("{holder} listens there"))
                    .hint(hint));
            }
        }
        let mut arguments = vec![
            "proxy".to_owned(),
            self.home.proxy().display().to_string(),
            "--listen".to_owned(),
            listen.to_string(),
        ];
        if let Some(address) = listen_tls {
            arguments.extend(["--listen-tls".to_owned(), address.to_string()]);
        }
        if let Some((uid, gid)) = user {
            arguments.extend(["--user".to_owned(), format!("{uid}:{gid}")]);
        }
        let spec = Spec {
            format: FORMAT,
            marker: format!("{}:proxy", self.home.root().display()),
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
        };
        let program = self.program.clone();
        blocking(move || {
            client::write_spec(&record, &spec).map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
            client::ensure(&program, &record).map_err(|e| failed("the proxy cannot be started", &e))?;
            let until = Instant::now() + Duration::from_secs(10);
            let answers =
                |address: &SocketAddr| std::net::TcpStream::connect_timeout(address, Duration::from_secs(1)).is_ok();
            while !answers(&listen) || !listen_tls.as_ref().is_none_or(answers) {
                let gave_up = client::state(&record).ok().flatten().is_some_and(|s| s.restarts >= 3);
                if gave_up || Instant::now() > until {
                    let (lines, _) = client::tail(&record, 10);
                    let text: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
                    return Err(Failure::new(FailureKind::Machine, "the proxy does not start").because(text.join("\n")));
                }
                std::thread::sleep(Duration::from_millis(3));
            }
            Ok(())
        })
        .await
    }

    /// Stops the proxy; requests in flight finish.
    pub async fn stop_proxy(&self) -> Result<(), Failure> {
        let (record, program) = (self.proxy_record(), self.program.clone());
        blocking(move || client::stop(&program, &record).map_err(|e| Failure::from_error(FailureKind::Machine, &e)))
            .await
    }
}
