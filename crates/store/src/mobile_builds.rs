//! Builds of the mobile app that were published, with what QA said of each.

use ambit_domain::{
    EnvironmentId, Outgoing,
    mobile::{MobileBuild, TestBuildId},
    spec::ProjectName,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{Store, StoreError, outbox};

/// The schema of this part.
pub(crate) const MIGRATION: &str = "
    CREATE TABLE mobile_build (
        project TEXT NOT NULL, environment TEXT NOT NULL, id TEXT NOT NULL, version_code INTEGER NOT NULL,
        record TEXT NOT NULL, PRIMARY KEY (project, environment, id)
    ) STRICT;
";

impl Store {
    /// Remembers a build, in the place of what was known of it, and in the same breath what is told of it.
    pub fn put_mobile_build(&self, build: &MobileBuild, told: Option<&Outgoing>) -> Result<(), StoreError> {
        let text = self.encode("a mobile build", build)?;
        let body = told.map(|told| self.encode(&told.id, &told.announcement)).transpose()?;
        let id = &build.environment;
        // Android's largest is below the largest number that the database takes.
        let code = i64::try_from(build.version_code).unwrap_or(i64::MAX);
        let mut connection = self.connection();
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "INSERT INTO mobile_build VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET record = excluded.record",
                params![id.project.as_str(), id.environment.as_str(), build.id.0, code, text],
            )?;
            if let (Some(told), Some(body)) = (told, &body) {
                outbox::insert(&transaction, told, body)?;
            }
            transaction.commit()
        };
        write(&mut connection).map_err(|e| self.sqlite(e))
    }

    /// The builds of an environment, the newest first.
    pub fn mobile_builds(&self, id: &EnvironmentId) -> Result<Vec<MobileBuild>, StoreError> {
        self.list(
            "SELECT record FROM mobile_build WHERE project = ?1 AND environment = ?2 ORDER BY version_code DESC",
            [id.project.as_str(), id.environment.as_str()],
            "a mobile build",
        )
    }

    /// The build of a project with an id, which begins with its environment's name.
    pub fn mobile_build(&self, project: &ProjectName, id: &TestBuildId) -> Result<Option<MobileBuild>, StoreError> {
        let text: Option<String> = self
            .connection()
            .query_row(
                "SELECT record FROM mobile_build WHERE project = ?1 AND id = ?2",
                [project.as_str(), &id.0],
                |r| r.get(0),
            )
            .optional()
            .map_err(|e| self.sqlite(e))?;
        text.map(|text| self.decode("a mobile build", &text)).transpose()
    }

    /// The builds of a project, each environment's newest first.
    pub fn mobile_builds_of(&self, project: &ProjectName) -> Result<Vec<MobileBuild>, StoreError> {
        self.list(
            "SELECT record FROM mobile_build WHERE project = ?1 ORDER BY environment, version_code DESC",
            [project.as_str()],
            "a mobile build",
        )
    }

    /// Forgets a build that is kept no longer.
    pub fn forget_mobile_build(&self, build: &MobileBuild) -> Result<(), StoreError> {
        let id = &build.environment;
        self.connection()
            .execute(
                "DELETE FROM mobile_build WHERE project = ?1 AND environment = ?2 AND id = ?3",
                [id.project.as_str(), id.environment.as_str(), &build.id.0],
            )
            .map_err(|e| self.sqlite(e))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ambit_domain::{Actor, Announcement, spec::Occasion};

    use super::*;

    fn build(environment: &str, version_code: u64) -> MobileBuild {
        let environment = EnvironmentId { project: "kaia".parse().unwrap(), environment: environment.parse().unwrap() };
        MobileBuild {
            id: TestBuildId::new(&environment.environment, version_code),
            site: "downloads".parse().unwrap(),
            name: "Kaia".into(),
            package: "ai.kaia".into(),
            version: "1.0".into(),
            version_code,
            commit: None,
            release: None,
            published: 1,
            actor: Actor::cli("ana", 1),
            size: 1,
            sha256: "00".into(),
            certificate: None,
            file: "kaia.apk".into(),
            changes: Vec::new(),
            environment,
            verdict: None,
        }
    }

    #[test]
    fn builds_are_listed_newest_first_told_with_their_row_and_gone_with_their_environment() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("state.db")).unwrap();
        let told = |build: &MobileBuild| Outgoing {
            id: build.id.0.clone(),
            announced: i64::try_from(build.version_code).unwrap(),
            environment: build.environment.clone(),
            announcement: Announcement::new(Occasion::BuildPublished, None, build.version.clone()),
        };
        for build in [build("test", 9), build("test", 10), build("dev", 3)] {
            store.put_mobile_build(&build, Some(&told(&build))).unwrap();
        }
        let changed = MobileBuild { changes: vec!["x".into()], ..build("test", 9) };
        store.put_mobile_build(&changed, None).unwrap();
        let test = build("test", 9).environment;
        let codes = |all: Vec<MobileBuild>| all.iter().map(|b| b.version_code).collect::<Vec<_>>();
        assert_eq!(codes(store.mobile_builds(&test).unwrap()), [10, 9]);
        assert_eq!(codes(store.mobile_builds_of(&test.project).unwrap()), [3, 10, 9]);
        assert_eq!(store.mobile_build(&test.project, &changed.id).unwrap(), Some(changed.clone()));
        assert_eq!(store.due_deliveries(100, 9).unwrap().len(), 3);
        store.forget_mobile_build(&changed).unwrap();
        assert_eq!(store.mobile_build(&test.project, &changed.id).unwrap(), None);
        store.forget_environment(&test).unwrap();
        assert_eq!(codes(store.mobile_builds_of(&test.project).unwrap()), [3]);
    }
}
