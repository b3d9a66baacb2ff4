//! What is looked at.

use ambit_domain::access::Operation;

use super::{ENVIRONMENT, LIMIT, NUMBER, OF_ENVIRONMENT, PROJECT, TO};
use crate::dashboard::endpoint::{Endpoint, Field};

/// How an operation that changes nothing is asked for.
pub(super) fn endpoint(operation: Operation) -> Option<Endpoint> {
    Some(match operation {
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
        Operation::Classification => Endpoint::get(
            "/projects/{project}/environments/{environment}/classification",
            "Looks at the columns of a database beside what masking.toml says of them.",
            "Columns with their rule, why, what would be proposed, and what is wrong; never a value.",
            const { &[PROJECT, ENVIRONMENT] },
        ),
        Operation::Rehearsals => Endpoint::get(
            "/projects/{project}/environments/{environment}/rehearsals",
            "Lists rehearsals of migrations on an environment's data.",
            "Rehearsals with what was observed and what would hurt.",
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
        _ => return None,
    })
}
