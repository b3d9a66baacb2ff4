//! The variables of an environment as its apps at Railway are given them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use ambit_domain::{
    EnvironmentId, Failure,
    outside::Remark,
    railway::{self, Given, Names, Present, Surroundings},
    spec::{Environment, Form, Reference},
};
use ambit_spec::Inputs;

use super::Projects;
use crate::{
    ambit::Ambit, ci::deploys_to_railway, components::given_to, declaration::Declaration, facts::check_secrets,
};

impl Projects<'_> {
    /// What the declaration alone does not say. Where a variable has no value, that is told, and none is written.
    pub(super) fn surroundings(
        &self,
        environment: &Environment,
        names: &Names,
        present: Option<&Present>,
    ) -> Result<(Surroundings, Option<Remark>), Failure> {
        check_secrets(self.declaration, environment)?;
        let id =
            EnvironmentId { project: self.declaration.project.name.clone(), environment: environment.name.clone() };
        let (ambit, declaration) = (self.ambit, self.declaration);
        let there = There { ambit, declaration, id: &id, environment, names, present, secrets: RefCell::default() };
        let deployed_elsewhere = deploys_to_railway(self.declaration, environment)?;
        let resolved = match ambit_spec::resolve(environment, &there) {
            Ok(resolved) => resolved,
            Err(diagnostics) => {
                let told: Vec<String> = diagnostics.iter().map(|d| d.message.clone()).collect();
                let helps: BTreeSet<&str> = diagnostics.iter().filter_map(|d| d.help.as_deref()).collect();
                let help = helps.into_iter().collect::<Vec<_>>().join(" · ");
                let text = format!("its variables are not written, nor is it deployed: {}; {help}", told.join("; "));
                let surroundings = Surroundings { variables: None, deployed_elsewhere };
                return Ok((surroundings, Some(Remark::new(environment.name.as_str(), text))));
            }
        };
        let secrets = there.secrets.into_inner();
        let apps = environment.services.values().filter(|s| matches!(s.form, Form::App(_)));
        let variables = apps.map(|app| {
            let given = given_to(app, &resolved).into_iter().map(|v| {
                let secret = secrets.iter().any(|secret| v.value.contains(secret.as_str()));
                (v.name.clone(), Given { value: v.value.clone(), secret })
            });
            (app.name.clone(), given.collect::<BTreeMap<_, _>>())
        });
        Ok((Surroundings { variables: Some(variables.collect()), deployed_elsewhere }, None))
    }
}

/// Everything that the resolution of one environment's variables asks for.
struct There<'a> {
    ambit: &'a Ambit,
    declaration: &'a Declaration,
    id: &'a EnvironmentId,
    environment: &'a Environment,
    names: &'a Names,
    present: Option<&'a Present>,
    /// What was given out that nobody may see.
    secrets: RefCell<BTreeSet<String>>,
}

impl There<'_> {
    fn kept(&self, secret: Option<String>) -> Option<String> {
        let known = secret.iter().filter(|value| !value.is_empty()).cloned();
        self.secrets.borrow_mut().extend(known);
        secret
    }
}

impl Inputs for There<'_> {
    fn reference(&self, reference: &Reference) -> Option<String> {
        railway::reference(self.environment, self.names, reference)
    }

    fn secret(&self, name: &str) -> Option<String> {
        // A key that does not fit was told already.
        self.kept(self.declaration.secret(&self.environment.name, name).ok().flatten())
    }

    /// It was made once, and whoever made it may have done so on another machine: what is there is it.
    fn generated(&self, name: &str) -> Option<String> {
        let services = self.present.into_iter().flat_map(|p| &p.services).filter(|s| s.owner().is_some());
        let there = services.filter_map(|s| s.variables.get(name)?.clone()).find(|value| !value.is_empty());
        self.kept(there.or_else(|| self.ambit.generated(self.id, self.environment, name)))
    }
}
