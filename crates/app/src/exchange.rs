//! `data export` and `data import`: an environment's database as a file of a person's, and back. Production's data leaves
//! production only masked, and nothing is ever written to it from outside.

use std::path::PathBuf;

use ambit_domain::{
    Actor, EnvironmentId, Failure,
    audit::Note,
    spec::{EnvironmentName, ProjectName},
};
use ambit_host::database_names;
use serde::{Deserialize, Serialize};

use crate::{ambit::Ambit, progress::Progress};

/// What was in the place of an archive that was imported.
const BEFORE_IMPORT: &str = "before-import";

/// A file and an environment.
#[derive(Clone, Serialize, Deserialize)]
pub struct Exchange {
    /// The project.
    pub project: ProjectName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The file; absolute.
    pub file: PathBuf,
    /// Who asks.
    pub actor: Actor,
}

impl Exchange {
    fn id(&self) -> EnvironmentId {
        EnvironmentId { project: self.project.clone(), environment: self.environment.clone() }
    }

    fn note(&self, what: &'static str) -> Note {
        let note = Note::new(&self.actor, &self.project, what).environment(&self.environment);
        note.about("file", self.file.display().to_string().as_str())
    }
}

impl Ambit {
    /// Writes an environment's database into a new file, for its owner alone; returns its size in bytes.
    pub async fn export_data(&self, request: &Exchange, progress: &Progress) -> Result<u64, Failure> {
        let id = request.id();
        self.refuse_production(&id, "exported").map_err(|failure| {
            failure
                .because("its data is real people's, and nothing unmasked leaves it")
                .hint("copy it masked into another environment (`data = { from = … }` there) and export that one")
        })?;
        let server = self.recorded_postgres(&id)?;
        let _alone = self.alone(&id).await;
        let work = async {
            let size = self.provider.export_database(&id, &server, &request.file).await?;
            Ok((size, format!("{} kB", size.div_ceil(1024)), true))
        };
        let size = progress.environment(&id.environment).step("export", work).await?;
        self.note_quietly(request.note("data.exported"));
        Ok(size)
    }

    /// Loads such a file beside an environment's database and puts it in its place; what was there becomes the snapshot
    /// whose name is returned.
    pub async fn import_data(&self, request: &Exchange, progress: &Progress) -> Result<String, Failure> {
        let id = request.id();
        self.refuse_production(&id, "written to from elsewhere")?;
        let progress = progress.environment(&id.environment);
        let _alone = self.alone(&id).await;
        let server = self.recorded_postgres(&id)?;
        let beside = database_names::restoring(&server.database);
        let load = async {
            self.provider.import_database(&id, &server, &request.file, &beside).await?;
            Ok(((), request.file.display().to_string(), true))
        };
        progress.step("load", load).await?;
        self.replace(&id, &server, &beside, BEFORE_IMPORT, &progress).await?;
        self.note_quietly(request.note("data.imported"));
        Ok(BEFORE_IMPORT.to_owned())
    }
}
