//! What services printed, as it is asked for: of one environment, of a service, by time, text, level and release. However much
//! was printed, what is answered is bounded, and so is the time that is taken for it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use ambit_app::{Ambit, Level, LogFilter, LogLine, LogQuery, LogReader, log_moment};
use ambit_domain::{EnvironmentId, Failure, FailureKind};
use tokio::sync::Semaphore;

use super::{input::Input, parts};

/// How many lines of each instance are looked at where nothing is said, and at most.
const LINES: (usize, usize) = (200, 5000);
/// No answer holds more bytes of lines, and no line more.
const BYTES: usize = 1 << 20;
const LONGEST: usize = 8 << 10;
/// No search goes on for longer.
const SEARCHED: Duration = Duration::from_secs(5);
/// So many search at once; others wait.
static SEARCHES: Semaphore = Semaphore::const_new(2);

/// Which lines are wanted.
#[derive(Clone)]
pub(crate) struct Wanted {
    environment: EnvironmentId,
    service: Option<String>,
    query: LogQuery,
    lines: usize,
}

/// What was found.
pub(crate) struct Found {
    pub(crate) lines: Vec<LogLine>,
    /// Whether it was not looked to the end.
    pub(crate) unfinished: bool,
}

impl Wanted {
    pub(crate) fn of(input: &Input) -> Result<Self, Failure> {
        let moment = |field: &str| {
            let read = |text: String| {
                log_moment(&text, parts::now()).ok_or_else(|| {
                    Failure::new(FailureKind::User, format!("`{field}` is no moment: `{}`", text.escape_debug()))
                        .hint("such as 15m, 1h, 2d, or 2026-11-27T10:00:00Z")
                })
            };
            input.text(field).map(read).transpose()
        };
        let level = |word: String| {
            Level::named(&word).ok_or_else(|| {
                Failure::new(FailureKind::User, format!("there is no level `{}`", word.escape_debug()))
                    .hint("one of: trace, debug, info, warn, error, fatal")
            })
        };
        Ok(Self {
            environment: input.environment()?,
            service: input.text("service"),
            query: LogQuery {
                since: moment("since")?,
                until: moment("until")?,
                grep: None,
                text: input.text("search"),
                level: input.text("level").map(level).transpose()?,
                release: input.text("release"),
            },
            lines: input.number("lines").and_then(|n| usize::try_from(n).ok()).map_or(LINES.0, |n| n.clamp(1, LINES.1)),
        })
    }

    fn reader(&self, ambit: &Ambit) -> Result<LogReader, Failure> {
        let environment = self.environment.environment.to_string();
        let services: Vec<String> = self.service.iter().cloned().collect();
        ambit.logs(&self.environment.project, &[environment], &services)
    }

    /// Follows what is printed from now on, and tells what was last.
    pub(crate) fn follow(&self, ambit: &Ambit) -> Result<Following, Failure> {
        Ok(Following { reader: self.reader(ambit)?, filter: self.query.filter()?, lines: self.lines })
    }
}

/// Somebody who follows.
pub(crate) struct Following {
    reader: LogReader,
    filter: LogFilter,
    lines: usize,
}

impl Following {
    /// The same with no more than so many lines at the beginning.
    pub(crate) fn at_most(self, lines: usize) -> Self {
        Self { lines: self.lines.min(lines), ..self }
    }

    /// The lines that are wanted since the last time.
    pub(crate) fn next(&mut self, ambit: &Ambit) -> Vec<LogLine> {
        let lines = ambit.read_logs(&mut self.reader, self.lines);
        newest(lines.into_iter().filter(|line| self.filter.takes(line)), LINES.1)
    }
}

/// The newest lines that are wanted. Files are read for it, which takes as long as they are large.
pub(crate) async fn read(ambit: &Arc<Ambit>, wanted: &Wanted) -> Result<Found, Failure> {
    let internal = |e: &dyn std::error::Error| Failure::new(FailureKind::Internal, e.to_string());
    let _place = SEARCHES.acquire().await.map_err(|e| internal(&e))?;
    let (ambit, wanted) = (Arc::clone(ambit), wanted.clone());
    tokio::task::spawn_blocking(move || {
        if wanted.query.is_empty() {
            let lines = wanted.follow(&ambit)?.next(&ambit);
            return Ok(Found { lines, unfinished: false });
        }
        let mut search = ambit.search_logs(&wanted.reader(&ambit)?, wanted.query.filter()?).within(SEARCHED);
        let lines = newest(search.by_ref(), wanted.lines);
        Ok(Found { lines, unfinished: search.is_unfinished() })
    })
    .await
    .map_err(|e| internal(&e))?
}

/// The last so many lines, as far as there is room, each cut where it is too long.
fn newest(all: impl Iterator<Item = LogLine>, most: usize) -> Vec<LogLine> {
    let (mut kept, mut bytes) = (VecDeque::new(), 0);
    for mut line in all {
        if line.text.len() > LONGEST {
            let end = line.text.floor_char_boundary(LONGEST);
            line.text.truncate(end);
            line.text.push('…');
        }
        bytes += line.text.len();
        kept.push_back(line);
        while kept.len() > most || bytes > BYTES {
            bytes -= kept.pop_front().map_or(0, |line: LogLine| line.text.len());
        }
    }
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_much_was_printed_the_newest_lines_fit_into_one_answer() {
        let line = |n: usize, text: String| LogLine {
            at: n.to_string(),
            environment: "prod".parse().unwrap(),
            instance: "app.1".into(),
            text,
            level: None,
            release: None,
        };
        let kept = newest((0..1000).map(|n| line(n, "é".repeat(100_000))), 5000);
        assert!(kept.iter().map(|line| line.text.len()).sum::<usize>() <= BYTES);
        assert_eq!(kept.last().unwrap().at, "999");
        assert!(kept[0].text.len() <= LONGEST + 3 && kept[0].text.ends_with('…'));
        assert_eq!(newest((0..10).map(|n| line(n, "x".into())), 3).len(), 3);
    }
}
