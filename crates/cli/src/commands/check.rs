//! `ambit check`

use std::{path::Path, process::ExitCode};

use ambit_app::Checked;
use ambit_domain::{
    Failure,
    spec::{Diagnostic, Severity},
};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};

use super::print_json;
use crate::{
    context,
    screen::{Paint, plain},
};

pub(crate) fn run(folder: &Path, json: bool) -> Result<ExitCode, Failure> {
    // Without a readable name there is no key to look for; the file's own mistakes are told all the same.
    let keys = context::project(folder).ok().map(|p| context::keys(&p)).transpose()?.unwrap_or_default();
    let checked = ambit_app::check(folder, &keys)?;
    let errors = checked.errors();
    if json {
        let located: Vec<_> = checked
            .diagnostics
            .iter()
            .map(|d| {
                let (line, column) = d.line_column(&checked.text).unzip();
                serde_json::json!({ "severity": d.severity, "message": d.message, "label": d.label, "help": d.help,
                    "file": "ambit.toml", "line": line, "column": column })
            })
            .collect();
        print_json(&serde_json::json!({ "errors": errors, "diagnostics": located, "leaks": checked.leaks,
            "mobile": checked.mobile, "workflows": checked.workflows }));
    } else {
        print(&checked);
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(4) })
}

/// Shows the mistakes of a declaration with pictures; whether there was none.
pub(crate) fn declaration_is_sound(folder: &Path, keys: &str, json: bool) -> Result<bool, Failure> {
    let checked = ambit_app::check_declaration(folder, keys)?;
    if checked.errors() == 0 {
        return Ok(true);
    }
    if json {
        print_json(&serde_json::json!({ "errors": checked.errors(), "diagnostics": checked.diagnostics }));
    } else {
        print(&checked);
    }
    Ok(false)
}

fn print(checked: &Checked) {
    let paint = Paint::stderr();
    for diagnostic in &checked.diagnostics {
        eprint!("{}", picture(diagnostic, checked, paint));
    }
    for leak in &checked.leaks {
        eprintln!(
            "{} {} in a tracked file\n  {}:{}:{}  {}\n  help: {}",
            paint.bad("error:"),
            plain(&leak.what.to_string()),
            plain(&leak.path.display().to_string()),
            leak.line,
            leak.column,
            plain(&leak.excerpt),
            plain(&leak.help)
        );
    }
    for drift in &checked.mobile {
        eprintln!("{} {}\n  help: ambit mobile sync", paint.bad("error:"), super::mobile::place(drift));
    }
    for drift in &checked.workflows {
        let word = if drift.by_hand { paint.bad("error:") } else { paint.strong("warning:") };
        eprintln!("{word} {}\n  help: ambit ci github", super::ci::place(drift));
    }
    match checked.errors() {
        0 => println!("{} ambit.toml is sound", Paint::stdout().good("✓")),
        1 => eprintln!("1 error, nothing was changed."),
        n => eprintln!("{n} errors, nothing was changed."),
    }
}

/// A longer line is not shown: nobody would find the mark below it.
const LONGEST_LINE: usize = 2000;

/// One finding with its line and a mark below the place.
fn picture(diagnostic: &Diagnostic, checked: &Checked, paint: Paint) -> String {
    if let Some((line, column)) = diagnostic.line_column(&checked.text)
        && checked.text.lines().nth(line - 1).is_some_and(|text| text.len() > LONGEST_LINE)
    {
        let message = plain(&diagnostic.message);
        let help = diagnostic.help.as_deref().map(|h| format!("  help: {}\n", plain(h))).unwrap_or_default();
        return format!("{} {message}\n  ambit.toml:{line}:{column}\n{help}", paint.bad("error:"));
    }
    let mut report = MietteDiagnostic::new(plain(&diagnostic.message));
    report.severity = Some(match diagnostic.severity {
        Severity::Error => miette::Severity::Error,
        Severity::Warning => miette::Severity::Warning,
    });
    report.help = diagnostic.help.as_deref().map(plain);
    if let Some(span) = &diagnostic.span {
        let end = span.end.min(checked.text.len());
        let start = span.start.min(end);
        report.labels = Some(vec![LabeledSpan::new(diagnostic.label.as_deref().map(plain), start, end - start)]);
    }
    let theme = if paint.on() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let report = Report::from(report).with_source_code(NamedSource::new("ambit.toml", harmless(&checked.text)));
    let mut out = String::new();
    match GraphicalReportHandler::new_themed(theme).with_width(100).render_report(&mut out, report.as_ref()) {
        Ok(()) => out,
        Err(_) => format!("error: {}\n", diagnostic.message),
    }
}

/// The file's text without what a terminal would obey; every place in it stays where it was.
fn harmless(text: &str) -> String {
    let instead = |c: char| match c {
        '\n' | '\t' | '\r' => c,
        c if c.is_ascii_control() => '?',
        // Two bytes, as what it stands for.
        c if c.is_control() => '¿',
        c => c,
    };
    text.chars().map(instead).collect()
}
