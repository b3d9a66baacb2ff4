//! The keepers' records of proxies: that of the present one, and those of proxies that were replaced and still finish what
//! they have begun. The present one is the latest.

use std::{fs, path::PathBuf};

use ambit_domain::Failure;
use ambit_keeper::{Wanted, client};

use crate::{
    Host,
    machine::{blocking, cannot, record_failure},
};

/// A record: `run/proxy`, and after the first replacement `run/proxy.2` and so on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProxyRecord {
    pub(crate) number: u32,
    pub(crate) folder: PathBuf,
}

impl ProxyRecord {
    pub(crate) fn name(&self) -> String {
        name(self.number)
    }
}

fn name(number: u32) -> String {
    if number == 1 { "proxy".to_owned() } else { format!("proxy.{number}") }
}

impl Host {
    fn proxy_record(&self, number: u32) -> ProxyRecord {
        // Not in the proxy's folder: that belongs to the proxy's user, and root acts on what a record says.
        ProxyRecord { number, folder: self.home.run().join(name(number)) }
    }

    /// All that are there, the present one last.
    pub(crate) fn proxy_records(&self) -> Vec<ProxyRecord> {
        let entries = fs::read_dir(self.home.run()).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let numbers = names.filter_map(|name| match name.strip_prefix("proxy")? {
            "" => Some(1),
            rest => rest.strip_prefix('.')?.parse().ok(),
        });
        let mut records: Vec<_> = numbers.map(|number| self.proxy_record(number)).collect();
        records.sort();
        records
    }

    /// What the present proxy prints.
    #[must_use]
    pub fn proxy_log(&self) -> PathBuf {
        self.proxy_records().pop().unwrap_or_else(|| self.proxy_record(1)).folder.join("log")
    }

    /// A record after all that are there.
    pub(crate) fn next_proxy(&self) -> ProxyRecord {
        self.proxy_record(self.proxy_records().last().map_or(1, |last| last.number + 1))
    }

    /// The record of the present proxy, or the one that it is to have. Forgets those that are over, and takes back a
    /// replacement that was begun and went no further.
    pub(crate) async fn present_proxy(&self) -> Result<ProxyRecord, Failure> {
        let mut records = self.proxy_records();
        let Some(present) = records.pop() else { return Ok(self.proxy_record(1)) };
        for ProxyRecord { folder, .. } in records {
            if client::wanted(&folder) == Wanted::Stopped && client::keeper(&folder).is_none() {
                fs::remove_dir_all(&folder).map_err(cannot("delete", &folder))?;
            }
        }
        if client::wanted(&present.folder) == Wanted::Finishing {
            let held = client::state(&present.folder).ok().flatten().and_then(|s| s.held);
            if held.is_none_or(|held| self.retired(held.pid)) {
                return Ok(self.next_proxy());
            }
            let (program, folder) = (self.program.clone(), present.folder.clone());
            blocking(move || client::keep(&program, &folder).map_err(record_failure)).await?;
        }
        Ok(present)
    }

    /// The process of the proxy that serves.
    pub(crate) async fn serving_proxy(&self) -> Option<u32> {
        ambit_proxy::client::health(&self.home.proxy()).await.ok().map(|health| health.pid)
    }

    fn retired(&self, pid: u32) -> bool {
        let holder = ambit_proxy::lock::holder(&self.home.proxy()).ok().flatten();
        holder.is_none_or(|holder| holder.pid != pid)
    }
}
