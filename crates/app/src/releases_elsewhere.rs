//! What Sentry is told of a deployment, when the outbox says so.

use ambit_cloud::{
    SendError,
    sentry::{BASE, Sentry},
};
use ambit_domain::{Failure, sentry::Deploy};

use crate::{
    declaration::Declaration,
    outside::Tokens,
    telling::{later, moment},
};

/// Records a release and where it runs now.
pub(crate) async fn record_release(
    declaration: &Declaration,
    deploy: Option<&Deploy>,
    tokens: &Tokens,
) -> Result<(), SendError> {
    let refused = |why: &str| SendError::Refused { why: why.to_owned() };
    let declared = declaration.project.providers.sentry.as_ref();
    let declared = declared.ok_or_else(|| refused("[providers.sentry] is no longer declared"))?;
    let deploy =
        deploy.ok_or_else(|| refused("Sentry takes neither the version nor the commit as a release's name"))?;
    // Somebody may set the token.
    let waits = |failure: Failure| {
        let help = failure.hints.first().map(|hint| format!(" ({hint})")).unwrap_or_default();
        later(format!("{}{help}", failure.message))
    };
    let door = declaration.door(("sentry", "Sentry"), &declared.access, BASE, tokens).map_err(waits)?;
    let client = Sentry::new(&door.base, &door.token, &declared.organization, &declared.project).map_err(waits)?;
    client.record(deploy, moment).await
}
