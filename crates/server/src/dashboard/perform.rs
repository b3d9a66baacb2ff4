//! Carries out operations: each is one call of the application. Whether the caller may ask was looked at before.

use std::sync::Arc;

use ambit_app::{
    AuditFilter, BackUp, Decide, Decision, Declaration, Deploy, OpenIncident, Promote, QaSay, RestoreRequest,
    RestoredCopy, Rollback, UpdateIncident, Waive,
};
use ambit_domain::{
    Actor, EnvironmentId, Failure, FailureKind,
    access::{Caller, Operation},
    ids::DeploymentId,
    spec::{Gate, ProjectName},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Face, input::Input, logs, parts, slow, works::Long};

/// How much of a list is told where nothing is said, and at most.
const LIMIT: (usize, usize) = (50, 1000);

/// So far back metrics are kept.
const METRIC_HOURS: u64 = 90 * 24;

/// Carries out an operation; what it came to, as the API answers it.
pub(crate) async fn perform(
    face: &Arc<Face>,
    caller: &Caller,
    operation: Operation,
    input: &Input,
) -> Result<Value, Failure> {
    let ambit = &face.ambit;
    let actor = caller.actor();
    match operation {
        Operation::Projects => {
            let mut all = ambit.projects()?;
            all.retain(|project| caller.sees(project));
            told(&all)
        }
        Operation::Status => told(&ambit.status(&known_project(face, input)?).await?),
        Operation::Deployments => {
            let project = known_project(face, input)?;
            let environment = environment_of(&project, input)?;
            let all = ambit.deployments(&project, environment.as_ref(), limit(input))?;
            all.iter().map(|deployment| told(deployment).map(shown)).collect()
        }
        Operation::Deployment => {
            let number = of_project(face, input)?;
            told(&ambit.deployment(number)?).map(shown)
        }
        Operation::DeploymentLog => {
            let number = of_project(face, input)?;
            let (events, next) = ambit.deployment_events(number, input.number("from"));
            Ok(json!({ "events": events, "next": next }))
        }
        Operation::Gates => {
            let id = input.environment()?;
            let deployment = ambit.gated_deployment(&id.project, &id.environment)?;
            let gates = ambit.look_at_gates(&deployment).await?;
            Ok(json!({
                "deployment": deployment.number, "version": deployment.version, "gates": gates,
                "approvers": ambit.approvers_of(&deployment),
            }))
        }
        Operation::Diff => {
            let declaration = declaration(face, &input.project()?)?;
            told(&ambit.diff(&declaration, &input.name("from")?, &input.name("to")?)?)
        }
        Operation::RollbackPreview => {
            let id = input.environment()?;
            told(&ambit.preview_rollback(&id.project, &id.environment, input.text("to").as_deref())?)
        }
        Operation::Logs => told(&logs::read(ambit, &logs::Wanted::of(input)?).await?.lines),
        Operation::Series => {
            let EnvironmentId { project, environment } = input.environment()?;
            told(&ambit.metric_names(&project, &environment)?)
        }
        Operation::Metrics => {
            let EnvironmentId { project, environment } = input.environment()?;
            let hours = input.number("hours").map_or(24, |hours| hours.clamp(1, METRIC_HOURS));
            let points = input.number("points").map_or(200, |points| points.clamp(1, 2000));
            let since = parts::now() - i64::try_from(hours).unwrap_or(24) * 3_600_000;
            let series = input.text("series").unwrap_or_default();
            told(&ambit.metrics(&project, &environment, &series, since, u32::try_from(points).unwrap_or(200))?)
        }
        Operation::Variables => told(&ambit.variable_matrix(&input.project()?)?),
        Operation::Backups => {
            let id = input.environment()?;
            Ok(json!({ "backups": ambit.backups(&id).await?, "beside": ambit.beside(&id) }))
        }
        Operation::Copies => told(&ambit.masked_copies(&input.environment()?)?),
        Operation::Classification => told(&slow::classification(face, &input.environment()?).await?),
        Operation::Rehearsals => told(&ambit.rehearsals(&input.environment()?)?),
        Operation::Work => {
            let found = face.works.of(&input.project()?, input.number("number").unwrap_or_default());
            told(&found.ok_or_else(|| {
                Failure::new(FailureKind::NotFound, "there is no such work; it is known until the daemon ends")
            })?)
        }
        Operation::StatusPage => told(&*face.live.status_page(face, &known_project(face, input)?).await?),
        Operation::Incidents => told(&ambit.incidents(&known_project(face, input)?)?),
        Operation::OpenIncident => {
            let request = OpenIncident {
                project: known_project(face, input)?,
                title: input.text("title"),
                text: input.text("text").unwrap_or_default(),
                services: input.texts("services"),
                alert: input.number("alert").and_then(|alert| i64::try_from(alert).ok()),
                actor,
            };
            told(&ambit.open_incident(&request)?)
        }
        Operation::UpdateIncident | Operation::ResolveIncident => {
            let request = UpdateIncident {
                project: known_project(face, input)?,
                number: input.number("number").and_then(|number| i64::try_from(number).ok()).unwrap_or_default(),
                text: input.text("text").unwrap_or_default(),
                resolve: operation == Operation::ResolveIncident,
                actor,
            };
            told(&ambit.update_incident(&request)?)
        }
        Operation::Builds => told(&ambit.mobile_builds(&known_project(face, input)?, None)?),
        Operation::Cost => told(&slow::cost(face, &known_project(face, input)?).await?),
        Operation::Audit => {
            let filter = AuditFilter {
                project: Some(known_project(face, input)?),
                environment: input.some_environment()?,
                since: None,
                limit: Some(limit(input)),
            };
            told(&ambit.audit(&filter)?)
        }
        Operation::Deploy => deploy(face, actor, input).await,
        Operation::Promote => promote(face, actor, input).await,
        Operation::Rollback => {
            let EnvironmentId { project, environment } = input.environment()?;
            let (to, reason) = (input.text("to"), input.text("reason"));
            let request = Rollback { project, environment, to, reason, restore: false, keys: String::new(), actor };
            told(&ambit.rollback(&request).await?).map(shown)
        }
        Operation::Approve => decide(face, actor, input, Decision::Approve).await,
        Operation::Reject => decide(face, actor, input, Decision::Reject).await,
        Operation::Cancel => decide(face, actor, input, Decision::Cancel).await,
        Operation::Sign | Operation::Waive => {
            let EnvironmentId { project, environment } = input.environment()?;
            let word = input.text("gate").unwrap_or_default();
            let gate = Gate::named(&word).ok_or_else(|| {
                Failure::new(FailureKind::NotFound, format!("there is no gate `{}`", word.escape_debug()))
            })?;
            let sign = operation == Operation::Sign;
            told(&ambit.waive(&Waive { project, environment, gate, sign, reason: input.reason(), actor })?).map(shown)
        }
        Operation::Verdict => {
            let request = QaSay {
                project: known_project(face, input)?,
                environment: input.some_environment()?,
                about: input.text("about"),
                yes: input.flag("yes"),
                comment: input.text("comment").unwrap_or_default(),
                actor,
            };
            told(&ambit.qa(&request).await?)
        }
        Operation::BackUp | Operation::Restore | Operation::PutInPlace => begin(face, actor, operation, input),
        Operation::RemoveCopy => {
            let EnvironmentId { project, environment } = input.environment()?;
            let name = input.text("name").unwrap_or_default();
            let request = RestoredCopy { project, environment, name: name.clone(), at: None, actor };
            ambit.remove_beside(&request, &super::works::unheard()).await?;
            Ok(json!({ "removed": name }))
        }
    }
}

