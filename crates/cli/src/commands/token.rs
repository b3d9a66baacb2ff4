//! `ambit token`

use std::{path::Path, process::ExitCode};

use ambit_app::{CreateToken, CreatedToken, RevokeToken};
use ambit_domain::{Failure, access::Token};

use super::print_json;
use crate::{
    arguments::TokenCommand,
    context,
    screen::{ago, table, until},
};

pub(crate) async fn run(directory: Option<&Path>, command: TokenCommand, json: bool) -> Result<ExitCode, Failure> {
    match command {
        TokenCommand::Create { label, role, user, project, expires } => {
            let actor = context::person(directory);
            let request = CreateToken { label, user, role, project, lasts: expires, actor };
            let made: CreatedToken = context::daemon().await?.work("/v1/token", &request, |_| {}).await?;
            if json {
                print_json(&made);
            } else {
                println!("{}", made.secret);
                println!("\nshown this once; it is {} in the name of {}", made.token.role, made.token.user);
            }
        }
        TokenCommand::Revoke { label } => {
            let request = RevokeToken { label: label.clone(), actor: context::person(directory) };
            let () = context::daemon().await?.work("/v1/token/revoke", &request, |_| {}).await?;
            if json {
                print_json(&serde_json::json!({ "revoked": label }));
            } else {
                println!("✓ {label} is good for nothing any more");
            }
        }
        TokenCommand::List => {
            let all = context::ambit()?.tokens()?;
            if json {
                print_json(&all);
            } else if all.is_empty() {
                println!("there is none; ambit token create");
            } else {
                table(&["token", "user", "role", "project", "ends", "last used"], all.iter().map(row));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(token: &Token) -> Vec<String> {
    vec![
        token.label.clone(),
        token.user.to_string(),
        token.role.to_string(),
        token.project.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string),
        until(token.until).map_or_else(|| "ended".to_owned(), |left| format!("in {left}")),
        token.used.map_or_else(|| "never".to_owned(), |at| format!("{} ago", ago(at))),
    ]
}
