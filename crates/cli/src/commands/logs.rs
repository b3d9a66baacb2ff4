//! `ambit logs`

use std::{path::Path, process::ExitCode, thread, time::Duration};

use ambit_domain::Failure;

use crate::{
    context,
    screen::{Paint, plain},
};

pub(crate) fn run(
    folder: &Path,
    environments: &[String],
    services: &[String],
    follow: bool,
    lines: usize,
    json: bool,
) -> Result<ExitCode, Failure> {
    let project = context::project(folder)?;
    let ambit = context::ambit()?;
    let mut reader = ambit.logs(&project, environments, services)?;
    let paint = Paint::stdout();
    loop {
        for line in ambit.read_logs(&mut reader, lines) {
            if json {
                println!("{}", serde_json::to_string(&line).unwrap_or_default());
            } else {
                let who = format!("{}/{}", line.environment, line.instance);
                println!("{} {} {}", paint.dim(&line.at), paint.hashed(&format!("{who:<16}")), plain(&line.text));
            }
        }
        if !follow {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(Duration::from_millis(100));
    }
}
