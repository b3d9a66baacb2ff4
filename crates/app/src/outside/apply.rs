//! Carrying out a plan, and nothing else.

use ambit_domain::{
    Actor, Failure, FailureKind,
    audit::Note,
    outside::{Action, Allowed, Known, Part, Place, Plan},
};

use super::{Applied, Apply, Ask, Import, Of, Sides, Tokens};
use crate::{ambit::Ambit, declaration::Declaration, progress::Progress};

/// What is carried out, and for whom.
struct Order<'a> {
    plan: &'a Plan,
    confirm: &'a [String],
    actor: &'a Actor,
    ask: Ask,
}

impl Ambit {
    /// Does what the plan says, as far as it is not done yet, and nothing else.
    pub async fn apply_outside(&self, request: &Apply, progress: &Progress) -> Result<Applied, Failure> {
        let declaration = Declaration::open(&request.folder, &request.keys)?;
        self.remember_keys(&declaration.project.name, &request.keys);
        let Apply { plan, confirm, actor, .. } = request;
        let order = Order { plan, confirm, actor, ask: Ask::Declared };
        self.begin_watching(&declaration, &request.tokens)?;
        let applied = self.carry_out(&declaration, &request.tokens, &order, progress).await?;
        self.note_applied(&declaration.project.name)?;
        Ok(applied)
    }

    /// Makes what the plan of [`Ambit::plan_import`] names the project's own; what it says stays until a plan was applied.
    pub async fn import_outside(&self, request: &Import, progress: &Progress) -> Result<Applied, Failure> {
        let declaration = Declaration::open(&request.folder, &request.keys)?;
        let Import { plan, actor, .. } = request;
        let order = Order { plan, confirm: &[], actor, ask: Ask::Adoptable };
        self.carry_out(&declaration, &request.tokens, &order, progress).await
    }

    /// Makes a part of the services around as it is declared, for work of which that is a step; tells how much was done, and what could
    /// not be.
    pub(crate) async fn make_as_declared(
        &self,
        declaration: &Declaration,
        of: &Of,
        tokens: &Tokens,
        actor: &Actor,
        progress: &Progress,
    ) -> Result<(usize, Vec<String>), Failure> {
        let plan = self.plan_outside(declaration, of, tokens).await?;
        // Whoever asked for that work named the environment whose records change.
        let confirm = plan.parts.iter().filter(|part| part.place == Place::Dns).flat_map(|part| &part.confirm);
        let confirm: Vec<String> = confirm.map(|needed| needed.name.clone()).collect();
        let order = Order { plan: &plan, confirm: &confirm, actor, ask: Ask::Declared };
        let applied = self.carry_out(declaration, tokens, &order, progress).await?;
        let told = plan.parts.iter().flat_map(|part| &part.remarks).chain(applied.refused.iter().map(|(_, r)| r));
        let told = told.map(|remark| format!("{}: {}", remark.about, remark.text)).collect();
        Ok((applied.all(), told))
    }

    /// What Railway asks of the name servers for each host.
    pub(crate) async fn railway_hosts(
        &self,
        declaration: &Declaration,
        tokens: &Tokens,
    ) -> Result<std::collections::BTreeMap<String, ambit_domain::outside::RailwayHost>, Failure> {
        let mut known = Known::default();
        self.open_side(declaration, tokens, Place::Railway)?.look(&mut known, Ask::Declared).await?;
        Ok(known.railway_hosts)
    }

    async fn carry_out(
        &self,
        declaration: &Declaration,
        tokens: &Tokens,
        order: &Order<'_>,
        progress: &Progress,
    ) -> Result<Applied, Failure> {
        if (order.plan.version, order.plan.project.as_str()) != (Plan::VERSION, declaration.project.name.as_str()) {
            return Err(stale("it is of another project or format"));
        }
        let declared = declaration.places();
        let mut known = Known::default();
        let mut sides: Sides<'_> = Vec::new();
        for place in declared {
            let planned = order.plan.parts.iter().find(|p| p.place == place && !p.unread);
            // What a later part has to know is read, and nothing of it is done.
            let asked = planned.is_some() || is_needed(order.plan, place);
            if !asked {
                continue;
            }
            let mut side = self.open_side(declaration, tokens, place)?;
            let mut found = side.look(&mut known, order.ask).await?;
            found.changes.retain(|change| change.is_of(&order.plan.environments));
            if let Some(planned) = planned {
                check(planned, &found, order.confirm)?;
                sides.push(side);
            }
        }
        let mut applied = Applied::default();
        for mut side in sides {
            let place = side.place();
            let changes = order.plan.parts.iter().filter(|p| p.place == place).flat_map(|p| &p.changes);
            let changes: Vec<_> = changes.cloned().collect();
            let (count, result) = side.carry_out(&Allowed::new(&changes), &mut known, order.ask, progress).await;
            applied.changes.insert(place, count);
            applied.refused.extend(side.refused().iter().map(|remark| (place, remark.clone())));
            if count > 0 {
                let action = if order.ask == Ask::Declared { "outside.applied" } else { "outside.imported" };
                let note = Note::new(order.actor, &declaration.project.name, action);
                self.note_done(note.about("service", place.name()).about("changes", count.to_string()), progress);
            }
            result.map_err(|failure| failure.hint("what was done stays; ambit apply does the rest"))?;
        }
        Ok(applied)
    }
}

/// Whether a part of the plan has to know what is there.
fn is_needed(plan: &Plan, place: Place) -> bool {
    place == Place::Railway && plan.parts.iter().any(|p| p.place == Place::Dns)
}

/// Whether everything that would be done now was looked at, and what is lost was named.
fn check(planned: &Part, found: &Part, confirm: &[String]) -> Result<(), Failure> {
    let allowed = Allowed::new(&planned.changes);
    if let Some(change) = found.changes.iter().find(|change| !allowed.covers(change)) {
        return Err(stale(&format!("{} would be changed in another way at {}", change.key, found.place)));
    }
    // Of environments that were not asked for nothing is deleted.
    let deletes = found.changes.iter().any(|change| change.action == Action::Delete);
    match found.confirm.iter().find(|needed| deletes && !confirm.contains(&needed.name)) {
        None => Ok(()),
        Some(needed) => Err(Failure::new(FailureKind::User, format!("{}; nothing was changed", needed.why))
            .hint(format!("if that is meant: ambit apply --confirm {}", needed.name))),
    }
}

fn stale(why: &str) -> Failure {
    Failure::new(FailureKind::User, format!("the plan is out of date: {why}; nothing was changed"))
        .hint("look again: ambit plan")
}
