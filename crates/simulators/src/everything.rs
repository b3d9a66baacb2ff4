//! All simulated services together, as they are linked in the world: Railway looks for the records of a host in the zone at Cloudflare.

use std::{sync::Arc, time::Duration};

use crate::{
    CloudflareService, ExpoService, GithubService, RailwayAccount, SentryService, Service, UptimeRobotService, contract,
};

const RAILWAY: [&str; 2] = ["railway/schema.graphql", "railway/environment-config.schema.json"];

/// Those whose published contracts are here. Each takes the first zone, repository or project that it is asked for.
#[derive(Clone, Default)]
pub struct Everything {
    /// One zone.
    pub cloudflare: Option<Arc<CloudflareService>>,
    /// One account.
    pub railway: Option<RailwayAccount>,
    /// One repository.
    pub github: Option<Arc<GithubService>>,
    /// One project.
    pub expo: Option<Arc<ExpoService>>,
    /// One account.
    pub uptimerobot: Option<Arc<UptimeRobotService>>,
    /// One organisation.
    pub sentry: Option<Arc<SentryService>>,
    /// Why others are not there.
    pub left_out: Vec<String>,
}

impl Everything {
    /// Reads the contracts.
    #[must_use]
    pub fn new() -> Self {
        let mut all = Self {
            cloudflare: contract("cloudflare/openapi.json").map(|text| Arc::new(CloudflareService::new("", &text))),
            github: contract("github/openapi.json").map(|text| Arc::new(GithubService::new("", &text))),
            uptimerobot: contract("uptimerobot/openapi.v3.json").map(|text| Arc::new(UptimeRobotService::new(&text))),
            sentry: contract("sentry/openapi.json").map(|text| Arc::new(SentryService::new("", "", &text))),
            ..Self::default()
        };
        match contract("expo/schema.graphql").map(|sdl| ExpoService::new("", &sdl)) {
            Some(Ok(service)) => all.expo = Some(Arc::new(service)),
            Some(Err(why)) => all.left_out.push(format!("expo: its schema cannot be read: {why}")),
            None => {}
        }
        match contract(RAILWAY[0]).zip(contract(RAILWAY[1])).map(|(sdl, config)| RailwayAccount::new(&sdl, &config)) {
            Some(Ok(account)) => all.railway = Some(account),
            Some(Err(why)) => all.left_out.push(format!("railway: its schemas cannot be read: {why}")),
            None => {}
        }
        if let (Some(railway), Some(cloudflare)) = (&all.railway, &all.cloudflare) {
            let zone = Arc::clone(cloudflare);
            railway.names(move |kind, name| {
                let records = zone.records();
                let found = records.iter().find(|r| r["type"] == kind && r["name"] == name)?;
                Some(found["content"].as_str()?.trim_matches('"').to_owned())
            });
        }
        all
    }

    /// With the quotas of accounts that nobody pays for.
    #[must_use]
    pub fn free(self) -> Self {
        if let Some(account) = &self.uptimerobot {
            account.limit(10, Duration::from_secs(60));
        }
        self
    }

    /// What answers.
    #[must_use]
    pub fn services(&self) -> Vec<Arc<dyn Service>> {
        let mut all: Vec<Arc<dyn Service>> = Vec::new();
        all.extend(self.cloudflare.clone().map(|s| s as Arc<dyn Service>));
        all.extend(self.railway.clone().map(|s| Arc::new(s) as Arc<dyn Service>));
        all.extend(self.github.clone().map(|s| s as Arc<dyn Service>));
        all.extend(self.expo.clone().map(|s| s as Arc<dyn Service>));
        all.extend(self.uptimerobot.clone().map(|s| s as Arc<dyn Service>));
        all.extend(self.sentry.clone().map(|s| s as Arc<dyn Service>));
        all
    }
}
