//! The trait of the domain, realised by this machine.

use std::{fs, path::Path};

use ambit_domain::{
    EnvironmentId, Failure, FailureKind, InstanceId, Provider,
    backup::{Count, Form, Listed, RedisCopy, Segment, TableCount},
    provider::{
        AppProcess, Beside, DatabaseStatus, InstanceStatus, MigrationStatus, PostgresServer, Readiness, RedisServer,
        Repository, Restore, Sink, Started, Task, TaskStatus,
    },
    spec::{Kind, ServiceName},
};
use async_trait::async_trait;
use futures_util::future::join_all;

use crate::{
    Host, databases,
    files::give,
    machine::{blocking, cannot},
    migrations, ports, postgres, redis,
    users::User,
};

#[async_trait]
impl Provider for Host {
    async fn prepare(&self, id: &EnvironmentId) -> Result<(), Failure> {
        self.prepare_now(id)
    }

    async fn start_postgres(&self, id: &EnvironmentId, server: &PostgresServer) -> Result<Started, Failure> {
        self.postgres(id, server).await
    }

    async fn start_redis(&self, id: &EnvironmentId, server: &RedisServer) -> Result<Started, Failure> {
        self.redis(id, server).await
    }

    async fn run_task(&self, id: &EnvironmentId, name: &str, task: &Task, output: Sink<'_>) -> Result<(), Failure> {
        self.task(id, name, task, output).await
    }

    async fn migrate(
        &self,
        _id: &EnvironmentId,
        server: &PostgresServer,
        folder: &Path,
    ) -> Result<Vec<String>, Failure> {
        migrations::run(server, folder).await
    }

    async fn migration_status(
        &self,
        _id: &EnvironmentId,
        server: &PostgresServer,
        folder: &Path,
    ) -> Result<Vec<MigrationStatus>, Failure> {
        migrations::status(server, folder).await
    }

    async fn pending_migrations(
        &self,
        _id: &EnvironmentId,
        server: &PostgresServer,
        folder: &Path,
    ) -> Result<Vec<(String, String)>, Failure> {
        migrations::pending(server, folder).await
    }

