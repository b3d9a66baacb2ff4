//! `psql` for whoever is reached by a login, wherever that is: it speaks TLS, and its password is in its environment and nowhere else.

use std::{path::PathBuf, process::Stdio, time::Duration};

use ambit_domain::{Failure, FailureKind, relocation::Login};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use crate::{postgres::installed, users::User};

/// What stands between fields: no name of a table holds it.
pub(crate) const FIELD: char = '\u{1f}';
/// What ends a row, of whichever statement: no value holds it.
pub(crate) const ROW: char = '\0';

/// What PostgreSQL's programs take from the environment.
pub(crate) fn variables(login: &Login) -> [(&'static str, String); 7] {
    [
        ("PGHOST", login.host.clone()),
        ("PGPORT", login.port.to_string()),
        ("PGUSER", login.user.clone()),
        ("PGPASSWORD", login.password.clone()),
        ("PGDATABASE", login.database.clone()),
        ("PGSSLMODE", if login.tls { "require" } else { "prefer" }.to_owned()),
        ("PGCONNECT_TIMEOUT", "20".to_owned()),
    ]
}

/// Runs SQL, each statement by itself; what it answers, in fields and rows.
pub(crate) async fn ask(login: &Login, sql: &str, user: Option<User>, within: Duration) -> Result<String, Failure> {
    let failed = |why: String| {
        Failure::new(FailureKind::Machine, format!("PostgreSQL at {}:{} does not do that", login.host, login.port))
            .because(why)
    };
    // The newest speaks to every earlier server.
    let program = installed().pop().map_or_else(|| PathBuf::from("psql"), |newest| newest.programs.join("psql"));
    let mut psql = Command::new(program);
    psql.args(["-XAtq0", "-v", "ON_ERROR_STOP=1", "-F", FIELD.encode_utf8(&mut [0; 4]), "-f", "-"])
        .env_clear()
        .envs(variables(login))
        .env("PATH", "/usr/bin:/bin")
        .env("PGAPPNAME", "ambit")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(user) = user {
        psql.uid(user.uid).gid(user.gid);
    }
    let mut child = psql.spawn().map_err(|error| {
        Failure::new(FailureKind::Machine, "psql cannot be started")
            .because(error.to_string())
            .hint("apt-get install postgresql-client")
    })?;
    let run = async {
        if let Some(mut stdin) = child.stdin.take() {
            // A psql that ended does not read; it says why below.
            let _ = stdin.write_all(sql.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = timeout(within, run).await.map_err(|_| failed(format!("nothing within {} s", within.as_secs())))?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().replace(&login.password, "(secret)");
        return Err(failed(said));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
