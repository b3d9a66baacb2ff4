//! The archive of the write-ahead log.

use std::time::{Duration, Instant};

use ambit_domain::{EnvironmentId, Failure, FailureKind, backup::Count, provider::PostgresServer};

use crate::{
    Host,
    postgres::{connect, query_failed},
};

const BETWEEN: Duration = Duration::from_millis(25);
/// How long storing a segment may take: it is compressed, encrypted and perhaps sent far away.
const ARCHIVED_WITHIN: Duration = Duration::from_secs(120);

impl Host {
    /// Counts at a point of the log, and has the log archived up to there.
    pub(crate) async fn counted_point(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        point: &str,
    ) -> Result<Count, Failure> {
        let count = super::count::at_point(server, point).await?;
        self.archive_up_to_now(id, server).await?;
        Ok(count)
    }

    /// Has everything that was committed until now archived.
    pub(crate) async fn archive_up_to_now(&self, id: &EnvironmentId, server: &PostgresServer) -> Result<(), Failure> {
        let admin =
            connect(server, "postgres", &server.admin_password, "postgres").await.map_err(|e| query_failed(&e))?;
        // Recovery to a moment needs a commit after it to know that it has gone far enough.
        admin.batch_execute("SELECT pg_current_xact_id()").await.map_err(|e| query_failed(&e))?;
        let row =
            admin.query_one("SELECT pg_walfile_name(pg_switch_wal())", &[]).await.map_err(|e| query_failed(&e))?;
        let segment: String = row.get(0);
        let until = Instant::now() + ARCHIVED_WITHIN;
        loop {
            let sql = "SELECT coalesce(last_archived_wal, ''), coalesce(last_failed_wal, ''),
                       coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)
                       FROM pg_stat_archiver";
            let row = admin.query_one(sql, &[]).await.map_err(|e| query_failed(&e))?;
            let (archived, failed, failing): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
            if reached(&archived, &segment) {
                return Ok(());
            }
            if Instant::now() > until {
                let failure =
                    Failure::new(FailureKind::Machine, format!("the log of {} is not archived", id.environment));
                let failure = if failing {
                    failure.because(format!("the segment {failed} cannot be stored"))
                } else {
                    failure.because(format!("the segment {segment} was not stored in time"))
                };
                return Err(failure.hint(format!("ambit logs -e {} postgres", id.environment)));
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }
}

/// Whether an archived segment is a certain one or a later one of the same or a later timeline.
fn reached(archived: &str, segment: &str) -> bool {
    let whole = |name: &str| name.len() >= 24 && name.chars().take(24).all(|c| c.is_ascii_hexdigit());
    whole(archived) && archived.get(..24) >= segment.get(..24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_archived_when_it_or_a_later_one_is() {
        let segment = "000000010000000000000005";
        assert!(reached("000000010000000000000005", segment) && reached("000000010000000100000000", segment));
        assert!(!reached("000000010000000000000004", segment) && !reached("", segment));
        assert!(!reached("00000002.history", segment));
    }
}
