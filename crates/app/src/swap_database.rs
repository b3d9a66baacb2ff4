//! A database that was put together beside an environment's takes its place, under apps that run and without a failed
//! request. Resets, snapshots, imports, restore points and masked copies all go this way.
//!
//! The apps are set aside for the exchange, since pools keep connections, and sessions prepared statements, of a database
//! that is gone. The database of before stays under another name until the apps have answered as ready with the new one;
//! where they do not, it is put back. The exchange itself is one transaction: a daemon that is killed leaves the old
//! database or the new one, apps that the next daemon starts, and at most a database beside that the next exchange of the
//! same kind replaces.

use ambit_domain::{
    EnvironmentId, Failure, FailureKind,
    provider::{PostgresServer, RedisServer},
};

use crate::{ambit::Ambit, progress::Progress, set_aside::SetAside};

/// What is exchanged.
pub(crate) struct Swap<'a> {
    /// The server, and its present database.
    pub(crate) server: &'a PostgresServer,
    /// The database that takes the place of the present one.
    pub(crate) beside: &'a str,
    /// What the present one is called from then on.
    pub(crate) kept: &'a str,
    /// Whether it stays there once the new one serves.
    pub(crate) keep: bool,
    /// A Redis that is emptied in the same moment, where what it holds speaks of the old data.
    pub(crate) empties: Option<&'a RedisServer>,
    /// Whether apps that do not become ready with the new database get the old one back. Not where the release is replaced
    /// next, by one that fits the new database.
    pub(crate) has_to_serve: bool,
}

impl Ambit {
    /// Exchanges the database of an environment that nobody else changes meanwhile (see [`Ambit::alone`]). `progress` is
    /// that of the environment. Where it fails, the apps run with the database that they had.
    pub(crate) async fn swap_database(
        &self,
        id: &EnvironmentId,
        swap: &Swap<'_>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let work = async {
            if !self.is_database(id, swap.server, swap.beside).await? {
                return Err(Failure::new(FailureKind::Internal, format!("there is no database {}", swap.beside)));
            }
            let aside = self.set_aside(id).await?;
            let exchanged = self.exchange(id, swap, &aside, progress).await;
            self.release(id).await?;
            if exchanged.is_err() {
                // Whoever made it makes another the next time.
                self.provider.drop_database(id, swap.server, swap.beside).await?;
            }
            exchanged?;
            if !swap.keep {
                self.provider.drop_database(id, swap.server, swap.kept).await?;
            }
            let told = match aside.count() {
                0 => "the new database is in place".to_owned(),
                1 => "the new database is in place, 1 instance was restarted".to_owned(),
                n => format!("the new database is in place, {n} instances were restarted"),
            };
            Ok(((), told, true))
        };
        progress.step("swap", work).await
    }

    /// Exchanges the database under apps that are set aside, and starts them.
    async fn exchange(
        &self,
        id: &EnvironmentId,
        swap: &Swap<'_>,
        aside: &SetAside,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let exchange = async {
            self.provider.swap_database(id, swap.server, swap.beside, swap.kept).await?;
            match swap.empties {
                Some(redis) => self.provider.empty_redis(id, redis).await,
                None => Ok(()),
            }
        };
        if let Err(failure) = exchange.await {
            return Err(self.put_back_database(id, swap, aside, failure).await);
        }
        crate::fault::point("databases are exchanged");
        match self.start_again(aside).await {
            Err(failure) if swap.has_to_serve => Err(self.put_back_database(id, swap, aside, failure).await),
            Err(failure) => {
                progress.notice("swap", format!("with the new database: {failure}"));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn is_database(&self, id: &EnvironmentId, server: &PostgresServer, name: &str) -> Result<bool, Failure> {
        Ok(self.provider.databases(id, server, name).await?.iter().any(|database| database.name == name))
    }

    /// Puts the database from before back where it was taken away, and starts the apps with it; tells why.
    async fn put_back_database(&self, id: &EnvironmentId, swap: &Swap<'_>, aside: &SetAside, why: Failure) -> Failure {
        let back = async {
            // It was there before, and goes nowhere but into the present one's place.
            if !self.is_database(id, swap.server, swap.beside).await? {
                self.stop_again(aside).await?;
                self.provider.swap_database(id, swap.server, swap.kept, swap.beside).await?;
            }
            self.start_again(aside).await
        };
        match back.await {
            Ok(()) => why.because("the database from before serves, as it did"),
            Err(again) => {
                why.because("the apps did not come back with the database from before").because(again.message)
            }
        }
    }
}
