//! The DNS zone at Cloudflare: what differs from the declaration, and making it so.
//!
//! Nothing is remembered of a zone: each time it is read and compared, so that whatever was interrupted, and wherever, is finished
//! by doing it again.

use std::path::PathBuf;

use ambit_cloud::cloudflare::{BASE, BATCH, Carried, Cloudflare, Zone};
use ambit_domain::{
    Actor, Failure, FailureKind,
    audit::Note,
    dns::{self, Change, Comparison, Present, Record, Taken, Unmet},
    spec::{Cloudflare as Declared, Kind},
};
use serde::{Deserialize, Serialize};

use crate::{ambit::Ambit, declaration::Declaration, progress::Progress};

/// Answers that say nothing, one after the other, until it is given up.
const TRIES: usize = 5;
/// Deleting more than one in so many records of a zone needs its name.
const MANY: usize = 3;

/// A zone beside the declaration.
#[derive(Debug, Clone, Serialize)]
pub struct DnsPlan {
    /// `kaia.ai`
    pub zone: String,
    /// Its name servers, where the domain does not ask them yet.
    pub waits_for: Vec<String>,
    /// What differs.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// Hosts that no record can be made for.
    pub unmet: Vec<Unmet>,
}

/// A plan that was kept, to be carried out as it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// The format: 1.
    pub version: u32,
    /// The project.
    pub project: String,
    /// The zone.
    pub zone: String,
    /// What is to be done.
    pub changes: Vec<Change>,
}

/// A request to make the zone as it is declared.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Apply {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// The token, where the one who asks has it and the project does not.
    pub token: Option<String>,
    /// What was looked at: nothing else is done.
    pub plan: SavedPlan,
    /// The zone's name, where much is deleted.
    pub confirm: Option<String>,
    /// Who asks.
    pub actor: Actor,
}

/// A request to make records that are there already the project's own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Import {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// Text of the age identities that open the project's secrets.
    pub keys: String,
    /// The token, where the one who asks has it and the project does not.
    pub token: Option<String>,
    /// Who asks.
    pub actor: Actor,
}

/// What was done to a zone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Applied {
    /// The zone.
    pub zone: String,
    /// How many records were made, changed or deleted.
    pub changes: usize,
}

/// The zone, opened and read.
struct Opened<'a> {
    declared: &'a Declared,
    client: Cloudflare,
    zone: Zone,
}

impl Declaration {
    /// The token for Cloudflare: production's secret first, since the zone is everybody's.
    fn cloudflare_token(&self, declared: &Declared, given: Option<&str>) -> Result<String, Failure> {
        let mut names: Vec<_> = self.project.environments.values().collect();
        names.sort_by_key(|e| e.kind != Kind::Production);
        for environment in names {
            if let Some(token) = self.secret(&environment.name, &declared.token)? {
                return Ok(token);
            }
        }
        given.map(str::to_owned).ok_or_else(|| {
            let environment = self.project.environments.keys().last().map_or("prod", |name| name.as_str());
            Failure::new(FailureKind::NotFound, format!("there is no token for Cloudflare: the secret {} is not set", declared.token))
                .hint(format!("declare it, [secrets] {} = {{ only = [\"{environment}\"] }}, and: ambit secret set {} -e {environment}", declared.token, declared.token))
                .hint(format!("or have it in the environment of this command: {}=…", declared.token))
        })
    }

    async fn open_zone(&self, token: Option<&str>) -> Result<Opened<'_>, Failure> {
        let declared = self.project.cloudflare.as_ref().ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("{} declares no zone", self.project.name))
                .hint("add to ambit.toml: [providers.cloudflare] zone = \"example.org\"")
        })?;
        let client =
            Cloudflare::new(declared.endpoint.as_deref().unwrap_or(BASE), &self.cloudflare_token(declared, token)?)?;
        let zone = client.zone(&declared.zone).await?;
        Ok(Opened { declared, client, zone })
    }

    /// The records that are declared, and what none can be made for.
    #[must_use]
    pub fn dns_records(&self) -> Option<(Vec<Record>, Vec<Unmet>)> {
        let declared = self.project.cloudflare.as_ref()?;
        let addresses = declared.addresses.iter().map(|(name, all)| (name.clone(), all.clone())).collect();
        Some(dns::wanted(&self.project, &declared.zone, &addresses))
    }
}

impl Opened<'_> {
    async fn compare(&self, declaration: &Declaration) -> Result<(Comparison, Vec<Unmet>, usize), Failure> {
        let (wanted, unmet) = declaration.dns_records().unwrap_or_default();
        let there = self.client.records(&self.zone).await?;
        Ok((dns::compare(&declaration.project.name, &wanted, &there), unmet, there.len()))
    }

    /// Does the changes in parts, and reads the zone again whenever it is not known how one ended; those that were done where it fails.
    async fn carry_out(
        &self,
        declaration: &Declaration,
        mut changes: Vec<Change>,
        progress: &Progress,
    ) -> Result<usize, (usize, Failure)> {
        let (all, mut tries) = (changes.len(), 0);
        let allowed = changes.clone();
        'read: loop {
            for part in dns::batches(&changes, BATCH) {
                let left = changes.len();
                match self.client.carry_out(&self.zone, &part).await.map_err(|failure| (all - left, failure))? {
                    Carried::Done => {
                        changes.retain(|change| !part.contains(change));
                        progress.notice(
                            "dns",
                            format!("{} of {all} records of {}", all - changes.len(), self.declared.zone),
                        );
                    }
                    Carried::Unknown(why) => {
                        tries += 1;
                        if tries == TRIES {
                            return Err((
                                all - left,
                                Failure::new(FailureKind::Machine, "Cloudflare does not answer").because(why),
                            ));
                        }
                        let (comparison, ..) =
                            self.compare(declaration).await.map_err(|failure| (all - left, failure))?;
                        changes = comparison.changes;
                        changes.retain(|change| allowed.contains(change));
                        continue 'read;
                    }
                }
            }
            return Ok(all);
        }
    }
}