    async fn forget_task(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure> {
        self.end_task(id, name).await
    }

    fn tasks(&self, id: &EnvironmentId) -> Vec<TaskStatus> {
        self.task_statuses(id)
    }

    async fn reset(
        &self,
        id: &EnvironmentId,
        postgres: Option<&PostgresServer>,
        redis: Option<&RedisServer>,
    ) -> Result<(), Failure> {
        if postgres.is_some_and(|server| server.kind == Kind::Production) {
            return Err(Failure::new(
                FailureKind::User,
                format!("{id} is a production environment and is never reset"),
            ));
        }
        if let Some(server) = postgres {
            postgres::empty(server).await?;
        }
        match redis {
            Some(server) => redis::empty(server).await,
            None => Ok(()),
        }
    }

    async fn make_restore_point(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        name: &str,
    ) -> Result<u64, Failure> {
        self.dump(id, server, name).await
    }

    async fn load_restore_point(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        name: &str,
        beside: &str,
    ) -> Result<(), Failure> {
        self.load(id, server, name, beside).await
    }

    async fn remove_restore_point(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure> {
        self.remove_dump(id, name).await
    }

    async fn create_database(&self, _id: &EnvironmentId, server: &PostgresServer, name: &str) -> Result<(), Failure> {
        databases::create(server, name, &server.role).await
    }

    async fn copy_database(
        &self,
        _id: &EnvironmentId,
        server: &PostgresServer,
        from: &str,
        to: &str,
    ) -> Result<(), Failure> {
        databases::copy(server, from, to).await
    }

    async fn swap_database(
        &self,
        _id: &EnvironmentId,
        server: &PostgresServer,
        beside: &str,
        kept: &str,
    ) -> Result<(), Failure> {
        databases::swap(server, beside, kept).await
    }

    async fn drop_database(&self, _id: &EnvironmentId, server: &PostgresServer, name: &str) -> Result<(), Failure> {
        databases::remove(server, name).await
    }

    async fn databases(
        &self,
        _id: &EnvironmentId,
        server: &PostgresServer,
        prefix: &str,
    ) -> Result<Vec<DatabaseStatus>, Failure> {
        databases::list(server, prefix).await
    }

    async fn export_database(&self, id: &EnvironmentId, server: &PostgresServer, into: &Path) -> Result<u64, Failure> {
        self.export(id, server, into).await
    }

    async fn import_database(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        from: &Path,
        beside: &str,
    ) -> Result<(), Failure> {
        if server.kind == Kind::Production {
            return Err(Failure::new(
                FailureKind::User,
                format!("{id} is a production environment: nothing is imported"),
            ));
        }
        self.import(id, server, from, beside).await
    }

    async fn run_sql(&self, _id: &EnvironmentId, server: &PostgresServer, file: &Path) -> Result<(), Failure> {
        migrations::run_file(server, file).await
    }

    async fn empty_redis(&self, _id: &EnvironmentId, server: &RedisServer) -> Result<(), Failure> {
        redis::empty(server).await
    }

    fn backup_engine(&self, repository: &Repository) -> Result<String, Failure> {
        self.engine(repository)
    }

    async fn back_up_postgres(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        form: Form,
        output: Sink<'_>,
    ) -> Result<Listed, Failure> {
        self.take_backup(id, server, form, output).await
    }

    async fn count_rows(&self, id: &EnvironmentId, server: &PostgresServer, point: &str) -> Result<Count, Failure> {
        self.counted_point(id, server, point).await
    }

    async fn archive_now(&self, id: &EnvironmentId, server: &PostgresServer) -> Result<(), Failure> {
        self.archive_up_to_now(id, server).await
    }

    async fn list_backups(&self, id: &EnvironmentId) -> Result<(Vec<Listed>, Vec<Segment>), Failure> {
        self.listed(id).await
    }

    async fn verify_backups(&self, id: &EnvironmentId, output: Sink<'_>) -> Result<(), Failure> {
        self.verify(id, output).await
    }

    async fn restore_postgres(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        restore: &Restore,
        output: Sink<'_>,
    ) -> Result<(), Failure> {
        self.restore_beside(id, server, restore, output).await
    }

    async fn restored_rows(&self, server: &PostgresServer, restore: &Restore) -> Result<Vec<TableCount>, Failure> {
        self.count_restored(server, restore).await
    }

    async fn examine(
        &self,
        id: &EnvironmentId,
        server: &PostgresServer,
        restore: &Restore,
        smoke: Option<&str>,
    ) -> Result<Vec<String>, Failure> {
        self.examine_restored(id, server, restore, smoke).await
    }

    async fn put_in_place(&self, id: &EnvironmentId, server: &PostgresServer, name: &str) -> Result<(), Failure> {
        self.replace(id, server, name).await
    }

    fn beside(&self, id: &EnvironmentId) -> Vec<Beside> {
        self.besides(id)
    }

    async fn remove_beside(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure> {
        self.remove_beside_now(id, name).await
    }

    async fn settle_restores(&self, id: &EnvironmentId) -> Result<(), Failure> {
        self.settle(id).await
    }

    async fn back_up_redis(&self, id: &EnvironmentId, server: &RedisServer, name: &str) -> Result<RedisCopy, Failure> {
        self.copy_redis(id, server, name).await
    }

    async fn examine_redis(
        &self,
        id: &EnvironmentId,
        server: &RedisServer,
        name: &str,
        copy: &RedisCopy,
        port: u16,
    ) -> Result<u64, Failure> {
        self.try_redis(id, server, name, copy, port).await
    }

    async fn restore_redis(
        &self,
        id: &EnvironmentId,
        server: &RedisServer,
        name: &str,
        copy: &RedisCopy,
    ) -> Result<String, Failure> {
        self.put_redis_back(id, server, name, copy).await
    }

    async fn remove_redis_backup(&self, id: &EnvironmentId, name: &str) -> Result<(), Failure> {
        self.forget_redis_copy(id, name).await
    }

    async fn start_app(&self, id: &InstanceId, app: &AppProcess) -> Result<(), Failure> {
        self.start(id, app).await
    }

    async fn wait_ready(&self, id: &InstanceId, readiness: &Readiness) -> Result<(), Failure> {
        self.ready(id, readiness).await
    }

    async fn pause_app(&self, id: &InstanceId) -> Result<(), Failure> {
        self.stop_one(id, false).await
    }

    async fn start_again(&self, id: &InstanceId) -> Result<(), Failure> {
        self.start_recorded(id).await
    }

    async fn stop_instance(&self, id: &InstanceId) -> Result<(), Failure> {
        self.stop_one(id, true).await
    }

    async fn stop_environment(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let tasks = fs::read_dir(self.home.tasks(id)).into_iter().flatten();
        for name in tasks.filter_map(|e| e.ok()?.file_name().into_string().ok()) {
            self.end_task(id, &name).await?;
        }
        self.stop_besides(id).await?;
        let is_server = |service: &str| matches!(service, "postgres" | "redis");
        for servers in [false, true] {
            let mut stops = Vec::new();
            for (service, number, _) in self.records(id).into_iter().filter(|(s, _, _)| is_server(s) == servers) {
                let Ok(service) = service.parse::<ServiceName>() else { continue };
                stops.push(InstanceId { environment: id.clone(), service, number });
            }
            let stops = stops.iter().map(|id| self.stop_one(id, false));
            for stopped in join_all(stops).await {
                stopped?;
            }
        }
        Ok(())
    }

    async fn remove_environment(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let user = self.user(id)?;
        let folders = [
            self.home.environment(id),
            self.home.keepers(id),
            self.home.tasks(id),
            self.home.beside(id),
            self.home.old_logs(id),
        ];
        let backups = if user.is_some() { self.backup_folders(id) } else { Vec::new() };
        blocking(move || {
            // Backups stay. The number of the user who owned them may be given to another one.
            for folder in backups {
                give(&folder, User { uid: 0, gid: 0 })?;
            }
            for folder in folders {
                match fs::remove_dir_all(&folder) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(cannot("delete", &folder)(error));
                    }
                    _ => {}
                }
                // The project's folder goes with its last environment.
                if let Some(project) = folder.parent() {
                    let _ = fs::remove_dir(project);
                }
            }
            Ok(())
        })
        .await?;
        if user.is_some() { self.remove_user(id) } else { Ok(()) }
    }

    fn instances(&self, id: &EnvironmentId) -> Vec<InstanceStatus> {
        self.statuses(id)
    }

    async fn holds_data(
        &self,
        _id: &EnvironmentId,
        postgres: Option<&PostgresServer>,
        redis: Option<&RedisServer>,
    ) -> Option<bool> {
        let rows = match postgres {
            Some(server) => postgres::holds_rows(server).await?,
            None => false,
        };
        let keys = match redis {
            Some(server) => redis::holds_keys(server).await?,
            None => false,
        };
        Some(rows || keys)
    }

    fn revive(&self) -> Vec<String> {
        self.revive_all()
    }

    fn choose_port(&self, key: &str, taken: &[u16]) -> Result<u16, Failure> {
        // The same project under two state folders would want the same ports.
        ports::choose(&format!("{} {key}", self.home.root().display()), taken)
    }
}

impl Host {
    /// The version of a server that runs in an environment: `15.8`; read from what its keeper started.
    #[must_use]
    pub fn server_version(&self, id: &EnvironmentId, service: &str) -> Option<String> {
        match service {
            "postgres" => {
                let file = self.home.environment(id).join("postgres/data/PG_VERSION");
                fs::read_to_string(file).ok().map(|t| t.trim().to_owned())
            }
            _ => None,
        }
    }
}
