//! The proxy alone: `proxy FOLDER THREADS [UID:GID] [--take-over] [tls:]ADDRESS...`, logging to stderr.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let mut arguments = std::env::args().skip(1).peekable();
    let (Some(folder), Some(Ok(threads))) = (arguments.next().map(PathBuf::from), arguments.next().map(|t| t.parse()))
    else {
        tracing::error!("usage: proxy FOLDER THREADS [UID:GID] [--take-over] [tls:]ADDRESS...");
        return ExitCode::from(2);
    };
    let user = arguments
        .peek()
        .and_then(|a| a.split_once(':'))
        .and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    if user.is_some() {
        arguments.next();
    }
    let take_over = arguments.next_if(|a| a == "--take-over").is_some();
    let (listen_tls, listen): (Vec<_>, Vec<_>) = arguments.partition(|a| a.starts_with("tls:"));
    let addresses = |texts: Vec<String>| {
        texts.iter().map(|a| a.trim_start_matches("tls:").parse()).collect::<Result<Vec<SocketAddr>, _>>()
    };
    let (listen, listen_tls) = match addresses(listen).and_then(|plain| Ok((plain, addresses(listen_tls)?))) {
        Ok(both) => both,
        Err(error) => {
            tracing::error!("not an address and port: {error}");
            return ExitCode::from(2);
        }
    };
    let config =
        ambit_proxy::Config { threads, user, listen_tls, take_over, ..ambit_proxy::Config::new(folder, listen) };
    match ambit_proxy::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(hint = error.hint(), "{error}");
            ExitCode::FAILURE
        }
    }
}
