//! What a workflow looks for at GitHub: found in its own expressions, so that nothing is set that no job reads, and nothing that one
//! reads is forgotten.

use std::collections::BTreeSet;

use super::{CiError, Pipeline, jobs, yaml::Yaml};

/// Names of what a workflow finds at GitHub.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Variables of its environment.
    pub variables: BTreeSet<String>,
    /// Secrets of its environment.
    pub secrets: BTreeSet<String>,
    /// Secrets of the repository, for jobs that run in no environment.
    pub repository_secrets: BTreeSet<String>,
}

impl Pipeline<'_> {
    /// What its jobs read.
    pub fn needs(&self) -> Result<Needs, CiError> {
        let mut needs = Needs::default();
        for (_, job) in jobs::jobs(self)? {
            let inside = matches!(&job, Yaml::Map(entries) if entries.iter().any(|(key, _)| key == "environment"));
            let (mut secrets, mut variables) = (BTreeSet::new(), BTreeSet::new());
            read(&job, &mut |expression| {
                secrets.extend(named(expression, "secrets."));
                variables.extend(named(expression, "vars."));
            });
            if inside {
                needs.secrets.append(&mut secrets);
                needs.variables.append(&mut variables);
            } else {
                needs.repository_secrets.append(&mut secrets);
            }
        }
        Ok(needs)
    }
}

fn read(yaml: &Yaml, expression: &mut dyn FnMut(&str)) {
    match yaml {
        Yaml::Expression(text) => expression(text),
        Yaml::List(all) => all.iter().for_each(|one| read(one, expression)),
        Yaml::Map(all) => all.iter().for_each(|(_, one)| read(one, expression)),
        Yaml::Text(_) | Yaml::Noted(..) | Yaml::Number(_) | Yaml::Bool(_) => {}
    }
}

fn named(expression: &str, context: &str) -> Vec<String> {
    let after = expression.split(context).skip(1);
    let name = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    after.map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::{Sources, Target};

    fn needs(toml: &str, environment: &str, target: Target) -> Needs {
        let project = ambit_spec::parse(toml).project.unwrap();
        let environment = &project.environments[&environment.parse::<ambit_spec::EnvironmentName>().unwrap()];
        Pipeline { project: &project, environment, sources: &Sources::default(), target }.needs().unwrap()
    }

    fn names(all: &BTreeSet<String>) -> Vec<&str> {
        all.iter().map(String::as_str).collect()
    }

    #[test]
    fn what_a_workflow_reads_depends_on_where_its_environment_runs() {
        let toml = "project = \"shop\"\n[environments.prod]\ntag = \"v*\"\n[services.api]\nrun = \"x\"\n\
                    [providers.railway]\nproject = \"shop\"\n";
        let here = needs(toml, "prod", Target::Host);
        assert_eq!(names(&here.variables), ["AMBIT_HOST", "AMBIT_HOST_KEY"]);
        assert_eq!(names(&here.secrets), ["AMBIT_SSH_KEY"]);
        assert_eq!(names(&here.repository_secrets), ["SLACK_WEBHOOK_URL"]);
        let there = needs(toml, "prod", Target::Railway);
        assert!(there.variables.is_empty());
        assert_eq!(names(&there.secrets), ["RAILWAY_TOKEN"]);
    }
}
