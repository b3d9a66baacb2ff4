//! The simulated services around on one port of this machine, for `ambit simulate`. What they hold is gone with the process.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A command says what it does.

use std::{process::ExitCode, sync::Arc, time::Duration};

use ambit_simulators::{
    CloudflareService, ExpoService, Gateway, GithubService, RailwayAccount, SentryService, Service, UptimeRobotService,
    contract, contract_folders,
};
use serde_json::json;

const RAILWAY: [&str; 2] = ["railway/schema.graphql", "railway/environment-config.schema.json"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(port) = arguments.next().and_then(|port| port.parse().ok()) else {
        eprintln!("error: usage: ambit-simulate PORT [--json]");
        return ExitCode::from(2);
    };
    let json = arguments.next().is_some_and(|word| word == "--json");
    let services: Vec<Arc<dyn Service>> = services();
    if services.is_empty() {
        let folders: Vec<String> = contract_folders().iter().map(|f| f.display().to_string()).collect();
        eprintln!("error: no published contract is here, so that nothing can be simulated by one");
        eprintln!("  looked in: {}", folders.join(", "));
        eprintln!("  help: script/contracts fetches them; or set AMBIT_CONTRACTS");
        return ExitCode::FAILURE;
    }
    let names: Vec<&str> = services.iter().map(|service| service.name()).collect();
    let told = names.join(", ");
    let server = match Gateway::start(port, services).await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("error: cannot listen on 127.0.0.1:{port}: {error}");
            eprintln!("  help: choose another one: ambit simulate --port {}", port.wrapping_add(1).max(1024));
            return ExitCode::from(3);
        }
    };
    let base = server.base();
    if json {
        println!("{}", json!({ "base": base, "services": told.split(", ").collect::<Vec<_>>() }));
    } else {
        println!("Simulated on this machine until ctrl-C: {told}");
        println!("  export AMBIT_SIMULATE={base}");
        println!("  ambit plan");
    }
    match tokio::signal::ctrl_c().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot wait for ctrl-C: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Those whose published contract is here.
fn services() -> Vec<Arc<dyn Service>> {
    let mut all: Vec<Arc<dyn Service>> = Vec::new();
    if let Some(document) = contract("cloudflare/openapi.json") {
        all.push(Arc::new(CloudflareService::new("", &document)));
    }
    match contract("expo/schema.graphql").map(|sdl| ExpoService::new("", &sdl)) {
        Some(Ok(service)) => all.push(Arc::new(service)),
        Some(Err(why)) => eprintln!("left out: expo: its schema cannot be read: {why}"),
        None => {}
    }
    if let Some(document) = contract("sentry/openapi.json") {
        all.push(Arc::new(SentryService::new("", "", &document)));
    }
    if let Some(document) = contract("uptimerobot/openapi.v3.json") {
        let account = UptimeRobotService::new(&document);
        account.limit(10, Duration::from_secs(60));
        all.push(Arc::new(account));
    }
    if let Some((schema, config)) = contract(RAILWAY[0]).zip(contract(RAILWAY[1])) {
        match RailwayAccount::new(&schema, &config) {
            Ok(account) => all.push(Arc::new(account)),
            Err(why) => eprintln!("skipped: the contracts of Railway cannot be read: {why}"),
        }
    }
    if let Some(document) = contract("github/openapi.json") {
        all.push(Arc::new(GithubService::new("", &document)));
    }
    all
}
