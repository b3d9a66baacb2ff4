//! The simulated services around on one port of this machine, for `ambit simulate`. What they hold is gone with the process.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A command says what it does.

use std::process::ExitCode;

use ambit_simulators::{Everything, Gateway, contract_folders};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(port) = arguments.next().and_then(|port| port.parse().ok()) else {
        eprintln!("error: usage: ambit-simulate PORT [--json]");
        return ExitCode::from(2);
    };
    let json = arguments.next().is_some_and(|word| word == "--json");
    let everything = Everything::new().free();
    for why in &everything.left_out {
        eprintln!("left out: {why}");
    }
    let services = everything.services();
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
