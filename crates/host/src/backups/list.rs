//! What the repository holds, as pgBackRest lists it.

use std::collections::BTreeMap;

use ambit_domain::{
    EnvironmentId, Failure,
    backup::{Cluster, Form, Listed, Segment},
};
use serde::Deserialize;

use crate::{Host, machine::internal};

/// `pgbackrest info --output=json`, as far as it is read.
#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    backup: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    label: String,
    #[serde(rename = "type")]
    form: String,
    timestamp: Span<i64>,
    archive: Span<Option<String>>,
    database: Database,
    info: Sizes,
}

#[derive(Deserialize)]
struct Span<T> {
    start: T,
    stop: T,
}

#[derive(Deserialize)]
struct Database {
    id: Cluster,
}

#[derive(Deserialize)]
struct Sizes {
    size: u64,
    repository: Stored,
}

#[derive(Deserialize)]
struct Stored {
    delta: u64,
}

/// An entry of `pgbackrest repo-ls --output=json`.
#[derive(Deserialize)]
pub(super) struct File {
    #[serde(rename = "type")]
    sort: String,
    time: Option<i64>,
}

impl Host {
    /// Backups, the oldest first, and segments of the log.
    pub(crate) async fn listed(&self, id: &EnvironmentId) -> Result<(Vec<Listed>, Vec<Segment>), Failure> {
        let stanza = self.stanza(id)?.name;
        let info = vec!["info".to_owned(), "--output=json".to_owned(), format!("--stanza={stanza}")];
        let info = self.ask_pgbackrest(id, info).await?;
        Ok((backups(&info)?, segments(self.repository_files(id, &format!("archive/{stanza}")).await?)))
    }

    /// What lies in a folder of the repository and below it.
    pub(super) async fn repository_files(
        &self,
        id: &EnvironmentId,
        folder: &str,
    ) -> Result<BTreeMap<String, File>, Failure> {
        let words = ["repo-ls", "--recurse", "--output=json", folder].map(str::to_owned).to_vec();
        let mut files: BTreeMap<String, File> =
            serde_json::from_slice(&self.ask_pgbackrest(id, words).await?).map_err(internal)?;
        files.remove(".");
        Ok(files)
    }
}

fn backups(text: &[u8]) -> Result<Vec<Listed>, Failure> {
    let stanzas: Vec<Info> = serde_json::from_slice(text).map_err(internal)?;
    let listed = |entry: Entry| {
        Some(Listed {
            name: entry.label,
            cluster: entry.database.id,
            // An incremental one, which ambit does not make, needs others as a differential one does.
            form: if entry.form == "full" { Form::Full } else { Form::Differential },
            started: entry.timestamp.start,
            finished: entry.timestamp.stop,
            needs: (entry.archive.start?, entry.archive.stop?),
            size: entry.info.size,
            stored: entry.info.repository.delta,
        })
    };
    Ok(stanzas.into_iter().flat_map(|s| s.backup).filter_map(listed).collect())
}

fn segments(files: BTreeMap<String, File>) -> Vec<Segment> {
    let segment = |(path, file): (String, File)| {
        // `15-1/0000000100000000/…`: PostgreSQL's version and the number of the cluster.
        let cluster = path.split('/').next()?.rsplit_once('-')?.1.parse().ok()?;
        let name = path.rsplit('/').next()?.to_owned();
        let digits = name.get(..24).is_some_and(|n| n.chars().all(|c| c.is_ascii_hexdigit()));
        // What follows is the checksum; `.partial` and `.backup` are no whole segments.
        let whole = digits && name.get(24..25) == Some("-");
        (file.sort == "file" && whole).then(|| Segment { cluster, name, archived: file.time.unwrap_or_default() })
    };
    files.into_iter().filter_map(segment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_pgbackrest_writes_it() {
        let text = br#"[{"archive":[{"database":{"id":1,"repo-key":1},"id":"15-1","max":"000000010000000000000004",
            "min":"000000010000000000000002"}],"backup":[{"archive":{"start":"000000010000000000000002",
            "stop":"000000010000000000000003"},"backrest":{"format":5,"version":"2.45"},"database":{"id":1,"repo-key":1},
            "error":false,"info":{"delta":23,"repository":{"delta":3,"size":3},"size":23},"label":"20261124-100501F",
            "lsn":{"start":"0/2000028","stop":"0/3000050"},"prior":null,"reference":null,
            "timestamp":{"start":1795514701,"stop":1795514703},"type":"full"}],"cipher":"aes-256-cbc","db":[],
            "name":"kaia-prod","repo":[],"status":{"code":0,"message":"ok"}}]"#;
        let found = backups(text).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].form, found[0].stored), ("20261124-100501F", Form::Full, 3));
        assert_eq!(found[0].cluster, 1);
        assert!(backups(b"[]").unwrap().is_empty());
    }

    #[test]
    fn only_whole_segments_of_the_log_are_segments() {
        let text = br#"{".":{"type":"path"},"15-1":{"type":"path"},"archive.info":{"type":"file","size":1,"time":5},
            "15-1/0000000100000000/000000010000000000000002-0a1b.zst":{"type":"file","size":9,"time":7},
            "15-1/0000000100000000/000000010000000000000003.partial-0a1b.zst":{"type":"file","size":9,"time":7},
            "15-1/00000002.history":{"type":"file","size":9,"time":7}}"#;
        let found = segments(serde_json::from_slice(text).unwrap());
        assert_eq!(found.len(), 1);
        assert!(found[0].name.starts_with("000000010000000000000002") && found[0].archived == 7);
        assert_eq!(found[0].cluster, 1);
    }
}
