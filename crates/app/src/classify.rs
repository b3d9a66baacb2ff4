//! `data classify`: proposes what becomes of each column in a masked copy. What the team decided already stays as it wrote it.

use std::path::{Path, PathBuf};

use ambit_data::masking::{Language, Proposal, merge, render};
use ambit_domain::{EnvironmentId, Failure, FailureKind};
use serde::Serialize;

use crate::{
    ambit::Ambit,
    masked_copy::{MASKING, as_admin, located, parse_masking},
};

/// What was proposed.
#[derive(Debug, Clone, Serialize)]
pub struct Classified {
    /// The file.
    pub file: PathBuf,
    /// The new lines, in the order of the tables.
    pub added: Vec<ProposedColumn>,
    /// Columns that the file names and the database has no longer.
    pub vanished: Vec<String>,
    /// How many columns there are in all.
    pub columns: usize,
}

/// A new line.
#[derive(Debug, Clone, Serialize)]
pub struct ProposedColumn {
    /// `public.users.email`.
    pub column: String,
    /// `text -> email`, without the type.
    pub rule: String,
    /// Between 0 and 1.
    pub confidence: f32,
    /// Why.
    pub reason: String,
}

impl Ambit {
    /// Looks at the database of an environment and writes proposals into `masking.toml` of the folder. `spanish` chooses the language
    /// of generated names in a new file.
    pub async fn classify(&self, folder: &Path, id: &EnvironmentId, spanish: bool) -> Result<Classified, Failure> {
        let server = self.recorded_postgres(id)?;
        let file = folder.join(MASKING);
        let existing = std::fs::read_to_string(&file).unwrap_or_default();
        parse_masking(&existing)?;
        let proposals = ambit_data::proposals(&as_admin(&server), &existing).await?;
        let failed = |error: std::io::Error| {
            Failure::new(FailureKind::Machine, format!("{} cannot be written", file.display()))
                .because(error.to_string())
        };
        let (text, added, vanished) = match std::fs::read_to_string(&file) {
            Ok(text) => {
                let merged = merge(&text, &proposals).map_err(|problems| {
                    let failure = Failure::new(
                        FailureKind::Declaration,
                        format!("{} is wrong; nothing was changed", file.display()),
                    );
                    problems.iter().fold(failure, |failure, problem| failure.because(located(&text, problem)))
                })?;
                (merged.text, merged.added, merged.vanished)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let language = if spanish { Language::Spanish } else { Language::English };
                let names = proposals.iter().map(|p| p.name.clone()).collect();
                (render(language, &proposals), names, Vec::new())
            }
            Err(error) => return Err(failed(error)),
        };
        if !added.is_empty() {
            let new = folder.join(format!(".{MASKING}.new"));
            std::fs::write(&new, &text).and_then(|()| std::fs::rename(&new, &file)).map_err(failed)?;
        }
        Ok(Classified {
            added: proposals.iter().filter(|p| added.contains(&p.name)).map(told).collect(),
            vanished: vanished.iter().map(|n| format!("{}.{}.{}", n.schema, n.table, n.column)).collect(),
            columns: proposals.len(),
            file,
        })
    }
}

fn told(proposal: &Proposal) -> ProposedColumn {
    let name = &proposal.name;
    ProposedColumn {
        column: format!("{}.{}.{}", name.schema, name.table, name.column),
        rule: proposal.rule.to_string(),
        confidence: proposal.confidence,
        reason: proposal.reason.clone(),
    }
}
