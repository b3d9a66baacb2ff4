//! A project's files as they are on disk: `ambit.toml` and `ambit.secrets`.

use std::path::{Path, PathBuf};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    spec::{Diagnostic, EnvironmentName, Kind, Project, Severity},
};
use ambit_secrets::{Identities, SecretsFile};

use crate::ambit::nearest;

/// A project whose declaration has no error, with its secrets still closed.
pub struct Declaration {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// The text of `ambit.toml`.
    pub text: String,
    /// What it declares.
    pub project: Project,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
    secrets_text: Option<String>,
    secrets: Option<SecretsFile>,
    identities: Option<Identities>,
}

/// A declaration that cannot be used.
#[derive(Debug)]
pub struct Invalid {
    /// The file that is wrong.
    pub file: PathBuf,
    /// Its text, for showing places in it.
    pub text: String,
    /// Everything that is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

impl Invalid {
    /// As a failure without pictures: one cause for each finding.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let errors: Vec<_> = self.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
        let plural = if errors.len() == 1 { "error" } else { "errors" };
        let mut failure = Failure::new(
            FailureKind::Declaration,
            format!("{} {plural} in {}, nothing was changed", errors.len(), self.file.display()),
        );
        for error in errors {
            let place = error.line_column(&self.text).map(|(l, c)| format!("{l}:{c}: ")).unwrap_or_default();
            failure = failure.because(format!("{place}{}", error.message));
        }
        failure.hint("ambit check shows each with its place")
    }
}

/// Why a declaration could not be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The file is there and wrong.
    Invalid(Box<Invalid>),
    /// It cannot be read.
    Failure(Failure),
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Invalid(invalid) => invalid.failure(),
            LoadError::Failure(failure) => failure,
        }
    }
}

impl Declaration {
    /// Reads and checks the project in a folder. `keys` is the text of age identities, possibly empty.
    pub fn load(folder: &Path, keys: &str) -> Result<Self, LoadError> {
        let file = folder.join("ambit.toml");
        let bytes = std::fs::read(&file).map_err(|error| {
            LoadError::Failure(
                Failure::new(FailureKind::Declaration, format!("cannot read {}", file.display()))
                    .because(error.to_string())
                    .hint("ambit init writes one for the folder that you are in"),
            )
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
            LoadError::Failure(Failure::new(
                FailureKind::Declaration,
                format!("{} is not UTF-8 text (line {line})", file.display()),
            ))
        })?;
        let secrets = match std::fs::read_to_string(folder.join("ambit.secrets")) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(LoadError::Failure(
                    Failure::new(FailureKind::Declaration, "cannot read ambit.secrets").because(error.to_string()),
                ));
            }
        };
        Self::read(folder, text, secrets, keys)
    }

    /// Reads and checks a project from its texts; `folder` is where its relative paths begin.
    pub(crate) fn read(folder: &Path, text: String, secrets: Option<String>, keys: &str) -> Result<Self, LoadError> {
        let file = folder.join("ambit.toml");
        let failed =
            |error: &dyn std::error::Error| LoadError::Failure(Failure::from_error(FailureKind::Declaration, error));
        let parsed = ambit_spec::parse(&text);
        let Some(project) = parsed.project else {
            return Err(LoadError::Invalid(Box::new(Invalid { file, text, diagnostics: parsed.diagnostics })));
        };
        let identities =
            if keys.trim().is_empty() { None } else { Some(Identities::parse(keys).map_err(|e| failed(&e))?) };
        let opened = secrets.as_deref().map(SecretsFile::parse).transpose().map_err(|e| failed(&e))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            text,
            project,
            diagnostics: parsed.diagnostics,
            secrets_text: secrets,
            secrets: opened,
            identities,
        })
    }

    /// The texts that it was read from.
    pub(crate) fn sources(&self) -> ambit_store::Sources {
        ambit_store::Sources {
            folder: self.folder.clone(),
            declaration: self.text.clone(),
            secrets: self.secrets_text.clone(),
        }
    }

    /// The environment through which people are told what concerns the whole project: production, or else the last one.
    pub(crate) fn foremost(&self) -> Option<EnvironmentId> {
        let environments = &self.project.environments;
        let production = environments.values().find(|e| e.kind == Kind::Production);
        let environment = production.or_else(|| environments.values().last())?.name.clone();
        Some(EnvironmentId { project: self.project.name.clone(), environment })
    }

    /// The value of a secret; `None` where nobody set it.
    pub fn secret(&self, environment: &EnvironmentName, name: &str) -> Result<Option<String>, Failure> {
        let Some(file) = self.secrets.as_ref().filter(|f| f.contains(environment, name)) else { return Ok(None) };
        let Some(identities) = &self.identities else {
            return Err(Failure::new(
                FailureKind::Declaration,
                format!("there is no key that opens the secrets of {}", self.project.name),
            )
            .hint("ambit secret key prints your public key, or makes one: ask a teammate to add it to `recipients` and to run `ambit secret rotate`")
            .hint("or set AMBIT_KEY"));
        };
        let value = file
            .get(environment, name, identities)
            .map_err(|error| Failure::from_error(FailureKind::Declaration, &error).hint_if(error.hint()))?;
        Ok(value.map(|secret| secret.expose().to_owned()))
    }

    /// The names of the environments that were asked for, or of all where none was.
    pub fn select(&self, asked: &[String]) -> Result<Vec<EnvironmentName>, Failure> {
        let known = &self.project.environments;
        if asked.is_empty() {
            return Ok(known.keys().cloned().collect());
        }
        asked
            .iter()
            .map(|name| {
                known.keys().find(|k| k.as_str() == name).cloned().ok_or_else(|| {
                    let names: Vec<_> = known.keys().map(EnvironmentName::as_str).collect();
                    let failure = Failure::new(
                        FailureKind::NotFound,
                        format!("{} has no environment `{}`", self.project.name, name.escape_debug()),
                    )
                    .because(format!("it declares {}", names.join(", ")));
                    match nearest(name, names) {
                        Some(near) => failure.hint(format!("did you mean `{near}`?")),
                        None => failure,
                    }
                })
            })
            .collect()
    }
}
