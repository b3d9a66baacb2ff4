//! `upgrade`: what runs becomes the program as it lies there now, while everybody goes on using it.
//!
//! The daemon that does it is of that program already. Repeating it after a crash at any point is right: what is current is
//! left alone.

use ambit_domain::Failure;
use ambit_host::Renewed;
use serde::{Deserialize, Serialize};

use crate::{ambit::Ambit, progress::Progress};

/// What to upgrade.
#[derive(Clone, Serialize, Deserialize)]
pub struct Upgrade {
    /// Also what is of the program already.
    pub force: bool,
}

/// What became of the processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpgradeReport {
    /// The proxy.
    pub proxy: ProxyUpgrade,
    /// The keepers.
    pub keepers: Renewed,
}

/// What became of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyUpgrade {
    /// Another took over; it finishes what it has begun.
    Replaced,
    /// It was of the program already.
    Unchanged,
    /// None runs.
    NotRunning,
}

impl Ambit {
    /// Replaces the proxy and makes the keepers take on the program.
    pub async fn upgrade(&self, request: &Upgrade, progress: &Progress) -> Result<UpgradeReport, Failure> {
        let proxy = progress.step("proxy", self.upgrade_proxy(request.force)).await?;
        let keepers = progress.step("keepers", self.upgrade_keepers(request.force)).await?;
        for why in &keepers.failed {
            progress.notice("keepers", format!("one stays as it was: {why}"));
        }
        Ok(UpgradeReport { proxy, keepers })
    }

    async fn upgrade_proxy(&self, force: bool) -> Result<(ProxyUpgrade, String, bool), Failure> {
        match self.host.proxy_is_current() {
            None => Ok((ProxyUpgrade::NotRunning, "does not run".to_owned(), false)),
            Some(true) if !force => Ok((ProxyUpgrade::Unchanged, "is of this program".to_owned(), false)),
            Some(_) => {
                self.host.upgrade_proxy(self.listen()?, self.listen_tls()?).await?;
                let told = "replaced; the one before finishes what it has begun".to_owned();
                Ok((ProxyUpgrade::Replaced, told, true))
            }
        }
    }

    async fn upgrade_keepers(&self, force: bool) -> Result<(Renewed, String, bool), Failure> {
        let done = self.host.renew_keepers(force).await?;
        let told = match (done.renewed, done.unchanged) {
            (0, 0) => "none run".to_owned(),
            (0, all) => format!("all {all} are of this program"),
            (some, 0) => format!("{some} took on this program; what they hold went on"),
            (some, others) => {
                format!("{some} took on this program, {others} had; what they hold went on")
            }
        };
        let changed = done.renewed > 0;
        Ok((done, told, changed))
    }
}
