//! A search through logs, rotated ones too, in the order of time. Holds one line of each file that is open, however large they
//! are.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    fs::{self, File},
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::PathBuf,
    time::{Duration, Instant, UNIX_EPOCH},
};

use ambit_domain::{EnvironmentId, Failure, FailureKind};
use ambit_keeper::archive::{Archived, FILES, archived};
use regex::{Regex, RegexBuilder};

use super::{LogLine, LogReader, Logged, level::Level};
use crate::ambit::Ambit;

/// A keeper writes no longer line; what is longer was written by somebody else and is cut.
const LONGEST: u64 = 128 << 10;
/// So near to a moment is near enough to read on from there.
const NEAR: u64 = 256 << 10;

/// What is looked for.
#[derive(Default, Clone)]
pub struct LogQuery {
    /// Not before that moment, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// Not after that one.
    pub until: Option<i64>,
    /// A regular expression that the text matches.
    pub grep: Option<String>,
    /// A text that is in it, whatever its case.
    pub text: Option<String>,
    /// At least as grave as that.
    pub level: Option<Level>,
    /// Of a release, by the first digits of its build.
    pub release: Option<String>,
}

/// What decides of each line whether it is looked for.
pub struct LogFilter {
    since_millis: Option<i64>,
    since: Option<String>,
    until: Option<String>,
    grep: Option<Regex>,
    holds: Option<Regex>,
    level: Option<Level>,
    release: Option<String>,
}

impl LogQuery {
    /// Makes a filter of it; refuses a regular expression that is none, or is too large.
    pub fn filter(&self) -> Result<LogFilter, Failure> {
        let wrong = |e: regex::Error| {
            Failure::new(FailureKind::User, "that is not a regular expression").because(e.to_string())
        };
        let compile = |text: &String| RegexBuilder::new(text).size_limit(1 << 20).build().map_err(wrong);
        let literal = |text: &String| RegexBuilder::new(&regex::escape(text)).case_insensitive(true).build();
        let text = |at: i64| crate::telling::moment(at);
        Ok(LogFilter {
            since_millis: self.since,
            since: self.since.map(text),
            until: self.until.map(text),
            grep: self.grep.as_ref().map(compile).transpose()?,
            holds: self.text.as_ref().map(literal).transpose().map_err(wrong)?,
            level: self.level,
            release: self.release.clone(),
        })
    }
}

impl LogFilter {
    /// Whether a line is looked for.
    #[must_use]
    pub fn takes(&self, line: &LogLine) -> bool {
        self.since.as_ref().is_none_or(|since| line.at >= *since)
            && self.until.as_ref().is_none_or(|until| line.at <= *until)
            // What says no level is of none that is grave.
            && self.level.is_none_or(|least| line.level.unwrap_or(Level::Info) >= least)
            && self.release.as_ref().is_none_or(|r| line.release.as_ref().is_some_and(|of| of.starts_with(r.as_str())))
            && self.grep.iter().chain(&self.holds).all(|text| text.is_match(&line.text))
    }
}

impl Ambit {
    /// Lines that are looked for, the earliest first, as far as logs reach back.
    #[must_use]
    pub fn search_logs(&self, reader: &LogReader, filter: LogFilter) -> LogSearch {
        let mut search =
            LogSearch { filter, sources: Vec::new(), next: BinaryHeap::new(), end: None, unfinished: false };
        for Logged { environment, instance, folder, release } in
            self.logged(reader).into_iter().chain(self.replaced(reader))
        {
            let like = LogLine { at: String::new(), environment, instance, text: String::new(), level: None, release };
            let since = search.filter.since_millis;
            let files = FILES.map(|name| folder.join(name)).into_iter().filter(|file| is_young(file, since)).collect();
            let since = search.filter.since.clone();
            search.sources.push(Source { files, since, open: None, like, level: None });
            search.advance(search.sources.len() - 1);
        }
        search
    }

    /// What is left of instances that were replaced.
    fn replaced(&self, reader: &LogReader) -> Vec<Logged> {
        let of = |id: &EnvironmentId| {
            let environment = id.environment.clone();
            archived(&self.home.old_logs(id)).into_iter().map(move |Archived { instance, folder, release, .. }| {
                Logged { environment: environment.clone(), instance, folder, release }
            })
        };
        let wanted = |log: &Logged| log.instance.rsplit_once('.').is_some_and(|(service, _)| reader.wants(service));
        reader.environments.iter().flat_map(of).filter(wanted).collect()
    }
}

impl LogQuery {
    /// Whether anything is looked for at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { since, until, grep, text, level, release } = self;
        since.or(*until).is_none() && level.is_none() && [grep, text, release].into_iter().all(Option::is_none)
    }
}

