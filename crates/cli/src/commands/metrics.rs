//! `ambit metrics`

use std::process::ExitCode;

use ambit_domain::Failure;
use ambit_server::Client;

use super::print_json;
use crate::context;

pub(crate) async fn run(json: bool) -> Result<ExitCode, Failure> {
    let text = Client::new(&context::home()?).metrics().await?;
    if json {
        print_json(&text);
    } else {
        print!("{text}");
    }
    Ok(ExitCode::SUCCESS)
}
