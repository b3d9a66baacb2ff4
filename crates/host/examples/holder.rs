//! Keeper and proxy for the tests of this room: `holder keeper RECORD`, `holder proxy FOLDER --take-over --listen ADDRESS
//! [--user UID:GID]`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let well = match words.as_slice() {
        ["keeper", record] => ambit_keeper::run(record.as_ref()).is_ok(),
        ["proxy", folder, "--take-over", "--listen", address, rest @ ..] => {
            let Ok(address) = address.parse() else { return ExitCode::from(2) };
            let mut config = ambit_proxy::Config::new(folder, vec![address]);
            config.take_over = true;
            if let ["--user", user] = rest {
                config.user = user.split_once(':').and_then(|(u, g)| Some((u.parse().ok()?, g.parse().ok()?)));
            }
            ambit_proxy::run(config).is_ok()
        }
        _ => return ExitCode::from(2),
    };
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
