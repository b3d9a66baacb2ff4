//! `check`: everything that can be known to be wrong before anything is changed.

use std::path::{Path, PathBuf};

use ambit_domain::{
    Failure,
    ci::CiDrift,
    mobile::Drift,
    spec::{Diagnostic, EnvironmentName, Severity},
};
use ambit_secrets::scan::Finding;

use crate::{
    ci::drift_where_used,
    code::source_failure,
    declaration::{Declaration, Invalid, LoadError},
    mobile::drift_of,
};

/// What a check found.
pub struct Checked {
    /// The declaration's file.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
    /// Findings about it.
    pub diagnostics: Vec<Diagnostic>,
    /// Secrets in files that git tracks.
    pub leaks: Vec<Finding>,
    /// What the mobile app would be built by instead of what is declared.
    pub mobile: Vec<Drift>,
    /// Workflows of GitHub that are not as declared.
    pub workflows: Vec<CiDrift>,
}

impl Checked {
    /// How many findings stop the work.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
            + self.leaks.len()
            + self.mobile.len()
            + self.workflows.iter().filter(|drift| drift.by_hand).count()
    }
}

/// Checks the project in a folder. Without the key that opens its secrets, they are not checked and a warning says
/// so.
pub fn check(folder: &Path, keys: &str) -> Result<Checked, Failure> {
    let mut checked = check_declaration(folder, keys)?;
    checked.leaks = leaks(folder)?;
    // A declaration that cannot be read is told already.
    if let Ok(declaration) = Declaration::load(folder, "") {
        checked.mobile = drift_of(&declaration).unwrap_or_else(|failure| vec![undeclared(failure)]);
        checked.workflows = drift_where_used(&declaration).unwrap_or_else(|failure| vec![unsayable(failure)]);
    }
    Ok(checked)
}

/// As [`check`], without looking through the tracked files.
pub fn check_declaration(folder: &Path, keys: &str) -> Result<Checked, Failure> {
    let (leaks, mobile, workflows) = (Vec::new(), Vec::new(), Vec::new());
    match Declaration::load(folder, keys) {
        Ok(declaration) => {
            let mut diagnostics = declaration.diagnostics.clone();
            match declaration.check_secrets() {
                Ok(findings) => {
                    diagnostics.extend(findings);
                    let value = |environment: &EnvironmentName, name: &str| {
                        declaration.secret(environment, name).ok().flatten()
                    };
                    diagnostics.extend(ambit_spec::unset_secrets(&declaration.project, &value));
                }
                Err(failure) => diagnostics.push(Diagnostic {
                    severity: Severity::Warning,
                    message: format!("secrets were not checked: {}", failure.message),
                    span: None,
                    label: None,
                    help: failure.hints.first().cloned(),
                }),
            }
            let (file, text) = (folder.join("ambit.toml"), declaration.text);
            Ok(Checked { file, text, diagnostics, leaks, mobile, workflows })
        }
        Err(LoadError::Invalid(invalid)) => {
            let Invalid { file, text, diagnostics } = *invalid;
            Ok(Checked { file, text, diagnostics, leaks, mobile, workflows })
        }
        Err(LoadError::Failure(failure)) => Err(failure),
    }
}

/// Why it cannot be told what the mobile app is to be built by.
fn undeclared(failure: Failure) -> Drift {
    let expected = failure.hints.into_iter().next().unwrap_or_default();
    Drift { file: "ambit.toml".to_owned(), line: None, message: failure.message, expected }
}

/// Why it cannot be told what the workflows are to be.
fn unsayable(failure: Failure) -> CiDrift {
    let expected = failure.hints.into_iter().next().unwrap_or_default();
    CiDrift { file: "ambit.toml".to_owned(), line: None, message: failure.message, expected, by_hand: true }
}

/// Secrets in the files that git tracks below a folder.
fn leaks(folder: &Path) -> Result<Vec<Finding>, Failure> {
    let files = ambit_source::git::tracked_files(folder).map_err(|e| source_failure(&e))?;
    let read = files.into_iter().filter_map(|path| {
        // A tracked file that is gone or is no regular file holds nothing.
        let full = folder.join(&path);
        let regular = std::fs::symlink_metadata(&full).is_ok_and(|m| m.is_file());
        regular.then(|| std::fs::read(&full).ok().map(|bytes| (path, bytes))).flatten()
    });
    Ok(ambit_secrets::scan::scan(read))
}

impl Declaration {
    /// Whether the secrets are strong enough and not shared where they must not be. Whether they are set is not
    /// its business.
    pub(crate) fn check_secrets(&self) -> Result<Vec<Diagnostic>, Failure> {
        for environment in self.project.environments.values() {
            for (name, variable) in &environment.variables {
                if variable.value == ambit_domain::spec::Value::Secret {
                    self.secret(&environment.name, name)?;
                }
            }
        }
        let value = |environment: &EnvironmentName, name: &str| self.secret(environment, name).ok().flatten();
        Ok(ambit_spec::check_secrets(&self.project, &value))
    }
}
