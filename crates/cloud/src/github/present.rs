//! A repository with all that a plan is made from.

use std::collections::BTreeSet;

use ambit_domain::{
    Failure,
    github::{DeployedFrom, Feature, Home, Present, PresentBranch},
};

use super::{
    Github,
    read::{About, Readable},
};

/// Plans of organisations that have everything for private repositories.
const LARGEST: [&str; 3] = ["enterprise", "business", "business_plus"];

/// What is asked for; what else is there is not read.
pub struct Asked<'a> {
    /// Branches.
    pub branches: Vec<&'a str>,
    /// Whether a ruleset's name is the project's.
    pub is_ours: &'a (dyn Fn(&str) -> bool + Sync),
    /// Environments whose secrets and variables matter.
    pub environments: BTreeSet<&'a str>,
    /// Whether secrets of the repository matter.
    pub secrets: bool,
    /// Whether webhooks do.
    pub hooks: bool,
    /// Whether anybody is to be asked before a deployment.
    pub reviewers: bool,
}

impl Github {
    /// The repository as it is.
    pub async fn present(&self, about: &About, asked: &Asked<'_>) -> Result<Present, Failure> {
        let mut there = Present { default_branch: about.default_branch.clone(), ..Present::default() };
        there.head = self.head(&about.default_branch).await?;
        for name in &asked.branches {
            let branch = self.branch(name, &mut there.refused).await?;
            there.branches.insert((*name).to_owned(), branch);
        }
        match self.tag_rulesets(asked.is_ours).await? {
            Readable::Found((ours, others)) => (there.tags, there.other_rulesets) = (ours, others),
            Readable::Refused => drop(there.refused.insert(Feature::Protection)),
        }
        there.environments = self.environments().await?;
        for (name, environment) in &mut there.environments {
            if !asked.environments.contains(name.as_str()) {
                continue;
            }
            if environment.settings.from == DeployedFrom::Named {
                environment.sources = self.sources(name).await?;
            }
            environment.variables = self.variables(name).await?;
            environment.secrets = self.secrets(&Home::Environment(name.clone())).await?;
        }
        if asked.secrets {
            there.secrets = self.secrets(&Home::Repository).await?;
        }
        if asked.hooks {
            there.hooks = self.hooks().await?;
        }
        self.learn(about, asked, &mut there.refused).await?;
        Ok(there)
    }

    async fn branch(&self, name: &str, refused: &mut BTreeSet<Feature>) -> Result<PresentBranch, Failure> {
        let mut branch = PresentBranch { exists: self.head(name).await?.is_some(), ..PresentBranch::default() };
        if refused.contains(&Feature::Protection) {
            return Ok(branch);
        }
        if branch.exists {
            match self.protection(name).await? {
                Readable::Found(protection) => branch.protection = protection,
                Readable::Refused => drop(refused.insert(Feature::Protection)),
            }
        }
        match self.rules(name).await? {
            Readable::Found(rules) => branch.rules = rules,
            Readable::Refused => drop(refused.insert(Feature::Protection)),
        }
        Ok(branch)
    }

    /// What of a private repository will be refused, as far as it can be known without trying.
    async fn learn(&self, about: &About, asked: &Asked<'_>, refused: &mut BTreeSet<Feature>) -> Result<(), Failure> {
        if !about.private {
            return Ok(());
        }
        // Where there is no protection, the plan is the smallest.
        if refused.contains(&Feature::Protection) {
            refused.extend([Feature::Sources, Feature::Reviewers]);
        }
        if !asked.reviewers || refused.contains(&Feature::Reviewers) {
            return Ok(());
        }
        let plan = if about.of_organization { self.plan_of(&about.owner).await? } else { Some("personal".to_owned()) };
        if plan.is_some_and(|plan| !LARGEST.contains(&plan.as_str())) {
            refused.insert(Feature::Reviewers);
        }
        Ok(())
    }
}
