//! Whether the services around still are as declared, looked at by the daemon now and then. Mending it is a person's.

use std::{sync::Arc, time::Duration};

use ambit_domain::{
    Announcement, Failure,
    outside::{Change, Place, Plan},
    spec::{Occasion, ProjectName},
};
use serde::{Deserialize, Serialize};

use super::{Of, Tokens, spoken};
use crate::{
    ambit::{Ambit, now, store_failure},
    declaration::Declaration,
};

/// How often it is looked. One look takes a few requests of each service, and quotas are counted by the hour.
const EVERY: Duration = Duration::from_secs(3600);
/// How soon after the daemon began.
const FIRST: Duration = Duration::from_secs(2);

/// What was found when the daemon last looked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideDrift {
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// Since when it is not as declared; `None` where it is.
    pub since: Option<i64>,
    /// What differs.
    pub changes: Vec<(Place, Change)>,
    /// What could not be looked at, and why.
    pub unread: Vec<(Place, String)>,
}

/// What is remembered of a project whose services around were applied.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Watched {
    /// Where simulated services are, where those were applied to.
    simulator: Option<String>,
    drift: Option<OutsideDrift>,
}

fn setting(project: &ProjectName) -> String {
    format!("outside {project}")
}

impl Ambit {
    /// Looks now and then at the services of every project that was applied once, for as long as it is polled.
    pub async fn watch_outside(self: Arc<Self>) {
        let mut pause = FIRST;
        loop {
            tokio::time::sleep(pause).await;
            pause = EVERY;
            for project in self.projects_for_now() {
                if let Err(failure) = self.look_for_drift(&project).await {
                    tracing::warn!(causes = ?failure.causes, "the services around {project} were not looked at: {failure}");
                }
            }
        }
    }

    /// What was found when it was last looked; `None` where nothing was ever applied.
    pub fn outside_drift(&self, project: &ProjectName) -> Result<Option<OutsideDrift>, Failure> {
        Ok(self.remembered::<Option<Watched>>(&setting(project))?.and_then(|watched| watched.drift))
    }

    /// What the daemon itself opens the services by: where simulated ones were applied to, those and no others.
    pub(crate) fn tokens_of(&self, project: &ProjectName) -> Result<Tokens, Failure> {
        let watched = self.remembered::<Option<Watched>>(&setting(project))?;
        Ok(Tokens { simulator: watched.and_then(|watched| watched.simulator), ..Tokens::default() })
    }

    /// Whether the services around a project were made as declared once.
    pub(crate) fn was_applied(&self, project: &ProjectName) -> Result<bool, Failure> {
        Ok(self.remembered::<Option<Watched>>(&setting(project))?.is_some())
    }

    /// From now on the services around the project are looked at.
    pub(super) fn begin_watching(&self, declaration: &Declaration, tokens: &Tokens) -> Result<(), Failure> {
        let project = &declaration.project.name;
        if self.store.project_folder(project).map_err(|e| store_failure(&e))?.is_none() {
            self.store.set_project_folder(project, &declaration.folder).map_err(|e| store_failure(&e))?;
        }
        let drift = self.outside_drift(project)?;
        self.remember(&setting(project), &Some(Watched { simulator: tokens.simulator.clone(), drift }))
    }

    async fn look_for_drift(&self, project: &ProjectName) -> Result<(), Failure> {
        let Some(watched) = self.remembered::<Option<Watched>>(&setting(project))? else { return Ok(()) };
        let Some(folder) = self.store.project_folder(project).map_err(|e| store_failure(&e))? else { return Ok(()) };
        let declaration = Declaration::open(&folder, &self.keys_of(project))?;
        let tokens = self.tokens_of(project)?;
        let plan = self.plan_outside(&declaration, &Of::default(), &tokens).await;
        let found = match plan {
            Ok(plan) => drift(plan, watched.drift.as_ref()),
            Err(failure) => return Err(Failure { message: spoken(&failure), ..failure }),
        };
        let before = watched.drift.as_ref().map_or(&[][..], |drift| &drift.changes);
        if found.since.is_some() && found.changes != before {
            self.tell_of_drift(&declaration, &found);
        }
        // Whoever applied meanwhile knows better.
        let now = self.remembered::<Option<Watched>>(&setting(project))?.unwrap_or_default();
        if now.drift == watched.drift {
            self.remember(&setting(project), &Some(Watched { drift: Some(found), ..now }))?;
        }
        Ok(())
    }

    /// After an apply it is as it was left.
    pub(super) fn note_applied(&self, project: &ProjectName) -> Result<(), Failure> {
        let watched = self.remembered::<Option<Watched>>(&setting(project))?.unwrap_or_default();
        self.remember(&setting(project), &Some(Watched { drift: None, ..watched }))
    }

    fn tell_of_drift(&self, declaration: &Declaration, found: &OutsideDrift) {
        let Some(id) = declaration.foremost() else { return };
        let what: Vec<String> = found.changes.iter().map(|(place, c)| format!("{place}: {}", c.key)).collect();
        let announcement = Announcement {
            reason: Some(what.join(", ")),
            next: Some("ambit plan".to_owned()),
            ..Announcement::new(Occasion::Drift, None, format!("{} things", found.changes.len()))
        };
        self.announce(&id, announcement);
    }
}

fn drift(plan: Plan, before: Option<&OutsideDrift>) -> OutsideDrift {
    let (mut changes, mut unread) = (Vec::new(), Vec::new());
    for part in plan.parts {
        if part.unread {
            unread.extend(part.remarks.into_iter().map(|remark| (part.place, remark.text)));
        } else {
            changes.extend(part.changes.into_iter().map(|change| (part.place, change)));
        }
    }
    let at = now();
    let since = (!changes.is_empty()).then(|| before.and_then(|drift| drift.since).unwrap_or(at));
    OutsideDrift { at, since, changes, unread }
}
