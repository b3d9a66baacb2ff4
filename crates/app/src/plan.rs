//! `plan`: what `up` would do, found out without doing it.

use ambit_domain::{
    EnvironmentId, EnvironmentRecord, Failure, Wanted,
    plan::{Component, Step, plan},
    spec::EnvironmentName,
};
use serde::Serialize;

use crate::{
    ambit::{Ambit, store_failure},
    code::CodeAt,
    components::components,
    declaration::Declaration,
    variables::View,
};

/// What would be done to one environment.
#[derive(Debug, Clone, Serialize)]
pub struct EnvironmentPlan {
    /// Its name.
    pub environment: EnvironmentName,
    /// The code that it would run.
    pub code: String,
    /// Whether it is down or not there yet, so that everything would be started.
    pub starts: bool,
    /// What would be done to each service.
    pub steps: Vec<Step>,
}

impl Ambit {
    /// Whether an environment lives elsewhere and nothing of it was ever brought up here.
    pub fn has_nothing_here(&self, declaration: &Declaration, name: &EnvironmentName) -> Result<bool, Failure> {
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let lives_there = declaration.project.environments[name].railway_project().is_some();
        Ok(lives_there && self.store.environment(&id).map_err(|e| store_failure(&e))?.is_none())
    }

    /// What `up` would do to an environment.
    pub fn plan(&self, declaration: &Declaration, name: &EnvironmentName) -> Result<EnvironmentPlan, Failure> {
        let environment = &declaration.project.environments[name];
        let id = EnvironmentId { project: declaration.project.name.clone(), environment: name.clone() };
        let sites = environment.sites_alone();
        let environment = if self.lives_elsewhere(&id, environment)? { &sites } else { environment };
        let servers = self.servers(&id, environment)?;
        let variables = self.resolve(declaration, name, View::Here)?;
        let code = CodeAt::find(&declaration.folder, environment)?;
        let declared = components(environment, &code, &variables, &servers)?;
        let record = self
            .store
            .environment(&id)
            .map_err(|e| store_failure(&e))?
            .unwrap_or_else(|| EnvironmentRecord::new(environment.kind));
        let recorded: Vec<Component> = record.services.iter().map(|s| s.made_from.clone()).collect();
        Ok(EnvironmentPlan {
            environment: name.clone(),
            code: code.describe(),
            starts: record.wanted == Wanted::Stopped || record.up_since.is_none(),
            steps: plan(&declared, &recorded),
        })
    }
}
