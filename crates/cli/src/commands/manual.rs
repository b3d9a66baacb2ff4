//! `ambit manual`: the reference of the command line and its man pages, made from what can be typed. Hidden: packages and the
//! documentation are made by it.

use std::{fs, path::Path, process::ExitCode};

use ambit_domain::{Failure, FailureKind};
use clap::{Arg, Command, CommandFactory};

use crate::arguments::Arguments;

/// The page of every command, as Markdown.
pub(crate) fn markdown() -> ExitCode {
    let mut whole = Arguments::command();
    whole.build();
    let mut page = String::from(
        "# The command line\n\nMade from the program by `ambit manual`; a test holds this page against it. Every command also takes \
         `--json`, `-C FOLDER` and `--help`.\n",
    );
    for command in shown(&whole) {
        section(command, "ambit", 2, &mut page);
    }
    print!("{page}");
    ExitCode::SUCCESS
}

/// A man page for each command.
pub(crate) fn man(folder: &Path) -> Result<ExitCode, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(FailureKind::Machine, format!("man pages cannot be written into {}", folder.display()))
            .because(error.to_string())
    };
    fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Arguments::command(), folder).map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help")
}

fn section(command: &Command, above: &str, depth: usize, page: &mut String) {
    let name = format!("{above} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.push_str(&format!("\n{} `{name}`\n\n{about}.\n", "#".repeat(depth)));
    let own: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_global_set()).collect();
    let own: Vec<&Arg> = own.into_iter().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())).collect();
    if !own.is_empty() {
        page.push_str("\n| argument | for |\n| --- | --- |\n");
        for arg in own {
            page.push_str(&format!("| `{}` | {} |\n", cell(&typed(arg)), cell(&told(arg))));
        }
    }
    if let Some(examples) = command.get_after_help() {
        let text = examples.to_string();
        let (head, rest) = text.split_once('\n').unwrap_or(("", &text));
        let head = head.trim();
        if head.starts_with("Example") {
            let (lines, after) = rest.split_once("\n\n").unwrap_or((rest, ""));
            let lines: Vec<&str> = lines.lines().map(str::trim).collect();
            page.push_str(&format!("\n```sh\n{}\n```\n", lines.join("\n")));
            if !after.is_empty() {
                page.push_str(&format!("\n{}\n", after.trim()));
            }
        }
    }
    for below in shown(command) {
        section(below, &name, depth + 1, page);
    }
}

/// An argument as it is typed.
fn typed(arg: &Arg) -> String {
    let value = || {
        let names: Vec<String> = match arg.get_value_names() {
            Some(names) => names.iter().map(ToString::to_string).collect(),
            None => vec![arg.get_id().as_str().to_uppercase()],
        };
        names.join(" ")
    };
    if arg.is_positional() {
        return value();
    }
    let names = [arg.get_short().map(|c| format!("-{c}")), arg.get_long().map(|long| format!("--{long}"))];
    let names: Vec<String> = names.into_iter().flatten().collect();
    let takes = arg.get_action().takes_values();
    format!("{}{}", names.join(", "), if takes { format!(" {}", value()) } else { String::new() })
}

/// What it is for, and what it may be.
fn told(arg: &Arg) -> String {
    let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| arg.get_action().takes_values() && !value.is_hide_set())
        .map(|value| value.get_name().to_owned())
        .collect();
    let defaults: Vec<String> = arg.get_default_values().iter().map(|v| v.to_string_lossy().into_owned()).collect();
    // Clap takes the full stop away.
    let mut all = format!("{about}.");
    if !values.is_empty() {
        all.push_str(&format!(" One of {}.", values.join(", ")));
    }
    if arg.get_action().takes_values() && !defaults.is_empty() {
        all.push_str(&format!(" {} where nothing is said.", defaults.join(" ")));
    }
    all
}

fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
