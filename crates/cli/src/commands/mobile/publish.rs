//! `ambit mobile publish`

use std::{io::IsTerminal, path::Path, process::ExitCode};

use ambit_app::{Changes, PublishBuild, PublishedBuild};
use ambit_domain::{Failure, FailureKind};

use super::super::print_json;
use crate::{
    context,
    progress::Lines,
    screen::{Paint, bytes, plain},
};

/// Where it is said what changed.
pub(crate) fn changes(text: Option<String>, from_changelog: bool) -> Changes {
    match (text, from_changelog) {
        (Some(text), _) => Changes::Text(text),
        (None, true) => Changes::Changelog,
        (None, false) => Changes::Commits,
    }
}

pub(crate) async fn run(
    folder: &Path,
    file: &Path,
    environment: &str,
    commit: Option<String>,
    changes: Changes,
    json: bool,
) -> Result<ExitCode, Failure> {
    let id = context::environment(folder, environment)?;
    // The daemon works in another folder.
    let file = std::path::absolute(file)
        .map_err(|e| Failure::new(FailureKind::User, "the file has no name").because(e.to_string()))?;
    let request = PublishBuild {
        folder: folder.to_path_buf(),
        environment: id.environment,
        file,
        commit,
        changes,
        actor: context::actor(folder),
    };
    let lines = Lines::new(json);
    let published: PublishedBuild =
        context::daemon().await?.work("/v1/mobile/publish", &request, |event| lines.show(&event)).await?;
    if json {
        print_json(&published);
    } else {
        show(&published);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(published: &PublishedBuild) {
    let paint = Paint::stdout();
    let PublishedBuild { view, new, warnings } = published;
    let build = &view.build;
    let done = if *new { "is published" } else { "was published before" };
    println!(
        "{} {} {} ({}) {done} as {} in {}",
        paint.good("✓"),
        plain(&build.name),
        plain(&build.version),
        build.version_code,
        build.id,
        build.environment.environment
    );
    println!("  sha256  {}", build.sha256);
    println!("  size    {}", bytes(build.size));
    for change in &build.changes {
        println!("  - {}", plain(change));
    }
    for warning in warnings {
        println!("{} {}", paint.strong("!"), plain(warning));
    }
    if let Some(url) = &view.url {
        // A terminal is mostly dark: what is drawn there are the light modules.
        if let Ok(code) = qrcode::QrCode::new(url) {
            let inverted = std::io::stdout().is_terminal();
            let mut drawing = code.render::<qrcode::render::unicode::Dense1x2>();
            if inverted {
                use qrcode::render::unicode::Dense1x2::{Dark, Light};
                drawing.dark_color(Light).light_color(Dark);
            }
            println!("{}", drawing.build());
        }
        println!("  {url}");
    }
    if let Some(page) = &view.page {
        println!("  {page}");
    }
    println!("next: ambit qa approve {0} --note \"…\"   or: ambit qa reject {0} --note \"…\"", build.id);
}