/// Whether a file was written to since a moment: what was not holds nothing of what is looked for.
fn is_young(file: &PathBuf, since: Option<i64>) -> bool {
    let Some(since) = since.and_then(|since| u64::try_from(since).ok()) else { return true };
    let written = fs::metadata(file).and_then(|m| m.modified());
    written.is_ok_and(|at| at.duration_since(UNIX_EPOCH).unwrap_or_default() >= Duration::from_millis(since))
}

/// Lines that are found, one after the other.
pub struct LogSearch {
    filter: LogFilter,
    sources: Vec<Source>,
    /// The next line of each source.
    next: BinaryHeap<Reverse<(LogLine, usize)>>,
    /// When it gives up.
    end: Option<Instant>,
    unfinished: bool,
}

impl LogSearch {
    /// The same, that gives up after so long.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { end: Instant::now().checked_add(time), ..self }
    }

    /// Whether it gave up before its end.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    fn advance(&mut self, source: usize) {
        if let Some(line) = self.sources.get_mut(source).and_then(Source::line) {
            self.next.push(Reverse((line, source)));
        }
    }
}

impl Iterator for LogSearch {
    type Item = LogLine;

    fn next(&mut self) -> Option<LogLine> {
        while let Some(Reverse((line, source))) = self.next.pop() {
            self.unfinished = self.end.is_some_and(|end| Instant::now() > end);
            if self.unfinished {
                return None;
            }
            self.advance(source);
            if self.filter.takes(&line) {
                return Some(line);
            }
        }
        None
    }
}

/// The files of one log, the oldest first.
struct Source {
    files: VecDeque<PathBuf>,
    /// Not before that moment; large files are entered near it.
    since: Option<String>,
    open: Option<BufReader<File>>,
    like: LogLine,
    /// Of the line before: what is indented belongs to it.
    level: Option<Level>,
}

impl Source {
    fn line(&mut self) -> Option<LogLine> {
        loop {
            let Some(open) = &mut self.open else {
                let file = self.files.pop_front()?;
                self.open = File::open(file).ok().map(|file| entered(file, self.since.as_deref()));
                continue;
            };
            let Some(bytes) = bounded_line(open) else {
                self.open = None;
                continue;
            };
            let text = String::from_utf8_lossy(&bytes);
            let Some((at, text)) = text.split_once(' ') else { continue };
            let belongs = text.starts_with([' ', '\t']);
            let level = Level::of(text).or(if belongs { self.level } else { None });
            self.level = level;
            return Some(LogLine { at: at.to_owned(), text: text.to_owned(), level, ..self.like.clone() });
        }
    }
}

/// A file to be read from its beginning, or from where lines are not much older than a moment: they lie in the order of time.
fn entered(mut file: File, since: Option<&str>) -> BufReader<File> {
    let (mut low, mut high) = (0, file.metadata().map_or(0, |m| m.len()));
    while let Some(since) = since.filter(|_| high - low > NEAR) {
        let middle = low + (high - low) / 2;
        let at = (|| {
            file.seek(SeekFrom::Start(middle)).ok()?;
            let mut lines = BufReader::new(&file);
            bounded_line(&mut lines)?;
            let line = bounded_line(&mut lines)?;
            Some(String::from_utf8_lossy(line.split(|b| *b == b' ').next()?).into_owned())
        })();
        // Where it cannot be told, what lies there may be looked for.
        if at.is_some_and(|at| at.as_str() < since) { low = middle } else { high = middle }
    }
    let begun = file.seek(SeekFrom::Start(low)).is_ok();
    let mut lines = BufReader::new(file);
    if begun && low > 0 {
        // It is within a line, which is older.
        let _older = bounded_line(&mut lines);
    }
    lines
}

