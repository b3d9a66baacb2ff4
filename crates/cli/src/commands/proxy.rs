//! `ambit proxy`: started by its keeper.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use ambit_domain::{Failure, FailureKind};

pub(crate) fn run(
    folder: PathBuf,
    listen: Vec<SocketAddr>,
    listen_tls: Vec<SocketAddr>,
    user: Option<&str>,
    take_over: bool,
) -> Result<ExitCode, Failure> {
    super::daemon::logging();
    let mut config = ambit_proxy::Config { listen_tls, take_over, ..ambit_proxy::Config::new(folder, listen) };
    if let Some(user) = user {
        let ids = user.split_once(':').and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
        config.user = Some(ids.ok_or_else(|| Failure::new(FailureKind::User, "--user takes UID:GID"))?);
    }
    ambit_proxy::run(config).map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
    Ok(ExitCode::SUCCESS)
}
