//! The variables of all environments side by side, for faces that other people look at: secrets by their state alone, and
//! what is made of secrets as it is declared.

use std::collections::{HashMap, HashSet};

use ambit_domain::{
    EnvironmentId, Failure,
    spec::{Environment, EnvironmentName, Origin, ProjectName, Value},
};
use serde::Serialize;

use crate::{address::Address, ambit::Ambit, declaration::Declaration, facts::Known};

/// Variables by environment.
#[derive(Debug, Clone, Serialize)]
pub struct Matrix {
    /// The environments, in the order of the file.
    pub environments: Vec<EnvironmentName>,
    /// The variables, in the order of the file.
    pub rows: Vec<Row>,
    /// Why secrets could not be looked at, where they could not.
    pub locked: Option<String>,
}

/// One variable.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What each environment has, in the order of the environments.
    pub cells: Vec<Cell>,
}

/// What one environment has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "value")]
pub enum Cell {
    /// Not declared there.
    Absent,
    /// A value that everybody may see.
    Plain(String),
    /// Made by Ambit, or of what Ambit made: a password, a URL with one.
    Given,
    /// A secret that is set.
    Set,
    /// A secret that is not.
    Missing,
    /// A secret that is too short, a placeholder, or the same as another environment's.
    Weak,
    /// A secret that cannot be looked at.
    Locked,
}

impl Ambit {
    /// The variables of a project, as its folder declares them.
    pub fn variable_matrix(&self, project: &ProjectName) -> Result<Matrix, Failure> {
        let declaration = self.declaration_in_folder(project)?;
        let environments = &declaration.project.environments;
        let mut locked = None;
        let mut secret = |name: &EnvironmentName, variable: &str| match declaration.secret(name, variable) {
            Ok(Some(value)) if !value.is_empty() => Cell::Set,
            Ok(_) => Cell::Missing,
            Err(failure) => {
                locked.get_or_insert(failure.message);
                Cell::Locked
            }
        };
        let weak = weak(&declaration);
        let mut rows: Vec<Row> = Vec::new();
        for (column, environment) in environments.values().enumerate() {
            let shown = self.shown(&declaration, project, environment)?;
            for (name, variable) in &environment.variables {
                let cell = match &variable.value {
                    Value::Secret if weak.contains(&(environment.name.clone(), name.clone())) => Cell::Weak,
                    Value::Secret => secret(&environment.name, name),
                    Value::Generated(_) => Cell::Given,
                    Value::Text(_) => shown.get(name).map_or(Cell::Given, |value| Cell::Plain(value.clone())),
                };
                let row = match rows.iter().position(|row| row.name == *name) {
                    Some(there) => there,
                    None if variable.origin == Origin::Implied => continue,
                    None => {
                        rows.push(Row { name: name.clone(), cells: vec![Cell::Absent; environments.len()] });
                        rows.len() - 1
                    }
                };
                if let Some(place) = rows.get_mut(row).and_then(|row| row.cells.get_mut(column)) {
                    *place = cell;
                }
            }
        }
        Ok(Matrix { environments: environments.keys().cloned().collect(), rows, locked })
    }

    fn shown(
        &self,
        declaration: &Declaration,
        project: &ProjectName,
        environment: &Environment,
    ) -> Result<HashMap<String, String>, Failure> {
        let id = EnvironmentId { project: project.clone(), environment: environment.name.clone() };
        let servers = self.servers(&id, environment)?;
        let address = Address::Public;
        let apps_elsewhere = self.lives_elsewhere(&id, environment)?;
        let servers = &servers;
        let known = Known { ambit: self, id: &id, environment, declaration, servers, address, apps_elsewhere };
        Ok(ambit_spec::plain_values(environment, &known))
    }
}

fn weak(declaration: &Declaration) -> HashSet<(EnvironmentName, String)> {
    let value = |environment: &EnvironmentName, name: &str| declaration.secret(environment, name).ok().flatten();
    ambit_spec::weak_secrets(&declaration.project, &value).into_iter().collect()
}
