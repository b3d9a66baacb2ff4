//! Copies of an environment's database, made by PostgreSQL's own `pg_dump` before migrations, and loaded beside the present
//! one.
//!
//! A copy is written under another name and renamed when it is complete: a crash before leaves a file that the next one
//! replaces. A crash while one is loaded leaves a database that the next one replaces.

use std::path::{Path, PathBuf};

use ambit_domain::{EnvironmentId, Failure, FailureKind, provider::PostgresServer};

use crate::{
    Host, archives, databases,
    files::as_user,
    machine::{blocking, cannot},
};

impl Host {
    fn restore_point(&self, id: &EnvironmentId, name: &str) -> PathBuf {
        self.home.environment(id).join("restore-points").join(format!("{name}.dump"))
    }

    pub(crate) async fn dump(&self, id: &EnvironmentId, server: &PostgresServer, name: &str) -> Result<u64, Failure> {
        self.write_archive(id, server, &self.restore_point(id, name), &format!("restore-point-{name}")).await
    }

    pub(crate) async fn load(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        name: &str,
        beside: &str,
    ) -> Result<(), Failure> {
        let file = self.restore_point(id, name);
        if !file.exists() {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no restore point `{name}`")));
        }
        databases::create(server, beside, &server.role).await?;
        // What Ambit wrote itself is loaded with every right, so that extensions and owners come back as they were.
        let by = archives::Login { role: "postgres", password: &server.admin_password };
        let loaded = self.read_archive(id, server, &file, beside, &by, &[]).await;
        if loaded.is_err() {
            databases::remove(server, beside).await?;
        }
        loaded
    }

    pub(crate) async fn remove_dump(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure> {
        self.remove_file(id, &self.restore_point(id, name)).await
    }

    /// Deletes a file of an environment's folder.
    pub(crate) async fn remove_file(&self, id: &EnvironmentId, file: &Path) -> Result<(), Failure> {
        let (file, user) = (file.to_path_buf(), self.user(id)?);
        blocking(move || {
            as_user(user, std::process::Command::new("rm").arg("-f").arg(&file))
                .map(drop)
                .map_err(cannot("delete", &file))
        })
        .await
    }
}
