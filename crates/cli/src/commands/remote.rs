//! `ambit remote add`

use std::{path::Path, process::ExitCode};

use ambit_app::{AddRemote, Remote};
use ambit_domain::Failure;

use super::print_json;
use crate::{context, screen::Paint};

pub(crate) async fn add(folder: &Path, name: String, json: bool) -> Result<ExitCode, Failure> {
    let project = context::project(folder)?;
    let request = AddRemote { folder: folder.to_path_buf(), name: name.clone(), actor: context::actor(folder) };
    let remote: Remote = context::daemon().await?.work("/v1/remote/add", &request, |_| {}).await?;
    let elsewhere = format!("ssh://{}@{}/{project}.git", context::os_user(), context::host_name());
    if json {
        print_json(&serde_json::json!({
            "name": name, "url": remote.path, "ssh": elsewhere, "changed": remote.changed,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let paint = Paint::stdout();
    let what = if remote.changed { "leads to" } else { "leads already to" };
    println!("{} {name} {what} {}", paint.good("✓"), remote.path.display());
    println!("  next: git push {name} BRANCH deploys what follows the branch");
    println!("  from another machine: git remote add {name} {elsewhere}");
    println!("  whose key comes in there: ambit ssh key add --name WHO --write < key.pub");
    Ok(ExitCode::SUCCESS)
}
