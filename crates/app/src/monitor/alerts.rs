//! `alerts`: what is wrong and what was, and taking one on.

use std::sync::PoisonError;

use ambit_domain::{
    Actor, Failure, FailureKind,
    audit::Note,
    monitoring::{Acknowledged, Alert},
    spec::{EnvironmentName, ProjectName},
};
use serde::{Deserialize, Serialize};

use crate::ambit::{Ambit, now, store_failure};

/// Somebody takes an alert on.
#[derive(Clone, Serialize, Deserialize)]
pub struct Acknowledge {
    /// The project.
    pub project: ProjectName,
    /// The alert's number.
    pub alert: i64,
    /// What they say.
    pub reason: Option<String>,
    /// Who.
    pub actor: Actor,
}

impl Ambit {
    /// The alerts of a project, or of one environment of it: those that go on, or all that are remembered, the newest first.
    pub fn alerts(
        &self,
        project: &ProjectName,
        environment: Option<&EnvironmentName>,
        all: bool,
        limit: usize,
    ) -> Result<Vec<Alert>, Failure> {
        self.store.alerts(project, environment, all, limit).map_err(|e| store_failure(&e))
    }

    /// Takes an alert on: it is not told again, unless it comes back.
    pub fn acknowledge(&self, request: &Acknowledge) -> Result<Alert, Failure> {
        let _one_at_a_time = self.alerting.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.store.alert(request.alert).map_err(|e| store_failure(&e))?;
        let none = || {
            Failure::new(FailureKind::NotFound, format!("{} has no alert {}", request.project, request.alert))
                .hint("ambit alerts")
        };
        let alert = found.filter(|a| a.environment.project == request.project).ok_or_else(none)?;
        if !alert.is_open() {
            return Err(Failure::new(FailureKind::User, format!("alert {} is over already", alert.id))
                .hint("ambit alerts --all"));
        }
        if let Some(by) = &alert.acknowledged {
            return Err(Failure::new(FailureKind::User, format!("{} took alert {} on already", by.by, alert.id)));
        }
        let taken = Acknowledged { at: now(), by: request.actor.who.clone(), reason: request.reason.clone() };
        let alert = Alert { acknowledged: Some(taken), ..alert };
        self.store.set_alert(&alert, None).map_err(|e| store_failure(&e))?;
        let note = Note::new(&request.actor, &request.project, "alert.acknowledged")
            .environment(&alert.environment.environment)
            .about("alert", alert.id);
        self.note_quietly(match &request.reason {
            Some(reason) => note.about("reason", reason.as_str()),
            None => note,
        });
        Ok(alert)
    }
}
