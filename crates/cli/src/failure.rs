//! Failures as a person or a program reads them; the one place where they become exit codes.

use std::process::ExitCode;

use ambit_domain::{Failure, FailureKind};

use crate::screen::{Paint, plain};

pub(crate) fn tell(failure: &Failure, json: bool) -> ExitCode {
    if json {
        eprintln!("{}", serde_json::json!({ "failure": failure }));
    } else {
        eprint!("{}", text(failure));
    }
    code(failure.kind)
}

pub(crate) fn text(failure: &Failure) -> String {
    let paint = Paint::stderr();
    format!("{} {}\n{}", paint.bad("error:"), plain(&failure.message), details(failure, paint))
}

/// Its causes and what to do next.
pub(crate) fn details(failure: &Failure, paint: Paint) -> String {
    let mut out = String::new();
    for cause in &failure.causes {
        for (n, line) in cause.lines().enumerate() {
            let mark = if n == 0 { "because" } else { "       " };
            out.push_str(&format!("  {} {}\n", paint.dim(mark), plain(line)));
        }
    }
    for hint in &failure.hints {
        out.push_str(&format!("  {} {}\n", paint.strong("next:  "), plain(hint)));
    }
    out
}

pub(crate) fn code(kind: FailureKind) -> ExitCode {
    ExitCode::from(match kind {
        FailureKind::User | FailureKind::Internal => 1,
        FailureKind::Machine => 3,
        FailureKind::Declaration => 4,
        FailureKind::App => 5,
        FailureKind::NotFound => 6,
        FailureKind::Interrupted => 130,
    })
}
