//! The routing table, made from what is recorded and handed to the proxy.
//!
//! It is always written whole from the store: after a crash anywhere, writing it again is right.

use std::collections::BTreeSet;

use ambit_domain::{EnvironmentId, EnvironmentRecord, Failure, FailureKind, Real, Wanted, spec::Kind};
use ambit_proxy::table::{Route, RouteState, RoutingTable, Target};

use crate::{
    ambit::{Ambit, store_failure},
    certificates::Secured,
    mobile::builds_route,
};

impl Ambit {
    /// Makes the proxy serve what is recorded; returns once every one of its workers does.
    pub(crate) async fn publish_routes(&self) -> Result<(), Failure> {
        let _one_at_a_time = self.routing.lock().await;
        let environments = self.store.environments().map_err(|e| store_failure(&e))?;
        let secured = self.secured()?;
        let mut all = self.webhook_routes(&secured)?;
        all.extend(self.dashboard_route(&secured)?);
        for (id, record) in environments.iter().filter(|(_, record)| record.wanted == Wanted::Running) {
            let own = routes(id, record, &secured, self.held(id));
            let newest = self.store.mobile_builds(id).map_err(|e| store_failure(&e))?.into_iter().next();
            all.extend(builds_route(&self.home, id, record, newest.as_ref(), &own));
            all.extend(own);
        }
        let folder = self.home.proxy();
        let failed = |error: &dyn std::error::Error| Failure::from_error(FailureKind::Machine, error);
        RoutingTable::new(all).store(&folder.join("routes.json")).map_err(|e| failed(&e))?;
        ambit_proxy::client::reload(&folder)
            .await
            .map_err(|e| failed(&e).hint(format!("what the proxy says: {}", self.host.proxy_log().display())))?;
        self.keeping.changed.notify_one();
        Ok(())
    }
}

fn routes(id: &EnvironmentId, record: &EnvironmentRecord, secured: &Secured, apps: RouteState) -> Vec<Route> {
    let of_service = |service: &ambit_domain::ServiceRecord| {
        let target = match &service.real {
            Real::App { serving, .. } => Target::App {
                upstreams: serving.iter().filter_map(|i| Some(([127, 0, 0, 1], i.port?).into())).collect(),
            },
            Real::Site { folder, single_page, .. } => Target::Site { root: folder.clone(), single_page: *single_page },
            Real::Server | Real::Job { .. } => return Vec::new(),
        };
        let mut paths: Vec<&str> = service.urls.iter().map(|u| u.path.as_str()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
            .into_iter()
            .map(|path| {
                let hosts: BTreeSet<String> = service
                    .urls
                    .iter()
                    .filter(|u| u.path == path)
                    .flat_map(|u| [u.host.clone(), u.local_host.clone()])
                    .collect();
                Route {
                    id: format!("{id}/{}", service.made_from.service),
                    https: secured.hosts(&hosts),
                    hosts: hosts.into_iter().collect(),
                    path: path.to_owned(),
                    target: target.clone(),
                    noindex: record.kind != Kind::Production,
                    environment: id.environment.to_string(),
                    hsts: Secured::strictly(record.kind),
                    state: if matches!(target, Target::App { .. }) { apps } else { RouteState::Serving },
                }
            })
            .collect()
    };
    record.services.iter().flat_map(of_service).collect()
}
