//! A keeper for the tests of this room: `holder keeper RECORD`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(2) else { return ExitCode::from(2) };
    match ambit_keeper::run(folder.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
