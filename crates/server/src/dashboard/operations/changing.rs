//! What is changed.

use ambit_domain::access::Operation;
use axum::http::Method;

use super::{ENVIRONMENT, GATE, NAME, NUMBER, OF_ENVIRONMENT, PROJECT, REASON, TO};
use crate::dashboard::endpoint::{Endpoint, Field};

const QUEUED: &str = "The deployment as it was queued.";
const DECIDED: &str = "The deployment as it stands now.";
const INCIDENT_NOW: &str = "The incident as it stands now.";
const WORK: &str = "The work as it began; ask for it by its id.";

/// How an operation that changes something is asked for.
pub(super) fn endpoint(operation: Operation) -> Option<Endpoint> {
    Some(match operation {
        Operation::Deploy => Endpoint::post(
            "/projects/{project}/environments/{environment}/deploy",
            "Queues a commit of the project's repository.",
            QUEUED,
            const {
                &[
                    PROJECT,
                    ENVIRONMENT,
                    Field::text(
                        "reference",
                        "A branch, a tag or a commit; what the environment follows where nothing is said.",
                    ),
                    REASON,
                ]
            },
        ),
        Operation::Promote => Endpoint::post(
            "/projects/{project}/environments/{environment}/promote",
            "Queues the release that another environment runs.",
            QUEUED,
            const { &[PROJECT, ENVIRONMENT, Field::text("from", "The environment that runs the release.").needed(), REASON] },
        ),
        Operation::Rollback => Endpoint::post(
            "/projects/{project}/environments/{environment}/rollback",
            "Queues the release that served before, or another one that did. Data stays as it is.",
            QUEUED,
            const { &[PROJECT, ENVIRONMENT, TO, REASON] },
        ),
        Operation::Approve => {
            decided("/projects/{project}/deployments/{number}/approve", "Says yes to a deployment that waits.", DECIDED)
        }
        Operation::Reject => {
            decided("/projects/{project}/deployments/{number}/reject", "Says no to a deployment that waits.", DECIDED)
        }
        Operation::Cancel => decided(
            "/projects/{project}/deployments/{number}/cancel",
            "Takes back a deployment that does not serve yet.",
            DECIDED,
        ),
        Operation::Sign => Endpoint::post(
            "/projects/{project}/environments/{environment}/gates/{gate}/sign",
            "Signs a gate that the machine cannot look at.",
            DECIDED,
            const { &[PROJECT, ENVIRONMENT, GATE, REASON] },
        ),
        Operation::Waive => Endpoint::post(
            "/projects/{project}/environments/{environment}/gates/{gate}/waive",
            "Answers for a gate that is closed.",
            DECIDED,
            const { &[PROJECT, ENVIRONMENT, GATE, REASON] },
        ),
        Operation::Verdict => Endpoint::post(
            "/projects/{project}/verdicts",
            "Notes what QA says of a build, of a release, or of what an environment runs.",
            "What was said, as it is remembered.",
            const {
                &[
                    PROJECT,
                    OF_ENVIRONMENT,
                    Field::text(
                        "about",
                        "The id of a build or of a release; what the environment runs where nothing is said.",
                    ),
                    Field::flag("yes", "Whether it is good.").needed(),
                    Field::text("comment", "In the tester's words; a no needs some."),
                ]
            },
        ),
        Operation::OpenIncident => Endpoint::post(
            "/projects/{project}/incidents",
            "Tells on the status page that something is wrong.",
            INCIDENT_NOW,
            const {
                &[
                    PROJECT,
                    Field::text("text", "What is told; plain text.").needed(),
                    Field::text(
                        "title",
                        "What is wrong, on one line; that of the alert's proposal where nothing is said.",
                    ),
                    Field::text(
                        "services",
                        "The services, with commas between them; those of the proposal where none is named.",
                    ),
                    Field::number("alert", "The alert that proposes it."),
                ]
            },
        ),
        Operation::UpdateIncident => {
            told("/projects/{project}/incidents/{number}/update", "Tells more of an incident.", INCIDENT_NOW)
        }
        Operation::ResolveIncident => {
            told("/projects/{project}/incidents/{number}/resolve", "Tells that an incident is over.", INCIDENT_NOW)
        }
        Operation::BackUp => Endpoint::post(
            "/projects/{project}/environments/{environment}/backups",
            "Makes a backup and drills it.",
            WORK,
            const { &[PROJECT, ENVIRONMENT] },
        ),
        Operation::Restore => Endpoint::post(
            "/projects/{project}/environments/{environment}/restore",
            "Restores a database beside the one that serves; nothing is replaced yet.",
            WORK,
            const {
                &[
                    PROJECT,
                    ENVIRONMENT,
                    Field::text(
                        "moment",
                        "The moment, as 2026-11-24T10:02:00Z; that of the backup where nothing is said.",
                    ),
                    Field::text(
                        "backup",
                        "The backup to begin with; the newest before the moment where nothing is said.",
                    ),
                ]
            },
        ),
        Operation::PutInPlace => Endpoint::post(
            "/projects/{project}/environments/{environment}/beside/{name}/place",
            "Puts a restored database into the place of the one that serves; that one is kept beside.",
            WORK,
            const {
                &[
                    PROJECT,
                    ENVIRONMENT,
                    NAME,
                    Field::text("confirm", "The name of the environment, once more.").needed(),
                ]
            },
        ),
        Operation::RemoveCopy => Endpoint {
            method: Method::DELETE,
            path: "/projects/{project}/environments/{environment}/beside/{name}",
            about: "Deletes a copy beside what serves.",
            answer: "The name of what was deleted.",
            fields: const { &[PROJECT, ENVIRONMENT, NAME] },
        },
        _ => return None,
    })
}

fn told(path: &'static str, about: &'static str, answer: &'static str) -> Endpoint {
    const FIELDS: &[Field] = &[
        PROJECT,
        Field::number("number", "The number of the incident.").needed(),
        Field::text("text", "What is told; plain text.").needed(),
    ];
    Endpoint::post(path, about, answer, FIELDS)
}

fn decided(path: &'static str, about: &'static str, answer: &'static str) -> Endpoint {
    Endpoint::post(path, about, answer, const { &[PROJECT, NUMBER, REASON] })
}
