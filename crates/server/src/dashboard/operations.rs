//! The operations as they are asked for over HTTP: one table, from which the routes of the API, its OpenAPI document and
//! the forms of the pages are made. Which role each needs is said in `ambit_domain::access`.

use ambit_domain::access::Operation;
use axum::http::Method;

use super::endpoint::{Endpoint, Field};

const PROJECT: Field = Field::text("project", "The project.").needed();
const ENVIRONMENT: Field = Field::text("environment", "The environment.").needed();
const NUMBER: Field = Field::number("number", "The number of the deployment.").needed();
const NAME: Field = Field::text("name", "The name of the copy.").needed();
const OF_ENVIRONMENT: Field = Field::text("environment", "Of this environment alone.");
const LIMIT: Field = Field::number("limit", "The newest so many; 50 where nothing is said, at most 1000.");
const REASON: Field = Field::text("reason", "Why; it stays in the record.");
const GATE: Field = Field::text("gate", "The name of the gate.").needed();

/// How an operation is asked for.
pub(crate) fn endpoint(operation: Operation) -> Endpoint {
    const QUEUED: &str = "The deployment as it was queued.";
    const DECIDED: &str = "The deployment as it stands now.";
    const INCIDENT_NOW: &str = "The incident as it stands now.";
    const WORK: &str = "The work as it began; ask for it by its id.";
    match operation {
        Operation::Projects => {
            Endpoint::get("/projects", "Lists the projects that the caller sees.", "Their names.", &[])
        }
        Operation::Status => Endpoint::get(
            "/projects/{project}/status",
            "Tells what runs.",
            "Each environment with its services and how its backups stand.",
            &[PROJECT],
        ),
        Operation::Deployments => Endpoint::get(
            "/projects/{project}/deployments",
            "Lists what was deployed, the newest first.",
            "Deployments.",
            const { &[PROJECT, OF_ENVIRONMENT, LIMIT] },
        ),
        Operation::Deployment => Endpoint::get(
            "/projects/{project}/deployments/{number}",
            "Tells of one deployment.",
            "The deployment with its steps, gates and approvals.",
            const { &[PROJECT, NUMBER] },
        ),
        Operation::DeploymentLog => Endpoint::get(
            "/projects/{project}/deployments/{number}/log",
            "Tells what a deployment said, from a position on.",
            "Events, and the position to ask from the next time.",
            const { &[PROJECT, NUMBER, Field::number("from", "The position; the end of the log where nothing is said.")] },
        ),
        Operation::Gates => Endpoint::get(
            "/projects/{project}/environments/{environment}/gates",
            "Looks at the checklist of the deployment that waits.",
            "The deployment's number, its version, each gate with its evidence, and who may approve.",
            const { &[PROJECT, ENVIRONMENT] },
        ),
        Operation::Diff => Endpoint::get(
            "/projects/{project}/diff",
            "Compares what two environments run.",
            "Commits, migrations and variables that differ.",
            const {
                &[
                    PROJECT,
                    Field::text("from", "The one environment.").needed(),
                    Field::text("to", "The other.").needed(),
                ]
            },
        ),
        Operation::RollbackPreview => Endpoint::get(
            "/projects/{project}/environments/{environment}/rollback",
            "Tells what a rollback would do.",
            "Both versions, and what of the migrations between them cannot be taken back by code.",
            const { &[PROJECT, ENVIRONMENT, TO] },
        ),
        Operation::Logs => Endpoint::get(
            "/projects/{project}/environments/{environment}/logs",
            "Reads what services printed last.",
            "Lines with their time and instance, the oldest first.",
            const {
                &[
                    PROJECT,
                    ENVIRONMENT,
                    Field::text("service", "Of this service alone."),
                    Field::text("search", "Lines that hold this text alone, whatever its case."),
                    Field::text("since", "Not before: `15m`, `1h`, `2d` ago, or a moment as 2026-11-24T10:02:00Z."),
                    Field::text("until", "Not after."),
                    Field::text(
                        "level",
                        "Lines that say they are at least so grave: trace, debug, info, warn, error, fatal.",
                    ),
                    Field::text("release", "Of a release, by the first digits of its build."),
                    Field::number(
                        "lines",
                        "The last so many of each instance; 200 where nothing is said, at most 5000.",
                    ),
                ]
            },
        ),
        Operation::Series => Endpoint::get(
            "/projects/{project}/environments/{environment}/series",
            "Lists what is measured of an environment, and of the machine.",
            "The names of series.",
            const { &[PROJECT, ENVIRONMENT] },
        ),
        Operation::Metrics => Endpoint::get(
            "/projects/{project}/environments/{environment}/metrics",
            "Reads what was measured.",
            "Points with the lowest, the mean and the highest value since the one before.",
            const {
                &[
                    PROJECT,
                    ENVIRONMENT,
                    Field::text("series", "The name of the series, such as `cpu/backend`.").needed(),
                    Field::number("hours", "So many hours back; 24 where nothing is said, at most 2160."),
                    Field::number("points", "In at most so many points; 200 where nothing is said, at most 2000."),
                ]
            },
        ),
        Operation::Variables => Endpoint::get(
            "/projects/{project}/variables",
            "Shows the variables of all environments side by side; secrets by their state alone.",
            "Rows with one cell for each environment.",
            &[PROJECT],
        ),
        Operation::Backups => Endpoint::get(
            "/projects/{project}/environments/{environment}/backups",
            "Lists backups and the moments that can be restored.",
            "Backups, ranges, and copies beside what serves.",
            const { &[PROJECT, ENVIRONMENT] },
        ),
        Operation::Copies => Endpoint::get(
            "/projects/{project}/environments/{environment}/copies",
            "Lists masked copies into an environment.",
            "Copies with what the leak check came to.",
            const { &[PROJECT, ENVIRONMENT] },
        ),
        Operation::Work => Endpoint::get(
            "/projects/{project}/works/{number}",
            "Tells how a backup or a restore goes.",
            "What it said, and what it came to.",
            const { &[PROJECT, Field::number("number", "The id of the work.").needed()] },
        ),
        Operation::StatusPage => Endpoint::get(
            "/projects/{project}/status-page",
            "Tells what the status page tells, and how the services of the other environments do.",
            "Each service with its last 90 days, and incidents.",
            &[PROJECT],
        ),
        Operation::Incidents => Endpoint::get(
            "/projects/{project}/incidents",
            "Lists incidents, and those that alerts of production propose.",
            "Incidents with what was told, and proposals.",
            &[PROJECT],
        ),
        Operation::Builds => Endpoint::get(
            "/projects/{project}/builds",
            "Lists the builds of the mobile app.",
            "Builds with where they are found and what QA said.",
            &[PROJECT],
        ),
        Operation::Cost => Endpoint::get(
            "/projects/{project}/cost",
            "Tells what the environments cost each month, and what they take.",
            "The line items with their totals, in cents; what was stated beside them; what is measured on this machine.",
            &[PROJECT],
        ),
        Operation::Audit => Endpoint::get(
            "/projects/{project}/audit",
            "Reads the audit log.",
            "Entries, the oldest first.",
            const { &[PROJECT, OF_ENVIRONMENT, LIMIT] },
        ),
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
    }
}

const TO: Field = Field::text(
    "to",
    "A version, a commit, a release or the number of a deployment; the one before where nothing is said.",
);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_has_an_address_of_its_own_whose_fields_are_described() {
        let mut seen = std::collections::HashSet::new();
        for operation in Operation::ALL {
            let endpoint = endpoint(*operation);
            assert!(seen.insert((endpoint.method.clone(), endpoint.path)), "{}", endpoint.path);
            for part in endpoint.path.split('/').filter_map(|p| p.strip_prefix('{')) {
                let named = part.trim_end_matches('}');
                let field = endpoint.fields.iter().find(|f| f.name == named);
                assert!(field.is_some_and(|f| f.required), "{}: {named}", endpoint.path);
            }
            assert_eq!(Operation::named(operation.name()), Some(*operation));
        }
    }
}
