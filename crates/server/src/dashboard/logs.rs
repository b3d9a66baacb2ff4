//! What services printed, as it is asked for: of one environment, of a service, with a text in it.

use ambit_app::{Ambit, LogLine, LogReader};
use ambit_domain::{EnvironmentId, Failure};

use super::input::Input;

/// How many lines of each instance are looked at where nothing is said, and at most.
const LINES: (usize, usize) = (200, 5000);

/// Which lines are wanted.
pub(crate) struct Wanted {
    pub(crate) environment: EnvironmentId,
    pub(crate) service: Option<String>,
    /// In lower case.
    pub(crate) search: Option<String>,
    pub(crate) lines: usize,
}

impl Wanted {
    pub(crate) fn of(input: &Input) -> Result<Self, Failure> {
        Ok(Self {
            environment: input.environment()?,
            service: input.text("service"),
            search: input.text("search").map(|text| text.to_lowercase()),
            lines: input.number("lines").and_then(|n| usize::try_from(n).ok()).map_or(LINES.0, |n| n.clamp(1, LINES.1)),
        })
    }

    pub(crate) fn reader(&self, ambit: &Ambit) -> Result<LogReader, Failure> {
        let environment = self.environment.environment.to_string();
        let services: Vec<String> = self.service.iter().cloned().collect();
        ambit.logs(&self.environment.project, &[environment], &services)
    }

    /// The lines that are wanted since the last time.
    pub(crate) fn next(&self, ambit: &Ambit, reader: &mut LogReader) -> Vec<LogLine> {
        let mut lines = ambit.read_logs(reader, self.lines);
        if let Some(search) = &self.search {
            lines.retain(|line| line.text.to_lowercase().contains(search));
        }
        lines
    }
}

pub(crate) fn read(ambit: &Ambit, wanted: &Wanted) -> Result<Vec<LogLine>, Failure> {
    let mut reader = wanted.reader(ambit)?;
    Ok(wanted.next(ambit, &mut reader))
}
