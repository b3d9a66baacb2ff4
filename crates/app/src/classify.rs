//! `data classify`: proposes what becomes of each column in a masked copy. What the team decided already stays as it wrote it.

use std::path::{Path, PathBuf};

use ambit_data::{
    NotReviewed, ReviewedColumn,
    masking::{Language, MaskingFile, Problem, Proposal, merge, render},
};
use ambit_domain::{EnvironmentId, Failure, FailureKind};
use serde::Serialize;

use crate::{
    ambit::Ambit,
    masked_copy::{MASKING, as_admin, wrong_masking},
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
        let failed = |verb: &str, error: &std::io::Error| {
            Failure::new(FailureKind::Machine, format!("{} cannot be {verb}", file.display()))
                .because(error.to_string())
        };
        let existing = match std::fs::read_to_string(&file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("read", &error)),
        };
        let known = existing.as_deref().unwrap_or_default();
        let wrong = |problems: Vec<Problem>| wrong_masking(known, &problems, "nothing was changed");
        MaskingFile::parse(known).map_err(wrong)?;
        let proposals = ambit_data::proposals(&as_admin(&server), known).await?;
        let (text, added, vanished) = match &existing {
            Some(text) => {
                let merged = merge(text, &proposals).map_err(wrong)?;
                (merged.text, merged.added, merged.vanished)
            }
            None => {
                let language = if spanish { Language::Spanish } else { Language::English };
                let names = proposals.iter().map(|p| p.name.clone()).collect();
                (render(language, &proposals), names, Vec::new())
            }
        };
        if !added.is_empty() {
            let new = folder.join(format!(".{MASKING}.new"));
            let written = std::fs::write(&new, &text).and_then(|()| std::fs::rename(&new, &file));
            written.map_err(|error| failed("written", &error))?;
        }
        Ok(Classified {
            added: proposals.iter().filter(|p| added.contains(&p.name)).map(told).collect(),
            vanished: vanished.iter().map(ToString::to_string).collect(),
            columns: proposals.len(),
            file,
        })
    }
}

impl Ambit {
    /// The columns of an environment's database beside what `masking.toml` of the project's folder says of them.
    pub async fn review_masking(&self, id: &EnvironmentId) -> Result<Vec<ReviewedColumn>, Failure> {
        let server = self.recorded_postgres(id)?;
        let file = self.project_folder(&id.project)?.join(MASKING);
        let text = match std::fs::read_to_string(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|error| {
                Failure::new(FailureKind::Machine, format!("{} cannot be read", file.display()))
                    .because(error.to_string())
            })?,
        };
        ambit_data::review(&as_admin(&server), &text).await.map_err(|why| match why {
            NotReviewed::File(problems) => wrong_masking(&text, &problems, "no column is reviewed"),
            NotReviewed::Database(failure) => failure,
        })
    }

    /// Whether an environment has a database that can be reviewed.
    #[must_use]
    pub fn has_postgres(&self, id: &EnvironmentId) -> bool {
        self.recorded_postgres(id).is_ok()
    }
}

fn told(proposal: &Proposal) -> ProposedColumn {
    ProposedColumn {
        column: proposal.name.to_string(),
        rule: proposal.rule.to_string(),
        confidence: proposal.confidence,
        reason: proposal.reason.clone(),
    }
}
