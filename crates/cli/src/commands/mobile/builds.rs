//! `ambit mobile builds`

use std::{path::Path, process::ExitCode};

use ambit_app::MobileBuildView;
use ambit_domain::Failure;

use super::super::print_json;
use crate::{
    context,
    screen::{ago, bytes, plain, table},
};

pub(crate) fn run(folder: &Path, environment: Option<&str>, json: bool) -> Result<ExitCode, Failure> {
    let project = context::project(folder)?;
    let ambit = context::ambit()?;
    let id = match environment {
        Some(name) => Some(ambit.known(&project, &[name.to_owned()])?.remove(0)),
        None => None,
    };
    let all = ambit.mobile_builds(&project, id.as_ref())?;
    if json {
        print_json(&all);
    } else if all.is_empty() {
        println!("nothing was published yet; next: ambit mobile publish app.apk -e {}", environment.unwrap_or("test"));
    } else {
        table(&["build", "version", "commit", "size", "published", "qa", ""], all.iter().map(row));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(MobileBuildView { build, page, .. }: &MobileBuildView) -> Vec<String> {
    let verdict = build.verdict.as_ref().map_or_else(
        || "–".to_owned(),
        |verdict| {
            let word = if verdict.yes { "approved" } else { "rejected" };
            let note: String = plain(&verdict.note).chars().take(40).collect();
            format!("{word} by {}: {note}", plain(&verdict.actor.who)).trim_end_matches(": ").to_owned()
        },
    );
    vec![
        build.id.to_string(),
        plain(&build.version),
        build.commit.as_deref().map_or_else(|| "–".to_owned(), |c| c.chars().take(7).collect()),
        bytes(build.size),
        format!("{} ago", ago(build.published)),
        verdict,
        page.clone().unwrap_or_default(),
    ]
}
