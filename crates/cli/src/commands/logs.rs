//! `ambit logs`

use std::{collections::VecDeque, path::Path, process::ExitCode, thread, time::Duration};

use ambit_app::{LogLine, log_moment};
use ambit_domain::Failure;

use crate::{
    arguments::LogSearchArguments,
    context,
    screen::{Paint, now, plain},
};

/// How many lines of each instance are shown where nothing is looked for.
const LINES: usize = 50;

/// Whose logs.
pub(crate) struct Of<'a> {
    pub(crate) environments: &'a [String],
    pub(crate) services: &'a [String],
}

pub(crate) fn run(
    folder: &Path,
    of: Of<'_>,
    search: LogSearchArguments,
    follow: bool,
    lines: Option<usize>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let project = context::project(folder)?;
    let ambit = context::ambit()?;
    let until = search.until;
    let mut query = search.query();
    let mut reader = ambit.logs(&project, of.environments, of.services)?;
    if !query.is_empty() {
        if follow {
            // What is printed from now on is shown as it comes.
            ambit.read_logs(&mut reader, 0);
            query.until = Some(query.until.unwrap_or_else(now).min(now()));
        }
        let found = ambit.search_logs(&reader, query.filter()?);
        match lines {
            None => found.for_each(|line| show(&line, json)),
            Some(last) => {
                let mut kept = VecDeque::new();
                for line in found {
                    kept.push_back(line);
                    if kept.len() > last {
                        kept.pop_front();
                    }
                }
                kept.iter().for_each(|line| show(line, json));
            }
        }
        query.until = until;
        if !follow {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let filter = query.filter()?;
    loop {
        for line in ambit.read_logs(&mut reader, lines.unwrap_or(LINES)).iter().filter(|line| filter.takes(line)) {
            show(line, json);
        }
        if !follow {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Shows a line; hostile whoever wrote it.
pub(super) fn show(line: &LogLine, json: bool) {
    if json {
        println!("{}", serde_json::to_string(line).unwrap_or_default());
        return;
    }
    let paint = Paint::stdout();
    let who = format!("{}/{}", line.environment, line.instance);
    println!("{} {} {}", paint.dim(&plain(&line.at)), paint.hashed(&plain(&format!("{who:<16}"))), plain(&line.text));
}

/// A moment as people write it: so long ago, or as in RFC 3339.
pub(crate) fn moment(text: &str) -> Result<i64, String> {
    log_moment(text, now()).ok_or_else(|| "such as 15m, 1h, 2d, or 2026-11-27T10:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_so_long_ago_or_exact() {
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(1000));
        let hour = now() - moment("1h").unwrap();
        assert!((3_600_000..3_660_000).contains(&hour), "{hour}");
        for bad in ["", "h", "-1h", "1x", "yesterday", "9223372036854775807d", "é"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }
}
