//! What the daemon does by itself: puts back what died, and keeps the proxy running.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use ambit_domain::{EnvironmentId, Failure, FailureKind, Wanted};

use crate::{
    ambit::{Ambit, store_failure},
    progress::Progress,
};

/// How often the daemon looks.
const EVERY: Duration = Duration::from_millis(500);

/// How often the daemon gives back the memory of the code that it used last. Rare enough that reading it again costs nothing.
const GIVES_BACK: Duration = Duration::from_secs(60);

impl Ambit {
    /// Looks after everything that should run, for as long as it is polled.
    pub async fn supervise(self: Arc<Self>) {
        let mut gave_back = tokio::time::Instant::now();
        loop {
            if gave_back.elapsed() >= GIVES_BACK {
                ambit_keeper::give_back();
                gave_back = tokio::time::Instant::now();
            }
            for revived in self.provider.revive() {
                tracing::warn!("{revived}");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// At the start of the daemon: what an interrupted one left unfinished is ended, environments that should run are served
    /// by the proxy as they are recorded.
    pub async fn resume(&self) -> Result<(), Failure> {
        ambit_source::build::end_abandoned(&self.home.builds());
        self.recover_what_failed()?;
        self.settle_backups().await?;
        self.settle_mobile_builds();
        let environments = self.store.environments().map_err(|e| store_failure(&e))?;
        let told = !self.store.webhooks().map_err(|e| store_failure(&e))?.is_empty();
        if told || environments.iter().any(|(_, record)| record.wanted == Wanted::Running) {
            self.provider.revive();
            self.start_proxy().await?;
            self.start_what_was_set_aside().await?;
            self.publish_routes().await?;
        }
        for project in environments.iter().map(|(id, _)| &id.project).collect::<BTreeSet<_>>() {
            self.provider.stop_environment(&EnvironmentId::of_tests(project)).await?;
        }
        Ok(())
    }

    pub(crate) async fn ensure_proxy(&self, progress: &Progress) -> Result<(), Failure> {
        let folder = self.home.proxy();
        if ambit_proxy::client::health(&folder).await.is_ok() {
            return Ok(());
        }
        let work = async {
            self.start_proxy().await?;
            // It may listen for TLS now, or no longer.
            self.publish_routes().await?;
            let tls = self.listen_tls()?.map(|address| format!(" and, for TLS, on {address}")).unwrap_or_default();
            Ok(((), format!("listens on {}{tls}", self.listen()?), true))
        };
        progress.step("proxy", work).await
    }

    async fn start_proxy(&self) -> Result<(), Failure> {
        let listen = self.listen()?;
        self.host.start_proxy(listen, self.listen_tls()?).await
    }

    pub(crate) async fn stop_proxy(&self, progress: &Progress) -> Result<(), Failure> {
        if ambit_proxy::client::health(&self.home.proxy()).await.is_err() {
            return Ok(());
        }
        let work = async {
            self.host.stop_proxy().await?;
            Ok(((), "nothing runs any more, stopped".to_owned(), true))
        };
        progress.step("proxy", work).await
    }

    /// Writes the routes; where no proxy runs there is nobody to tell.
    pub(crate) async fn publish_routes_if_served(&self) -> Result<(), Failure> {
        if ambit_proxy::client::health(&self.home.proxy()).await.is_err() {
            return Ok(());
        }
        self.publish_routes().await
    }

    /// Moves the proxy to another address.
    pub async fn set_listen(&self, listen: SocketAddr) -> Result<(), Failure> {
        if self.listen()? == listen {
            return Ok(());
        }
        self.move_proxy("listen", &listen.to_string()).await
    }

    /// Records an address and makes the proxy listen there. Where a proxy runs, one that listens there takes over from it and
    /// no connection is refused; where that cannot be, it goes on as it is and nothing is recorded.
    pub(crate) async fn move_proxy(&self, setting: &str, address: &str) -> Result<(), Failure> {
        let before = self.store.setting(setting).map_err(|e| store_failure(&e))?;
        let old = [Some(self.listen()?), self.listen_tls()?];
        self.store.set_setting(setting, address).map_err(|e| store_failure(&e))?;
        if ambit_proxy::client::health(&self.home.proxy()).await.is_err() {
            // The `up` that follows starts it.
            return Ok(());
        }
        let new = [Some(self.listen()?), self.listen_tls()?];
        let same_port = |a: &SocketAddr, b: &SocketAddr| a.port() == b.port() && a != b;
        if new.iter().flatten().any(|a| old.iter().flatten().any(|b| same_port(a, b))) {
            // Two addresses that share a port cannot always be had at the same time: 127.0.0.1 and 0.0.0.0.
            return self
                .host
                .stop_proxy()
                .await
                .map_err(|e| Failure::new(FailureKind::Machine, "the proxy could not be moved").because(e.message));
        }
        if let Err(failure) = self.host.upgrade_proxy(self.listen()?, self.listen_tls()?).await {
            let before = before.unwrap_or_default();
            self.store.set_setting(setting, &before).map_err(|e| store_failure(&e))?;
            return Err(failure);
        }
        self.publish_routes().await
    }
}
