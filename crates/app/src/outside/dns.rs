//! The zone at Cloudflare.

use ambit_cloud::{
    Carried,
    cloudflare::{BASE, BATCH, Cloudflare, Zone},
};
use ambit_domain::{
    Failure,
    dns::{self, Change, Content, Present, Record, Taken, Wanted},
    outside::{Confirm, Cost, Known, Look, Place, Quota, Remark, Step},
    spec::Cloudflare as Declared,
};
use async_trait::async_trait;

use super::{
    Tokens,
    side::{Done, Outside},
};
use crate::declaration::Declaration;

/// Deleting more than one in so many records of a zone needs its name.
const MANY: usize = 3;
/// Of a user, whatever the plan.
const QUOTA: Quota = Quota { calls: 1200, seconds: 300, left: None };

pub(super) struct Dns<'a> {
    declaration: &'a Declaration,
    declared: &'a Declared,
    client: Cloudflare,
}

impl Declaration {
    /// The records that are declared, as far as they can be known without asking anybody.
    #[must_use]
    pub fn dns_records(&self) -> Option<Wanted> {
        let declared = self.project.providers.cloudflare.as_ref()?;
        Some(dns::wanted(&self.project, declared, &Known::default()))
    }
}

impl<'a> Dns<'a> {
    pub(super) fn open(declaration: &'a Declaration, tokens: &Tokens) -> Result<Self, Failure> {
        let declared = declaration.project.providers.cloudflare.as_ref();
        let declared = declared.ok_or_else(|| super::undeclared(declaration, Place::Dns))?;
        let door = declaration.door(("cloudflare", "Cloudflare"), &declared.access, BASE, tokens)?;
        let client = Cloudflare::new(&door.base, &door.token)?;
        Ok(Self { declaration, declared, client })
    }

    async fn read(&self) -> Result<(Zone, Vec<Present>), Failure> {
        let zone = self.client.zone(&self.declared.zone).await?;
        let records = self.client.records(&zone).await?;
        Ok((zone, records))
    }
}

/// What to do, and in which zone.
#[derive(Clone)]
pub(super) struct Op {
    zone: Zone,
    /// Nothing where its content is not known yet.
    change: Option<Change>,
}

#[async_trait]
impl Outside for Dns<'_> {
    type Op = Op;

    fn place(&self) -> Place {
        Place::Dns
    }

    async fn look(&self, known: &mut Known) -> Result<Look<Op>, Failure> {
        let (zone, there) = self.read().await?;
        let wanted = dns::wanted(&self.declaration.project, self.declared, known);
        let found = dns::compare(&self.declaration.project.name, &wanted, &there);
        let deleted = found.changes.iter().filter(|c| matches!(c, Change::Delete { .. })).count();
        let mut look =
            Look { title: zone.name.clone(), kept: found.kept, unmanaged: found.unmanaged, ..Look::default() };
        if deleted * MANY > there.len() {
            let why = format!("{deleted} of the {} records of {} would be deleted", there.len(), zone.name);
            look.confirm.push(Confirm { name: zone.name.clone(), why });
        }
        for taken in &found.taken {
            let about = format!("{} {}", taken.record.content.kind(), taken.record.host);
            look.remarks.push(Remark::new(
                about,
                format!(
                    "somebody else's record {} {} is there; it is not touched (ambit import makes it the project's, or delete it)",
                    taken.present.kind, taken.present.content
                ),
            ));
        }
        look.remarks.extend(wanted.unmet.iter().map(|u| Remark::new(u.host.as_str(), u.why.as_str())));
        if zone.status != "active" {
            let servers = zone.name_servers.join(", ");
            let text = format!("the domain does not ask Cloudflare yet: its name servers have to be {servers}");
            look.remarks.push(Remark::new(zone.name.as_str(), text));
        }
        // Those of one host stand together, so that its name is never gone in between.
        look.steps = dns::batches(&found.changes, BATCH).into_iter().flatten().map(|c| step(&zone, c)).collect();
        look.steps
            .extend(found.later.into_iter().map(|change| Step { change, op: Op { zone: zone.clone(), change: None } }));
        let parts = look.steps.len().div_ceil(BATCH);
        look.cost = Cost { calls: u32::try_from(parts + 2).unwrap_or(u32::MAX), quota: Some(QUOTA) };
        Ok(look)
    }

    /// One of another type cannot become what is declared without being deleted: that is for a person.
    async fn adoptable(&self) -> Result<Look<Op>, Failure> {
        let (zone, there) = self.read().await?;
        let wanted = dns::wanted(&self.declaration.project, self.declared, &Known::default());
        let found = dns::compare(&self.declaration.project.name, &wanted, &there);
        let fits = found.taken.iter().filter(|t| t.present.kind == t.record.content.kind());
        let steps = fits.map(|taken| step(&zone, adopted(taken))).collect();
        Ok(Look { title: zone.name.clone(), steps, ..Look::default() })
    }

    async fn carry_out(&self, steps: &[Step<Op>]) -> Result<Done, Failure> {
        let Some(zone) = steps.first().map(|s| &s.op.zone) else { return Ok(Done::These(0)) };
        let changes: Vec<Change> = steps.iter().filter_map(|s| s.op.change.clone()).collect();
        let Some(part) = dns::batches(&changes, BATCH).into_iter().next() else { return Ok(Done::These(steps.len())) };
        Ok(match self.client.carry_out(zone, &part).await? {
            Carried::Done => Done::These(part.len()),
            Carried::Unknown(why) => Done::Unknown(why),
        })
    }
}

fn step(zone: &Zone, change: Change) -> Step<Op> {
    Step { change: change.shown(), op: Op { zone: zone.clone(), change: Some(change) } }
}

/// The record as it is, with the mark.
fn adopted(taken: &Taken) -> Change {
    let (present, record) = (&taken.present, &taken.record);
    let content = Content::read(&present.kind, &present.content).unwrap_or_else(|| record.content.clone());
    let ttl = Some(present.ttl).filter(|ttl| *ttl != 1);
    Change::Change {
        present: present.clone(),
        record: Record { content, proxied: present.proxied, ttl, ..record.clone() },
    }
}