async fn deploy(face: &Face, actor: Actor, input: &Input) -> Result<Value, Failure> {
    let EnvironmentId { project, environment } = input.environment()?;
    let request = Deploy {
        folder: face.ambit.project_folder(&project)?,
        environment: environment.to_string(),
        to: None,
        reference: input.text("reference"),
        reason: input.text("reason"),
        keys: String::new(),
        actor,
    };
    told(&face.ambit.deploy(&request).await?).map(shown)
}

async fn promote(face: &Face, actor: Actor, input: &Input) -> Result<Value, Failure> {
    let EnvironmentId { project, environment } = input.environment()?;
    let request = Promote {
        folder: face.ambit.project_folder(&project)?,
        from: input.text("from").unwrap_or_default(),
        to: environment.to_string(),
        reason: input.text("reason"),
        keys: String::new(),
        actor,
    };
    told(&face.ambit.promote(&request).await?).map(shown)
}

async fn decide(face: &Face, actor: Actor, input: &Input, decision: Decision) -> Result<Value, Failure> {
    let number = of_project(face, input)?;
    let request = Decide { number, decision, reason: input.reason(), keys: String::new(), actor };
    told(&face.ambit.decide(&request).await?).map(shown)
}

/// Begins what takes a while; how it goes is asked for by its number.
fn begin(face: &Arc<Face>, actor: Actor, operation: Operation, input: &Input) -> Result<Value, Failure> {
    let id = input.environment()?;
    let EnvironmentId { project, environment } = id.clone();
    let long = match operation {
        Operation::BackUp => Long::BackUp(BackUp { project, environment, at: None, actor: actor.clone() }),
        Operation::Restore => {
            let to = input.text("moment").map(|text| moment(&text)).transpose()?;
            let backup = input.text("backup");
            Long::Restore(RestoreRequest {
                project,
                environment,
                to,
                backup,
                into: None,
                at: None,
                actor: actor.clone(),
            })
        }
        _ => {
            if input.text("confirm").as_deref() != Some(environment.as_str()) {
                return Err(Failure::new(
                    FailureKind::User,
                    "nothing was changed: the name that was typed is not that of the environment",
                ));
            }
            let name = input.text("name").unwrap_or_default();
            Long::PutInPlace(RestoredCopy { project, environment, name, at: None, actor: actor.clone() })
        }
    };
    told(&face.works.begin(face, &id, operation, actor, long))
}

