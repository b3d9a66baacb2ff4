//! `ambit user`

use std::{path::Path, process::ExitCode};

use ambit_app::{RemoveUser, SetUser};
use ambit_domain::{
    Failure,
    access::{Role, User},
};

use super::print_json;
use crate::{
    arguments::UserCommand,
    context,
    screen::{ago, table},
};

pub(crate) async fn run(directory: Option<&Path>, command: UserCommand, json: bool) -> Result<ExitCode, Failure> {
    match command {
        UserCommand::Add { name, role } => {
            let user = set(directory, name, role, false).await?;
            if json {
                print_json(&user);
            } else {
                println!("✓ {} is added as {}", user.name, user.role);
                println!("  a link to sign in with: ambit login --user {}", user.name);
            }
        }
        UserCommand::Role { name, role } => {
            let user = set(directory, name, role, true).await?;
            if json {
                print_json(&user);
            } else {
                println!("✓ {} is {} from now on", user.name, user.role);
            }
        }
        UserCommand::Remove { name } => {
            let request = RemoveUser { name: name.clone(), actor: context::person(directory) };
            let () = context::daemon().await?.work("/v1/user/remove", &request, |_| {}).await?;
            if json {
                print_json(&serde_json::json!({ "removed": name }));
            } else {
                println!("✓ {name} is removed, with every session and token");
            }
        }
        UserCommand::List => {
            let all = context::ambit()?.users()?;
            if json {
                print_json(&all);
            } else if all.is_empty() {
                println!("there is nobody; ambit login makes you the first");
            } else {
                let row = |user: &User| {
                    vec![user.name.to_string(), user.role.to_string(), format!("{} ago", ago(user.added))]
                };
                table(&["user", "role", "added"], all.iter().map(row));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(directory: Option<&Path>, name: String, role: Role, known: bool) -> Result<User, Failure> {
    let request = SetUser { name, role, known, actor: context::person(directory) };
    context::daemon().await?.work("/v1/user", &request, |_| {}).await
}