impl Ambit {
    /// Reads the zone and compares it with the declaration. Changes nothing.
    pub async fn plan_dns(&self, declaration: &Declaration, token: Option<&str>) -> Result<DnsPlan, Failure> {
        let opened = declaration.open_zone(token).await?;
        let (comparison, unmet, _) = opened.compare(declaration).await?;
        let waits = opened.zone.status != "active";
        let waits_for = if waits { opened.zone.name_servers.clone() } else { Vec::new() };
        Ok(DnsPlan { zone: opened.declared.zone.clone(), waits_for, comparison, unmet })
    }

    /// Does what the plan says, as far as it is not done yet, and nothing else.
    pub async fn apply_dns(&self, request: &Apply, progress: &Progress) -> Result<Applied, Failure> {
        let declaration = Declaration::load(&request.folder, &request.keys).map_err(Failure::from)?;
        let opened = declaration.open_zone(request.token.as_deref()).await?;
        let plan = &request.plan;
        let stale = |why: &str| {
            Failure::new(FailureKind::User, format!("the plan is out of date: {why}; nothing was changed"))
                .hint("look again: ambit plan")
        };
        if (plan.version, plan.project.as_str(), plan.zone.as_str())
            != (1, declaration.project.name.as_str(), opened.declared.zone.as_str())
        {
            return Err(stale("it is of another project, zone or format"));
        }
        let (comparison, _, records) = opened.compare(&declaration).await?;
        if let Some(change) = comparison.changes.iter().find(|change| !plan.changes.contains(change)) {
            return Err(stale(&format!("{} would be changed in another way", change.host())));
        }
        confirm(request, &comparison.changes, records)?;
        let done = opened.carry_out(&declaration, comparison.changes, progress).await;
        let count = *done.as_ref().unwrap_or_else(|(count, _)| count);
        self.note_records(
            &opened,
            Note::new(&request.actor, &declaration.project.name, "dns.applied"),
            count,
            progress,
        );
        match done {
            Ok(changes) => Ok(Applied { zone: opened.declared.zone.clone(), changes }),
            Err((_, failure)) => Err(failure.hint("what was done stays; ambit apply does the rest")),
        }
    }

    /// Makes records that stand where the project needs them its own, by its mark; what they say stays until a plan was applied.
    pub async fn import_dns(&self, request: &Import, progress: &Progress) -> Result<Applied, Failure> {
        let declaration = Declaration::load(&request.folder, &request.keys).map_err(Failure::from)?;
        let opened = declaration.open_zone(request.token.as_deref()).await?;
        let (comparison, ..) = opened.compare(&declaration).await?;
        // One of another type cannot become what is declared without being deleted: that is for a person.
        let fits = |taken: &&Taken| taken.present.kind == taken.record.content.kind();
        let adopted = |taken: &Taken| Change::Change {
            present: taken.present.clone(),
            record: Record {
                content: as_it_is(&taken.present, &taken.record),
                proxied: taken.present.proxied,
                ..taken.record.clone()
            },
        };
        let changes: Vec<Change> = comparison.taken.iter().filter(fits).map(adopted).collect();
        let count = changes.len();
        for part in dns::batches(&changes, BATCH) {
            if let Carried::Unknown(why) = opened.client.carry_out(&opened.zone, &part).await? {
                return Err(Failure::new(FailureKind::Machine, "Cloudflare does not answer")
                    .because(why)
                    .hint("repeat the command: it goes on where it was"));
            }
        }
        self.note_records(
            &opened,
            Note::new(&request.actor, &declaration.project.name, "dns.imported"),
            count,
            progress,
        );
        Ok(Applied { zone: opened.declared.zone.clone(), changes: count })
    }

    fn note_records(&self, opened: &Opened<'_>, note: Note, records: usize, progress: &Progress) {
        if records > 0 {
            let note = note.about("zone", opened.declared.zone.as_str()).about("records", records.to_string());
            self.note_done(note, progress);
        }
    }
}

fn as_it_is(present: &Present, record: &Record) -> dns::Content {
    dns::Content::read(&present.kind, &present.content).unwrap_or_else(|| record.content.clone())
}

fn confirm(request: &Apply, changes: &[Change], records: usize) -> Result<(), Failure> {
    let deleted = changes.iter().filter(|c| matches!(c, Change::Delete { .. })).count();
    if deleted * MANY <= records || request.confirm.as_deref() == Some(request.plan.zone.as_str()) {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::User,
        format!("{deleted} of the {records} records of {} would be deleted; nothing was changed", request.plan.zone),
    )
    .hint(format!("if that is meant: ambit apply --confirm {}", request.plan.zone)))
}