/// A moment as people and browsers write it; UTC where it says no zone.
fn moment(text: &str) -> Result<i64, Failure> {
    let zoned = text.parse::<jiff::Timestamp>();
    let plain = || text.parse::<jiff::civil::DateTime>().and_then(|t| t.to_zoned(jiff::tz::TimeZone::UTC));
    zoned.or_else(|_| plain().map(|zoned| zoned.timestamp())).map(|at| at.as_millisecond()).map_err(|_| {
        Failure::new(FailureKind::User, format!("`{}` is no moment", text.escape_debug()))
            .hint("write it as 2026-11-24T10:02:00Z")
    })
}

pub(crate) fn declaration(face: &Face, project: &ProjectName) -> Result<Declaration, Failure> {
    face.ambit.declaration_in_folder(project)
}

/// A project that is there.
pub(crate) fn known_project(face: &Face, input: &Input) -> Result<ProjectName, Failure> {
    let project = input.project()?;
    face.ambit.project_folder(&project)?;
    Ok(project)
}

fn environment_of(project: &ProjectName, input: &Input) -> Result<Option<EnvironmentId>, Failure> {
    let named = input.some_environment()?;
    Ok(named.map(|environment| EnvironmentId { project: project.clone(), environment }))
}

/// The number of a deployment of the very project that the caller was let in for.
fn of_project(face: &Face, input: &Input) -> Result<DeploymentId, Failure> {
    let (project, number) = (input.project()?, input.deployment());
    let found = face.ambit.deployment(number)?;
    if found.deployment.environment.project != project {
        return Err(Failure::new(FailureKind::NotFound, format!("there is no deployment {number}")));
    }
    Ok(number)
}

fn limit(input: &Input) -> usize {
    input.number("limit").and_then(|n| usize::try_from(n).ok()).map_or(LIMIT.0, |n| n.clamp(1, LIMIT.1))
}

fn told<T: Serialize>(value: &T) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|e| Failure::from_error(FailureKind::Internal, &e))
}

/// A deployment without what its steps work on, which is for the engine alone.
fn shown(mut deployment: Value) -> Value {
    if let Some(fields) = deployment.as_object_mut() {
        fields.remove("work");
    }
    deployment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_a_zone_and_as_a_browser_sends_them() {
        assert_eq!(moment("1970-01-01T00:00:01Z").unwrap(), 1000);
        assert_eq!(moment("1970-01-01T01:00:00+01:00").unwrap(), 0);
        assert_eq!(moment("1970-01-01T00:01").unwrap(), 60_000);
        for bad in ["", "now", "1970-13-01T00:00", "<script>"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }
}
