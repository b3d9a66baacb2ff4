//! `ambit mobile builds --expo`

use std::{path::Path, process::ExitCode};

use ambit_app::ExpoBuild;
use ambit_domain::Failure;

use super::super::{outside, print_json};
use crate::{
    context,
    screen::{plain, table},
};

pub(crate) async fn run(folder: &Path, environment: Option<&str>, json: bool) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let name = match environment {
        Some(name) => Some(declaration.select(&[name.to_owned()])?.remove(0)),
        None => None,
    };
    let tokens = outside::tokens(&declaration);
    let all = ambit_app::expo_builds(&declaration, &tokens, name.as_ref()).await?;
    if json {
        print_json(&all);
    } else if all.is_empty() {
        println!("Expo has no build by these profiles; next: ambit mobile build --profile …");
    } else {
        table(&["build", "env", "profile", "version", "commit", "state", "asked for", ""], all.iter().map(row));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(ExpoBuild { environment, build }: &ExpoBuild) -> Vec<String> {
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), plain);
    let code = build.version_code.as_deref().map(|code| format!(" ({})", plain(code))).unwrap_or_default();
    let short = |text: &str| plain(text).chars().take(7).collect::<String>();
    let why = build.error.as_ref().map(|e| format!("{}: {}", plain(&e.code), plain(&e.message)));
    vec![
        plain(&build.id),
        environment.to_string(),
        text(&build.profile),
        format!("{}{code}", text(&build.version)),
        build.commit.as_deref().map_or_else(|| "–".to_owned(), short),
        build.state.to_string(),
        plain(&build.created).chars().take(16).collect::<String>().replace('T', " "),
        why.unwrap_or_default(),
    ]
}
