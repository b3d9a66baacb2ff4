//! The project's files: the declaration, the key, the secrets, and what is generated from them.

use ambit_domain::{
    Failure,
    diagnosis::{Check, Trouble},
    spec::{Diagnostic, EnvironmentName, Severity},
};

use super::{Patient, told};
use crate::declaration::{Declaration, LoadError};

/// The declaration, where it can be read.
pub(super) fn look(patient: &Patient<'_>) -> Result<(Option<Declaration>, Vec<Check>), Failure> {
    let Some(folder) = patient.folder else { return Ok((None, Vec::new())) };
    let (keys, key) = match &patient.keys {
        Ok(keys) => (keys.as_str(), Ok(())),
        Err(failure) => ("", Err(told(failure, "the key was read"))),
    };
    let key = Check::new("key", "the key that opens the secrets can be read", key);
    let declared = match Declaration::load(folder, keys) {
        Ok(declaration) => {
            let mut checks = vec![Check::new("declaration", "ambit.toml is sound", Ok(())), key];
            checks.extend(secrets(&declaration));
            (Some(declaration), checks)
        }
        Err(LoadError::Invalid(invalid)) => {
            let errors = invalid.diagnostics.iter().filter(|d| d.severity == Severity::Error);
            let checks = errors.map(|error| {
                let place = error.line_column(&invalid.text).map(|(line, column)| format!(":{line}:{column}"));
                let label = error.label.as_ref().map(|label| format!(" ({label})")).unwrap_or_default();
                let seen = format!("ambit.toml{}{label}", place.unwrap_or_default());
                let mend = error.help.clone().unwrap_or_else(|| "ambit check shows the place".to_owned());
                Check::new("declaration", "ambit.toml is sound", Err(Trouble::new(error.message.clone(), seen, mend)))
            });
            (None, checks.chain([key]).collect())
        }
        Err(LoadError::Failure(failure)) => {
            let trouble = Trouble { mend: mends(&failure), ..told(&failure, "it was read") };
            (None, vec![Check::new("declaration", "ambit.toml can be read", Err(trouble)), key])
        }
    };
    Ok(declared)
}

fn mends(failure: &Failure) -> Vec<String> {
    if failure.hints.is_empty() { vec!["ambit check".to_owned()] } else { failure.hints.clone() }
}

/// Whether the secrets can be opened, are set and strong enough.
fn secrets(declaration: &Declaration) -> Vec<Check> {
    let troubles = match declaration.check_secrets() {
        Err(failure) => vec![told(&failure, "a secret was opened")],
        Ok(weak) => {
            let value =
                |environment: &EnvironmentName, name: &str| declaration.secret(environment, name).ok().flatten();
            let errors = weak.into_iter().filter(|d| d.severity == Severity::Error);
            errors.chain(ambit_spec::unset_secrets(&declaration.project, &value)).map(|d| of(&d)).collect()
        }
    };
    let check = |found| Check::new("secrets", "the secrets are set and strong enough", found).needs(["key"]);
    if troubles.is_empty() {
        return vec![check(Ok(()))];
    }
    troubles.into_iter().map(|trouble| check(Err(trouble))).collect()
}

fn of(diagnostic: &Diagnostic) -> Trouble {
    let help = diagnostic.help.clone().unwrap_or_else(|| "ambit check".to_owned());
    let mend = help.split(" · ").map(str::to_owned).collect();
    Trouble { wrong: diagnostic.message.clone(), seen: "ambit.secrets was opened".to_owned(), mend }
}
