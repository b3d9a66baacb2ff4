//! What the mobile app is built by, and the workflows: whether they are as declared. An app that asks the wrong address is built so once
//! and installed a hundred times.

use ambit_domain::diagnosis::{Check, Trouble};

use super::{Seen, told};
use crate::{ci::drift_where_used, mobile::drift_of};

pub(super) fn look(seen: &Seen<'_>) -> Vec<Check> {
    let Some(declaration) = seen.declaration else { return Vec::new() };
    let mut checks = Vec::new();
    if declaration.project.environments.values().any(|e| e.mobile.is_some()) {
        let what = "the mobile app is built with the address of its environment";
        match drift_of(declaration) {
            Ok(drift) if drift.is_empty() => checks.push(Check::new("mobile", what, Ok(()))),
            Ok(drift) => checks.extend(drift.into_iter().map(|drift| {
                let place = drift.line.map_or_else(|| drift.file.clone(), |line| format!("{}:{line}", drift.file));
                let seen = format!("{place}; expected: {}", drift.expected);
                let mend = Trouble::new(drift.message, seen, "ambit mobile sync")
                    .and("ambit mobile sync --force where it was edited by hand");
                Check::new("mobile", what, Err(mend)).needs(["declaration"])
            })),
            Err(failure) => {
                checks.push(Check::new("mobile", what, Err(told(&failure, "eas.json and app.config.js were read"))))
            }
        }
    }
    let what = "the workflows are as declared";
    match drift_where_used(declaration) {
        Ok(drift) => {
            let wrong = drift.into_iter().next().map(|drift| {
                Trouble::new(drift.message, format!("{}; expected: {}", drift.file, drift.expected), "ambit ci github")
            });
            checks.push(Check::new("workflows", what, wrong.map_or(Ok(()), Err)));
        }
        Err(failure) => checks.push(Check::new("workflows", what, Err(told(&failure, "they were compared")))),
    }
    checks
}
