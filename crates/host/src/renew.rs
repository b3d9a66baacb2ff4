//! Keepers that take on a newer program.

use ambit_domain::Failure;
use ambit_keeper::client;
use serde::{Deserialize, Serialize};

use crate::{Host, machine::blocking};

/// What became of the keepers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// Took on the program; what they hold noticed nothing.
    pub renewed: usize,
    /// Were of the program already.
    pub unchanged: usize,
    /// Stay as they were, and why.
    pub failed: Vec<String>,
}

impl Host {
    /// Makes every keeper the program as it lies there now, also those that are of it already where that is forced.
    pub async fn renew_keepers(&self, force: bool) -> Result<Renewed, Failure> {
        let mut folders = self.all_records();
        folders.extend(self.proxy_records().into_iter().map(|record| record.folder));
        let program = self.program.clone();
        blocking(move || {
            let mut result = Renewed::default();
            for folder in folders.into_iter().filter(|folder| client::keeper(folder).is_some()) {
                if !force && client::is_of(&folder, &program) {
                    result.unchanged += 1;
                    continue;
                }
                match client::renew(&program, &folder) {
                    Ok(true) => result.renewed += 1,
                    // It has ended meanwhile.
                    Ok(false) => {}
                    Err(error) => {
                        let why = std::error::Error::source(&error).map_or_else(String::new, |e| format!(": {e}"));
                        result.failed.push(format!("{error}{why}"));
                    }
                }
            }
            Ok(result)
        })
        .await
    }
}
