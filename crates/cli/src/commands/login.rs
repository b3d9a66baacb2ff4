//! `ambit login`

use std::{path::Path, process::ExitCode};

use ambit_app::{SignIn, SignInLink};
use ambit_domain::Failure;

use super::print_json;
use crate::context;

pub(crate) async fn run(directory: Option<&Path>, user: Option<String>, json: bool) -> Result<ExitCode, Failure> {
    let request = SignIn { user, actor: context::person(directory) };
    let link: SignInLink = context::daemon().await?.work("/v1/sign-in-link", &request, |_| {}).await?;
    let address = context::ambit()?.dashboard()?;
    let mut bases = vec![address.url()];
    bases.extend(address.host.as_ref().map(|host| format!("https://{host}")));
    let urls: Vec<String> = bases.iter().map(|base| format!("{base}/sign-in?code={}", link.code)).collect();
    if json {
        print_json(&serde_json::json!({ "user": link.user, "urls": urls, "until": link.until }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} ({}) signs in, once, within ten minutes, with:", link.user.name, link.user.role);
    for url in urls {
        println!("  {url}");
    }
    Ok(ExitCode::SUCCESS)
}
