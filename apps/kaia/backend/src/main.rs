//! `kaia-backend` serves, `kaia-backend migrate` brings the database up to date, `kaia-backend seed` fills a new one for
//! development, `kaia-backend grant-admin EMAIL` makes an administrator.

use std::{error::Error, process::ExitCode};

use kaia_backend::{
    config::{self, Config},
    grant, migrate, pool, seed, serve,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    // Several crates use rustls; this is the one that does its cryptography.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serve::run(Config::from_environment()?).await,
        ["migrate"] => migrate::run(&config::database_alone()?.0).await,
        ["seed"] => {
            let (database, kind) = config::database_alone()?;
            seed::run(&pool(&database), kind).await
        }
        ["grant-admin", email] => grant::admin(&pool(&config::database_alone()?.0), email).await,
        _ => Err("unknown command: migrate, seed, grant-admin EMAIL, or none to serve".into()),
    }
}
