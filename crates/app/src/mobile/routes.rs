//! Builds are handed out below the downloads site's own URL.

use std::collections::BTreeSet;

use ambit_domain::{EnvironmentId, EnvironmentRecord, Home, Real, ServiceRecord, mobile::MobileBuild};
use ambit_proxy::table::{Route, Target};

/// The folder below the site's URL.
const BELOW: &str = "builds";

/// The routes to an environment's builds: one for each path of the site that hands the newest of them out, made after the
/// site's own. What a service of the team's has taken stays its own.
pub(crate) fn builds_route(
    home: &Home,
    id: &EnvironmentId,
    record: &EnvironmentRecord,
    newest: Option<&MobileBuild>,
    own: &[Route],
) -> Vec<Route> {
    let Some(site) = newest.and_then(|build| site(record, build.site.as_str())) else { return Vec::new() };
    let taken: BTreeSet<(&str, &str)> =
        own.iter().flat_map(|r| r.hosts.iter().map(|host| (host.as_str(), r.path.as_str()))).collect();
    let name = format!("{id}/{}", site.made_from.service);
    own.iter()
        .filter(|route| route.id == name)
        .map(|route| Route {
            path: format!("{}/{BELOW}", route.path.trim_end_matches('/')),
            target: Target::Site { root: home.mobile_builds(id), single_page: false },
            ..route.clone()
        })
        .filter(|route| !route.hosts.iter().any(|host| taken.contains(&(host.as_str(), route.path.as_str()))))
        .collect()
}

/// The record of a site.
pub(super) fn site<'a>(record: &'a EnvironmentRecord, name: &str) -> Option<&'a ServiceRecord> {
    let is_it = |s: &&ServiceRecord| s.made_from.service.as_str() == name && matches!(s.real, Real::Site { .. });
    record.services.iter().find(is_it).filter(|s| !s.urls.is_empty())
}
