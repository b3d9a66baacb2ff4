//! `ambit releases`

use std::{path::Path, process::ExitCode};

use ambit_domain::{Failure, Release};

use super::print_json;
use crate::{
    context,
    screen::{ago, bytes, plain, table},
};

pub(crate) fn run(folder: &Path, json: bool) -> Result<ExitCode, Failure> {
    let all = context::ambit()?.releases(&context::project(folder)?)?;
    if json {
        let shown: Vec<_> =
            all.iter().map(|(release, runs)| serde_json::json!({ "release": release, "runs_in": runs })).collect();
        print_json(&shown);
        return Ok(ExitCode::SUCCESS);
    }
    table(&["release", "commit", "", "tests", "size", "made", "runs in"], all.iter().map(row));
    Ok(ExitCode::SUCCESS)
}

fn row((release, runs): &(Release, Vec<String>)) -> Vec<String> {
    let counted: u64 = release.tests.values().filter_map(|t| t.passed).sum();
    let tests = match (release.tests.is_empty(), counted) {
        (true, _) => "–".to_owned(),
        (false, 0) => "passed".to_owned(),
        (false, n) => format!("{n} passed"),
    };
    vec![
        release.id.short().to_owned(),
        release.commit.as_ref().map_or_else(|| "–".to_owned(), |c| c.short().to_owned()),
        release.commit.as_ref().map_or_else(String::new, |c| plain(&c.subject).chars().take(40).collect()),
        tests,
        bytes(release.size),
        format!("{} ago", ago(release.made)),
        runs.join(", "),
    ]
}
