//! A backup of the cluster, and what keeps its log archived.

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    backup::{Form, Listed},
    provider::{PostgresServer, Sink},
};

use crate::Host;

/// The task that makes a backup. One at a time: pgBackRest locks the stanza itself.
const TASK: &str = "backup";

impl Host {
    pub(crate) async fn take_backup(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        form: Form,
        output: Sink<'_>,
    ) -> Result<Listed, Failure> {
        self.make_stanza(id, server).await?;
        let before: Vec<String> = self.listed(id).await?.0.into_iter().map(|b| b.name).collect();
        let form = match form {
            Form::Full => "--type=full",
            Form::Differential => "--type=diff",
        };
        self.pgbackrest(id, Some(server), TASK, &[form.to_owned(), "backup".to_owned()], output).await?;
        let made = self.listed(id).await?.0.into_iter().filter(|b| !before.contains(&b.name)).max_by_key(|b| b.started);
        made.ok_or_else(|| Failure::new(FailureKind::Internal, "pgBackRest made a backup that it does not list"))
    }

    /// Makes the repository know the cluster; one that was made anew takes the place of an earlier one, whose backups stay.
    pub(crate) async fn make_stanza(&self, id: &EnvironmentId, server: &PostgresServer) -> Result<(), Failure> {
        let run = async |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            self.pgbackrest(id, Some(server), "stanza", &words, &|_| {}).await
        };
        let Err(failure) = run(&["stanza-create"]).await else { return Ok(()) };
        let said = |code: &str| failure.causes.iter().any(|cause| cause.contains(&format!("ERROR: [{code}]")));
        // 028: the repository belongs to another cluster, by its system identifier.
        if said("028") || failure.causes.iter().any(|cause| cause.contains("do not match")) {
            return run(&["stanza-upgrade"]).await;
        }
        // 055, 040: one of its two files of information is missing, or both while others are there. 062: a stop file. All of them
        // are what a stanza looks like whose making, or whose deletion below, was interrupted.
        let half_made = said("055") || said("040") || said("062");
        if half_made && self.holds_no_backup(id).await? {
            run(&["stop"]).await?;
            run(&["--force", "stanza-delete"]).await?;
            return run(&["stanza-create"]).await;
        }
        Err(failure)
    }

    /// Whether the repository holds nothing that anything could be restored from: log without a backup is of no use.
    async fn holds_no_backup(&self, id: &EnvironmentId) -> Result<bool, Failure> {
        let folder = format!("backup/{}", self.stanza(id)?.name);
        Ok(self.repository_files(id, &folder).await?.is_empty())
    }

    pub(crate) async fn verify(&self, id: &EnvironmentId, output: Sink<'_>) -> Result<(), Failure> {
        let found = std::sync::Mutex::new(Vec::new());
        let heard = |line: &str| {
            output(line);
            if let Ok(mut found) = found.lock() {
                found.push(line.to_owned());
            }
        };
        let arguments = ["--output=text", "--log-level-console=info", "verify"].map(str::to_owned);
        self.pgbackrest(id, None, "verify-backups", &arguments, &heard).await?;
        let lines = found.into_inner().unwrap_or_default();
        let wrong: Vec<&str> = lines.iter().map(|line| line.trim()).filter(|line| is_wrong(line)).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Failure::new(FailureKind::Machine, "the repository is damaged")
            .because(wrong.join("\n"))
            .hint("ambit backup now makes a new full backup; find out what damages the disk"))
    }
}

/// Whether a line of `pgbackrest verify` tells of damage. Version 2.45 ends well whatever it found, and tells it in its summary.
fn is_wrong(line: &str) -> bool {
    let counted = |name: &str| {
        let after = line.split(name).nth(1)?;
        let digits: String = after.trim_start_matches([':', ' ']).chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    };
    let names = ["missing", "checksum invalid", "size invalid", "other"];
    names.iter().filter_map(|name| counted(name)).any(|n| n > 0)
        || line.contains("status: error")
        || line.contains("ERROR:")
        || line.contains("status: invalid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_in_a_summary_is_seen_and_a_sound_one_is_not_taken_for_it() {
        for sound in
            ["status: ok", "missing: 0, checksum invalid: 0, size invalid: 0, other: 0", "total files checked: 977"]
        {
            assert!(!is_wrong(sound), "{sound}");
        }
        for wrong in ["missing: 1, checksum invalid: 0", "missing: 0, checksum invalid: 2, other: 0", "status: error"] {
            assert!(is_wrong(wrong), "{wrong}");
        }
    }
}
