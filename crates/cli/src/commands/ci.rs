//! `ambit ci`

use std::{path::Path, process::ExitCode};

use ambit_app::{WorkflowFile, Workflows, workflow_drift, write_workflows};
use ambit_domain::{
    Failure, FailureKind,
    ci::{CiDrift, CiState, Target},
};

use super::print_json;
use crate::{
    arguments::{CiTarget, GithubWorkflows},
    screen::{Paint, plain},
};

pub(crate) fn github(folder: &Path, what: GithubWorkflows, json: bool) -> Result<ExitCode, Failure> {
    let target = what.target.map(|target| match target {
        CiTarget::Host => Target::Host,
        CiTarget::Railway => Target::Railway,
    });
    let which = Workflows { environments: what.environment, target };
    if what.check {
        return check(folder, &which, json);
    }
    let files = write_workflows(folder, &which, what.force)?;
    if json {
        print_json(&files);
    } else {
        files.iter().for_each(show);
    }
    Ok(ExitCode::SUCCESS)
}

/// `.github/workflows/deploy-test.yml:12: what is wrong; expected what`
pub(crate) fn place(drift: &CiDrift) -> String {
    let line = drift.line.map(|line| format!(":{line}")).unwrap_or_default();
    plain(&format!("{}{line}: {}; expected {}", drift.file, drift.message, drift.expected))
}

fn check(folder: &Path, which: &Workflows, json: bool) -> Result<ExitCode, Failure> {
    let found = workflow_drift(folder, which)?;
    if json {
        print_json(&found);
        return Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(4) });
    }
    if found.is_empty() {
        println!("{} the workflows are as ambit.toml has them", Paint::stdout().good("✓"));
        return Ok(ExitCode::SUCCESS);
    }
    let failure = Failure::new(FailureKind::Declaration, "the pipeline at GitHub is not as ambit.toml declares it");
    Err(found.iter().fold(failure, |failure, drift| failure.because(place(drift))).hint("ambit ci github"))
}

fn show(written: &WorkflowFile) {
    let paint = Paint::stdout();
    let word = match written.state {
        CiState::Written => "written",
        CiState::Unchanged => "unchanged",
        CiState::Removed => "removed",
    };
    println!("{} {} {word}", paint.good("✓"), plain(&written.file.display().to_string()));
    let Some(environment) = &written.environment else { return };
    if written.tests.is_empty() {
        println!("  {} nothing is tested: no service has a `test` command", paint.strong("!"));
    }
    if written.state == CiState::Written {
        let needed = match written.target {
            Target::Host => "the variables AMBIT_HOST and AMBIT_HOST_KEY and the secret AMBIT_SSH_KEY",
            Target::Railway => "the secret RAILWAY_TOKEN",
        };
        println!("  {}", paint.dim(&format!("the environment {environment} at GitHub needs {needed}: docs/ci.md")));
    }
}
