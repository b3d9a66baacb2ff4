//! `ambit env`

use std::{path::Path, process::ExitCode};

use ambit_domain::{Failure, spec::Origin};
use ambit_spec::Format;

use super::print_json;
use crate::{
    arguments::EnvFormat,
    context,
    screen::{Paint, columns, plain},
};

pub(crate) fn run(
    folder: &Path,
    environment: &str,
    reveal: bool,
    here: bool,
    format: Option<EnvFormat>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let declaration = context::declaration(folder)?;
    let ambit = context::ambit()?;
    let names = declaration.select(&[environment.to_owned()])?;
    let Some(name) = names.first() else { return Ok(ExitCode::SUCCESS) };
    let shown = ambit.variables(&declaration, name)?;
    let hide = |secret: bool, value: &str| {
        if secret && !reveal { "••••••••".to_owned() } else { value.to_owned() }
    };
    if let Some(format) = format {
        let format = match format {
            EnvFormat::Dotenv => Format::Dotenv,
            EnvFormat::Json => Format::Json,
            EnvFormat::Shell => Format::Shell,
        };
        let values: Vec<(String, String)> = shown
            .iter()
            .map(|v| {
                let value = if here { v.here.as_ref().unwrap_or(&v.value) } else { &v.value };
                (v.name.clone(), hide(v.secret, value))
            })
            .collect();
        print!("{}", ambit_spec::write(format, &values));
        return Ok(ExitCode::SUCCESS);
    }
    if json {
        let list: Vec<_> = shown
            .iter()
            .map(|v| {
                serde_json::json!({ "name": v.name, "value": hide(v.secret, &v.value), "secret": v.secret,
                    "here": v.here.as_ref().map(|h| hide(v.secret, h)), "origin": v.origin })
            })
            .collect();
        print_json(&list);
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = shown
        .iter()
        .map(|v| {
            let origin = match v.origin {
                Origin::Shared => "all environments".to_owned(),
                Origin::Own => format!("{name} only"),
                Origin::Implied => "ambit".to_owned(),
            };
            let value = match (&v.here, here) {
                (Some(h), true) => hide(v.secret, h),
                (Some(h), false) => format!("{}   (here: {})", hide(v.secret, &v.value), hide(v.secret, h)),
                (None, _) => hide(v.secret, &v.value),
            };
            vec![v.name.clone(), origin, plain(&value)]
        })
        .collect();
    for row in columns(&rows, "") {
        println!("{row}");
    }
    if !reveal && shown.iter().any(|v| v.secret) {
        eprintln!("{}", Paint::stderr().dim("secrets are hidden; --reveal shows them"));
    }
    Ok(ExitCode::SUCCESS)
}
