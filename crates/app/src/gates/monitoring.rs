//! Monitoring is declared, and what runs answers it now.

use ambit_domain::{
    Real,
    provider::Readiness,
    spec::{Form, MonitoringLevel},
};
use std::time::Duration;

use super::{Evidence, Finding};

/// How long what runs has to answer.
const ANSWERS: Duration = Duration::from_secs(3);

pub(super) async fn look(at: &Evidence<'_>) -> Finding {
    let scope = at.scope;
    let name = &scope.environment.name;
    if scope.environment.monitoring.level == MonitoringLevel::None {
        return Finding::failed(
            format!("no monitoring is declared for {name}"),
            format!("[monitoring] level = {{ {name} = \"basic\" }} in ambit.toml"),
        );
    }
    if at.deployment.hosted.is_some() {
        return there(at).await;
    }
    let record = match scope.recorded() {
        Ok(record) => record,
        Err(failure) => return Finding::failed(failure.message, "ambit status"),
    };
    let mut asked = 0;
    for service in scope.environment.services.values() {
        let Form::App(app) = &service.form else { continue };
        let Some(Real::App { serving, .. }) = record.service(&service.name).map(|s| &s.real) else { continue };
        let Some(health) = app.health.clone().filter(|_| !serving.is_empty()) else { continue };
        for instance in serving {
            let readiness = Readiness {
                port: instance.port,
                health: Some(ambit_domain::spec::Health { successes: 1, ..health.clone() }),
                host: service.urls.first().map_or_else(|| "localhost".to_owned(), |u| u.local_host.clone()),
                deadline: ANSWERS,
            };
            let id = scope.instance(&service.name, instance.number);
            if let Err(failure) = scope.ambit.provider.wait_ready(&id, &readiness).await {
                return Finding::failed(
                    format!("{} does not answer: {}", service.name, failure.message),
                    format!("ambit logs -e {name} {}", service.name),
                );
            }
            asked += 1;
        }
    }
    if asked == 0 {
        return Finding::failed(
            "no service that runs says how its health is asked",
            "declare `health` in [services.NAME]",
        );
    }
    Finding::passed(format!("{asked} instances answer their health check now"))
}

/// What lives elsewhere is asked about there.
async fn there(at: &Evidence<'_>) -> Finding {
    let next = format!("ambit status {}", at.scope.environment.name);
    let services = match at.scope.hosted() {
        Ok(hosted) => hosted.services().await,
        Err(failure) => Err(failure),
    };
    match services {
        Err(failure) => Finding::failed(failure.message, next),
        Ok(services) if services.is_empty() => Finding::failed("there is no service there yet", next),
        Ok(services) => match services.iter().find(|service| !service.healthy) {
            Some(ill) => Finding::failed(format!("{} is {}", ill.name, ill.state), next),
            None => Finding::passed(format!("{} services serve", services.len())),
        },
    }
}