/// A line without its end, cut where it is too long; `None` at the end of the file, or where it cannot be read.
fn bounded_line(file: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = std::io::Read::take(&mut *file, LONGEST).read_until(b'\n', &mut line).ok()?;
    if read == 0 {
        return None;
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else {
        // What is left of a line that is too long, or of one that is being written.
        file.skip_until(b'\n').ok()?;
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    struct Logs(tempfile::TempDir);

    impl Logs {
        fn write(&self, name: &str, lines: &[&str]) {
            let file = self.0.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, lines.iter().map(|l| format!("{l}\n")).collect::<String>()).unwrap();
        }

        fn found(&self, instances: &[&str], query: &LogQuery) -> Vec<String> {
            let filter = query.filter().unwrap_or_else(|e| panic!("{e}"));
            let mut search =
                LogSearch { filter, sources: Vec::new(), next: BinaryHeap::new(), end: None, unfinished: false };
            for instance in instances {
                let like = LogLine {
                    at: String::new(),
                    environment: "prod".parse().unwrap(),
                    instance: (*instance).to_owned(),
                    text: String::new(),
                    level: None,
                    release: Some("abc1234".into()),
                };
                let files = FILES.map(|name| self.0.path().join(instance).join(name)).into();
                let since = search.filter.since.clone();
                search.sources.push(Source { files, since, open: None, like, level: None });
                search.advance(search.sources.len() - 1);
            }
            search.map(|line| line.text).collect()
        }
    }

    fn logs() -> Logs {
        let logs = Logs(tempfile::tempdir().unwrap());
        logs.write(
            "app.1/log.1",
            &[
                "2026-11-27T10:00:01.000Z INFO one",
                "2026-11-27T10:00:03.000Z ERROR three",
                "2026-11-27T10:00:03.001Z   at line 3",
            ],
        );
        logs.write("app.1/log", &["2026-11-27T10:00:05.000Z {\"level\":\"warn\",\"msg\":\"five\"}"]);
        logs.write("app.2/log", &["2026-11-27T10:00:02.000Z INFO two", "broken", "2026-11-27T10:00:04.000Z INFO four"]);
        logs
    }

    #[test]
    fn lines_of_all_files_come_in_the_order_of_time() {
        let found = logs().found(&["app.1", "app.2", "gone.1"], &LogQuery::default());
        let words: Vec<&str> = found.iter().map(|l| l.split_whitespace().last().unwrap()).collect();
        assert_eq!(words, ["one", "two", "three", "3", "four", "{\"level\":\"warn\",\"msg\":\"five\"}"]);
    }

    #[test]
    fn they_are_chosen_by_time_text_level_and_release() {
        let logs = logs();
        let moment = |text: &str| Some(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let count = |query: LogQuery| logs.found(&["app.1", "app.2"], &query).len();
        assert_eq!(count(LogQuery { since: moment("2026-11-27T10:00:04Z"), ..LogQuery::default() }), 2);
        assert_eq!(count(LogQuery { until: moment("2026-11-27T10:00:02Z"), ..LogQuery::default() }), 2);
        assert_eq!(count(LogQuery { grep: Some("^INFO (one|four)$".into()), ..LogQuery::default() }), 2);
        assert_eq!(
            count(LogQuery { level: Some(Level::Warn), ..LogQuery::default() }),
            3,
            "with what belongs to an error"
        );
        assert_eq!(count(LogQuery { release: Some("abc".into()), ..LogQuery::default() }), 6);
        assert_eq!(count(LogQuery { release: Some("abd".into()), ..LogQuery::default() }), 0);
        let wrong = LogQuery { grep: Some("(".into()), ..LogQuery::default() };
        assert!(wrong.filter().is_err());
    }

    #[test]
    fn what_is_searched_by_its_time_is_found_fast_in_a_file_of_gigabytes() {
        let logs = Logs(tempfile::tempdir().unwrap());
        logs.write("app.1/log", &["2026-11-27T09:00:00.000Z old"]);
        let mut file = File::options().append(true).open(logs.0.path().join("app.1/log")).unwrap();
        // Thirty megabytes of an hour that nobody asks for.
        for second in 0..3600 {
            let at = format!("2026-11-27T09:{:02}:{:02}.000Z {}\n", second / 60, second % 60, "x".repeat(9000));
            file.write_all(at.as_bytes()).unwrap();
        }
        for second in 0..3600 {
            writeln!(file, "2026-11-27T10:{:02}:{:02}.000Z INFO Line {second}", second / 60, second % 60).unwrap();
        }
        let since = Some("2026-11-27T10:59:50Z".parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let found = logs.found(&["app.1"], &LogQuery { since, ..LogQuery::default() });
        assert_eq!((found.len(), found[0].as_str()), (10, "INFO Line 3590"));
        let log = File::open(logs.0.path().join("app.1/log")).unwrap();
        let mut entered = entered(log, Some("2026-11-27T10:59:50.000Z"));
        assert!(entered.stream_position().unwrap() > 30 << 20, "an hour was not read");
        let text = Some("LINE 35".to_owned());
        assert_eq!(logs.found(&["app.1"], &LogQuery { since, text, ..LogQuery::default() }).len(), 10);
    }

    #[test]
    fn a_line_of_gigabytes_is_cut_and_the_next_is_found() {
        let logs = Logs(tempfile::tempdir().unwrap());
        logs.write("app.1/log", &[]);
        let mut file = File::options().append(true).open(logs.0.path().join("app.1/log")).unwrap();
        write!(file, "2026-11-27T10:00:01.000Z ").unwrap();
        (0..64).for_each(|_| file.write_all(&[b'x'; 65_536]).unwrap());
        write!(file, "\n2026-11-27T10:00:02.000Z next\n").unwrap();
        let found = logs.found(&["app.1"], &LogQuery::default());
        assert!(found[0].len() <= 128 << 10);
        assert_eq!(found[1], "next");
    }
}
