//! `ambit dashboard`

use std::{path::Path, process::ExitCode};

use ambit_app::{DashboardAddress, PlaceDashboard};
use ambit_domain::Failure;

use super::print_json;
use crate::context;

pub(crate) async fn run(
    directory: Option<&Path>,
    port: Option<u16>,
    host: Option<String>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let host = host.map(|host| if host == "off" { String::new() } else { host });
    let request = PlaceDashboard { port, host, actor: context::person(directory) };
    let address: DashboardAddress = context::daemon().await?.work("/v1/dashboard", &request, |_| {}).await?;
    if json {
        print_json(&serde_json::json!({ "url": address.url(), "port": address.port, "host": address.host }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", address.url());
    if let Some(host) = &address.host {
        println!("https://{host}   (through the proxy; it needs a certificate: ambit certificate list)");
    }
    println!("\nto sign in: ambit login");
    Ok(ExitCode::SUCCESS)
}
