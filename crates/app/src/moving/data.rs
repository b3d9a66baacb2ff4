//! Data carried, compared, and put in its place.

use ambit_domain::{
    Failure, FailureKind, Placement,
    relocation::{Contents, Keys, Login},
};
use ambit_host::relocation::Into;

use super::Moving;

impl Moving<'_> {
    /// May be done again from its beginning.
    pub(super) async fn carry(&mut self) -> Result<(), Failure> {
        let (source, target) = self.sides().await?;
        if let (Some(from), Some(to)) = (&source.postgres, &target.postgres) {
            let contents = self.carry_database(from, to).await?;
            self.relocation.carried.postgres = Some(contents);
        }
        self.progress.go_on()?;
        if let (Some(from), Some(to)) = (&source.redis, &target.redis) {
            let keys = self.carry_keys(from, to).await?;
            self.relocation.carried.redis = Some(keys);
        }
        Ok(())
    }

    async fn carry_database(&self, from: &Login, to: &Login) -> Result<Contents, Failure> {
        let (host, id) = (&self.ambit.host, self.id);
        let server = self.ambit.servers(id, self.environment)?.postgres;
        let work = async {
            let output = |line: &str| self.progress.output("database", line);
            let into = match (self.relocation.to, &server) {
                (Placement::Host, Some(server)) => Into::Here(server),
                _ => Into::There(to),
            };
            let beside = host.carry(id, from, into, &output).await?;
            // After the copy, so that whoever wrote meanwhile is found out.
            let (there, copy) = (host.contents(id, from).await?, host.contents(id, &beside).await?);
            compared(there.differences(&copy))?;
            host.put_carried(id, to, self.relocation.left).await?;
            let told = format!(
                "{} rows in {} tables and {} sequences, all there",
                copy.rows(),
                copy.tables.len(),
                copy.sequences.len()
            );
            Ok((there, told, true))
        };
        self.progress.step("database", work).await
    }

    async fn carry_keys(&self, from: &Login, to: &Login) -> Result<Keys, Failure> {
        let host = &self.ambit.host;
        let work = async {
            let before = host.keys(from).await?;
            let carried = host.carry_keys(from, to, |_| {}).await?;
            compared(before.differences(&host.keys(to).await?))?;
            Ok((before, format!("{carried} keys, all there"), true))
        };
        self.progress.step("redis", work).await
    }
}

fn compared(differences: Vec<String>) -> Result<(), Failure> {
    const SHOWN: usize = 10;
    if differences.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(FailureKind::Machine, "what arrived is not what there was")
        .because("here is where it comes from, there is where it went");
    let failure = differences.into_iter().take(SHOWN).fold(failure, Failure::because);
    Err(failure.hint("does something else than the apps write to the databases? stop it, then repeat the command"))
}
