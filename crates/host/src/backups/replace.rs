//! A restored cluster put into the place of the one that serves.
//!
//! The two data directories change places in one system call, so that at any moment one whole cluster lies where the server
//! looks for it. What is written down before and after lets the next start finish or take it back.

use std::path::Path;

use ambit_domain::{
    EnvironmentId, Failure, FailureKind, InstanceId,
    provider::{PostgresServer, RedisServer},
};
use ambit_keeper::client;
use rustix::fs::{Mode, OFlags, RenameFlags, open, openat, renameat_with};

use crate::{
    Host,
    machine::{blocking, failed, internal, record_failure},
};

use super::restore::{Place, restored_as};

impl Host {
    pub(crate) async fn replace(&self, id: &EnvironmentId, server: &PostgresServer, name: &str) -> Result<(), Failure> {
        let place = self.place_beside(id, name)?;
        let ready = {
            let (place, name) = (place.clone(), name.to_owned());
            blocking(move || Ok(place.holds_restored(&name))).await?
        };
        if !ready || place.has("replaced") || place.has("replacing") {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no restored cluster `{name}`"))
                .hint(format!("ambit restore list -e {}", id.environment)));
        }
        if let Err(failure) = self.stop_beside(&place).await {
            self.remove_beside_now(id, name).await?;
            return Err(failure.because("what serves was not touched"));
        }
        self.change_places(id, name, &Server::Postgres(server)).await
    }

    pub(super) async fn put_redis_in_place(
        &self,
        id: &EnvironmentId,
        server: &RedisServer,
        name: &str,
    ) -> Result<(), Failure> {
        self.change_places(id, name, &Server::Redis(server)).await
    }

    /// Waits until it does.
    async fn answers(&self, record: &Path, server: &Server<'_>) -> Result<(), Failure> {
        match server {
            Server::Postgres(server) => self.wait_for_postgres(record, server).await.map(drop),
            Server::Redis(server) => crate::redis::wait(record, server).await.map(drop),
        }
    }

    /// Stops the server, lets the two folders change places and starts it; back again where it does not answer then.
    async fn change_places(&self, id: &EnvironmentId, name: &str, server: &Server<'_>) -> Result<(), Failure> {
        let place = self.place_beside(id, name)?;
        let record = self.home.keeper(&instance(id, service_of(name))?);
        {
            let (place, record, program) = (place.clone(), record.clone(), self.program.clone());
            blocking(move || {
                place.mark("replacing")?;
                client::stop(&program, &record).map_err(record_failure)
            })
            .await?;
        }
        let folder = self.home.environment(id);
        let swapped = {
            let (folder, name) = (folder.clone(), name.to_owned());
            blocking(move || exchange(&folder, &name)).await
        };
        if let Err(failure) = swapped {
            self.start_again(id, &record).await?;
            self.answers(&record, server).await?;
            self.remove_beside_now(id, name).await?;
            return Err(failure.because("what was running runs again"));
        }
        let started = match self.start_again(id, &record).await {
            Ok(()) => self.answers(&record, server).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = started {
            // Back, in the same way.
            let (keeper, program) = (record.clone(), self.program.clone());
            let name_again = name.to_owned();
            blocking(move || {
                client::stop(&program, &keeper).map_err(record_failure)?;
                exchange(&folder, &name_again)
            })
            .await?;
            self.start_again(id, &record).await?;
            self.answers(&record, server).await?;
            self.remove_beside_now(id, name).await?;
            return Err(failure.because("what served before serves again"));
        }
        blocking(move || finished(&place)).await
    }

    /// Starts a server of the environment as it was started before.
    async fn start_again(&self, id: &EnvironmentId, record: &Path) -> Result<(), Failure> {
        let (record, program, id) = (record.to_path_buf(), self.program.clone(), id.clone());
        blocking(move || {
            if let Some(spec) = client::read_spec(&record).map_err(record_failure)? {
                client::write_spec(&record, &spec).map_err(record_failure)?;
                client::ensure(&program, &record)
                    .map_err(|e| failed(format!("a server of {id} cannot be started"), &e))?;
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn settle(&self, id: &EnvironmentId) -> Result<(), Failure> {
        for beside in self.besides(id) {
            let place = self.place_beside(id, &beside.name)?;
            let service = service_of(&beside.name);
            let data = self.home.environment(id).join(serving(service));
            if place.has("replacing") {
                self.start_again(id, &self.home.keeper(&instance(id, service)?)).await?;
                let user = place.user;
                let serves = blocking(move || Ok(restored_as(user, &data))).await?;
                if serves.as_deref() == Some(beside.name.as_str()) {
                    self.stop_beside(&place).await?;
                    blocking(move || finished(&place)).await?;
                    continue;
                }
            } else if place.has("keep") || place.has("replaced") {
                continue;
            }
            self.remove_beside_now(id, &beside.name).await?;
        }
        Ok(())
    }
}

/// The server whose data changes places.
enum Server<'a> {
    Postgres(&'a PostgresServer),
    Redis(&'a RedisServer),
}

fn instance(id: &EnvironmentId, service: &str) -> Result<InstanceId, Failure> {
    Ok(InstanceId { environment: id.clone(), service: service.parse().map_err(internal)?, number: 1 })
}

/// What a restore is of, by its name.
fn service_of(name: &str) -> &'static str {
    if name.starts_with("redis-") { "redis" } else { "postgres" }
}

/// Where the data of a server lies in the environment's folder.
fn serving(service: &str) -> &'static str {
    if service == "redis" { "redis" } else { "postgres/data" }
}

/// From here on the cluster beside is the one that served before.
fn finished(place: &Place) -> Result<(), Failure> {
    let mark = |name: &str| place.folder.join(name);
    crate::files::as_user(
        place.user,
        std::process::Command::new("mv").arg("-f").arg(mark("replacing")).arg(mark("replaced")),
    )
    .map(drop)
    .map_err(crate::machine::cannot("write", &mark("replaced")))
}

/// The data directories of a server of the environment and of a restore change places. Each folder on the way is opened
/// without following a link: their owner could have put one there.
fn exchange(environment: &Path, name: &str) -> Result<(), Failure> {
    let folder = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let swap = || -> rustix::io::Result<()> {
        let environment = open(environment, folder, Mode::empty())?;
        let (above, own) = match service_of(name) {
            "redis" => (openat(&environment, ".", folder, Mode::empty())?, "redis"),
            _ => (openat(&environment, "postgres", folder, Mode::empty())?, "data"),
        };
        let restores = openat(&environment, "restores", folder, Mode::empty())?;
        let restored = openat(&restores, name, folder, Mode::empty())?;
        renameat_with(&above, own, &restored, "data", RenameFlags::EXCHANGE)?;
        rustix::fs::fsync(&above)?;
        rustix::fs::fsync(&restored)
    };
    swap().map_err(|error| failed("the restored cluster cannot be put in place", &error.into()))
}
