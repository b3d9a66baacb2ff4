//! Monitoring is declared, no alert is open, and what runs answers it now.

use ambit_domain::{
    Failure,
    monitoring::{Finding, headline},
    spec::{Language, MonitoringLevel},
};

use super::{Evidence, Finding as Found};
use crate::monitor::Declared;

pub(super) async fn look(at: &Evidence<'_>) -> Found {
    let name = &at.scope.environment.name;
    if at.scope.environment.monitoring.level == MonitoringLevel::None {
        return Found::failed(
            format!("no monitoring is declared for {name}"),
            format!("[monitoring] level = {{ {name} = \"basic\" }} in ambit.toml"),
        );
    }
    if at.deployment.hosted.is_some() {
        return there(at).await;
    }
    look_at_what_runs(at).await.unwrap_or_else(|failure| Found::failed(failure.message, "ambit status"))
}

async fn look_at_what_runs(at: &Evidence<'_>) -> Result<Found, Failure> {
    let scope = at.scope;
    let name = &scope.environment.name;
    let open = scope.ambit.alerts(&scope.id.project, Some(name), false, usize::MAX)?;
    if let Some(alert) = open.first() {
        let what = headline(&alert.check, Language::English);
        return Ok(Found::failed(
            format!("{} of {name} open: {what}: {}", alerts(open.len()), alert.why),
            format!("ambit alerts -e {name}"),
        ));
    }
    // By the health checks of what serves, and not of what is to come.
    let record = scope.recorded()?;
    let health = match scope.ambit.live_of(&record)? {
        Some(live) => Declared::by(&scope.ambit.declaration_of(&live)?.0, &scope.id),
        None => Declared::by(scope.declaration, &scope.id),
    };
    let seen = scope.ambit.look_now(&scope.id, &record, &health).await?;
    let wrong = seen.iter().find_map(|(check, finding)| match finding {
        Finding::Failing(why) | Finding::Broken(why) => Some((check, why)),
        Finding::Well => None,
    });
    Ok(match wrong {
        Some((check, why)) => Found::failed(
            format!("{}: {why}", headline(check, Language::English)),
            format!("ambit logs -e {name} {}", check.service),
        ),
        None if seen.is_empty() => Found::failed("nothing runs that could be watched", format!("ambit up {name}")),
        None => Found::passed(format!("no alert is open, and {} checks are well now", seen.len())),
    })
}

fn alerts(count: usize) -> String {
    if count == 1 { "an alert".to_owned() } else { format!("{count} alerts") }
}

/// What lives elsewhere is asked about there.
async fn there(at: &Evidence<'_>) -> Found {
    let next = format!("ambit status {}", at.scope.environment.name);
    let services = match at.scope.hosted() {
        Ok(hosted) => hosted.services().await,
        Err(failure) => Err(failure),
    };
    match services {
        Err(failure) => Found::failed(failure.message, next),
        Ok(services) if services.is_empty() => Found::failed("there is no service there yet", next),
        Ok(services) => match services.iter().find(|service| !service.healthy) {
            Some(ill) => Found::failed(format!("{} is {}", ill.name, ill.state), next),
            None => Found::passed(format!("{} services serve", services.len())),
        },
    }
}
