//! The repository at GitHub: branches, their protection, environments, secrets, the webhook.

mod tokens;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use ambit_cloud::github::{About, Asked, Github, Outcome};
use ambit_domain::{
    Failure,
    ci::Needs,
    github::{self, Approver, Hook, Memory, Name, Op, Present, Wanted, Written},
    outside::{Cost, Known, Look, Place, Quota, Remark, Step},
    spec::{EnvironmentName, Github as Declared},
};
use async_trait::async_trait;

use super::{
    Tokens,
    digests::Digests,
    railway::Projects,
    side::{Done, Outside},
};
use crate::{
    ambit::{Ambit, now},
    ci,
    declaration::Declaration,
};

/// Of a token, whatever the plan.
const QUOTA: Quota = Quota { calls: 5000, seconds: 3600, left: None };
/// A secret takes the key, the writing, and the moment of it.
const CALLS_OF_A_SECRET: usize = 3;
/// For so long, in milliseconds, what GitHub refused for the owner's plan is not asked for again.
const REFUSED_FOR: i64 = 30 * 24 * 3600 * 1000;

pub(super) struct Repository<'a> {
    ambit: &'a Ambit,
    declaration: &'a Declaration,
    declared: &'a Declared,
    client: Github,
    /// No real secret goes to a simulated service.
    simulated: bool,
    /// Under this it is remembered.
    setting: String,
    digests: Digests,
    /// Where tokens for workflows are made, or why not.
    railway: Result<Projects<'a>, String>,
}

impl<'a> Repository<'a> {
    pub(super) fn open(ambit: &'a Ambit, declaration: &'a Declaration, tokens: &Tokens) -> Result<Self, Failure> {
        let undeclared = || super::undeclared(declaration, Place::Github);
        let declared = declaration.project.providers.github.as_ref().ok_or_else(undeclared)?;
        let client = declaration.github(tokens)?.ok_or_else(undeclared)?;
        // Of a simulated repository and a real one of the same name two things are remembered.
        let place = tokens.simulator.as_ref().or(declared.access.endpoint.as_ref()).map_or("github", String::as_str);
        let setting = format!("github {} {place} {}", declaration.project.name, declared.repository);
        let (simulated, digests) = (tokens.simulator.is_some(), Digests::open(ambit)?);
        let railway = Projects::open(ambit, declaration, tokens).map_err(|failure| super::spoken(&failure));
        Ok(Self { ambit, declaration, declared, client, simulated, setting, digests, railway })
    }

    /// Of the same value elsewhere there is another.
    fn digest(&self, about: &str, value: &str) -> String {
        self.digests.of(&format!("{} {about}\0{value}", self.setting))
    }

    fn memory(&self) -> Result<Memory, Failure> {
        self.ambit.remembered(&self.setting)
    }

    fn keep(&self, change: impl FnOnce(&mut Memory)) -> Result<(), Failure> {
        let mut memory = self.memory()?;
        change(&mut memory);
        self.ambit.remember(&self.setting, &memory)
    }

    /// What is declared, with all that has to be looked up for it.
    async fn wanted(&self, needs: &Workflows, remarks: &mut Vec<Remark>) -> Result<Wanted, Failure> {
        let mut wanted = github::wanted(&self.declaration.project);
        for declared in wanted.declared_approvers().into_iter().map(str::to_owned).collect::<Vec<_>>() {
            let approver = self.approver(&declared).await?;
            wanted.approvers.insert(declared, approver);
        }
        wanted.values = self.values(needs)?;
        wanted.hook = self.hook(remarks)?;
        Ok(wanted)
    }

    /// GitHub finds nobody by an e-mail address.
    async fn approver(&self, declared: &str) -> Result<Approver, Failure> {
        let name = declared.trim_start_matches('@');
        if name.contains('@') || name.contains(char::is_whitespace) {
            return Ok(Approver::Address(declared.to_owned()));
        }
        Ok(match self.client.reviewer(name).await? {
            Some(reviewer) => Approver::Known(reviewer),
            None => Approver::Nobody(name.to_owned()),
        })
    }

    /// The webhook that Ambit has for the project, as far as GitHub can reach it.
    fn hook(&self, remarks: &mut Vec<Remark>) -> Result<Option<Hook>, Failure> {
        let Some((url, secret)) = self.ambit.webhook_of(&self.declaration.project.name)? else { return Ok(None) };
        let Some(url) = url else {
            let text = "it is told at a name of this machine alone, which GitHub cannot reach: a `domain` in ambit.toml gives it one, and then ambit webhook add github";
            remarks.push(Remark::new("webhook", text));
            return Ok(None);
        };
        let digest = self.digest(&url, &secret);
        Ok(Some(Hook { url, digest }))
    }

    /// What was remembered, without what holds no longer.
    fn still(&self, about: &About) -> Result<Memory, Failure> {
        let mut memory = self.memory()?;
        memory.refused.retain(|_, at| about.private && now() - *at < REFUSED_FOR);
        Ok(memory)
    }
}

/// What each environment's workflow reads at GitHub.
type Workflows = BTreeMap<EnvironmentName, Needs>;

#[async_trait]
impl Outside for Repository<'_> {
    type Op = Op;

    fn place(&self) -> Place {
        Place::Github
    }

    async fn look(&self, known: &mut Known) -> Result<Look<Op>, Failure> {
        let ours = |mark: &str| github::is_owned(&self.declaration.project.name, mark);
        let Read { wanted, there, memory, mut remarks } = self.read(known, &ours).await?;
        let found = github::compare(&self.declaration.project.name, &wanted, &there, &memory);
        remarks.extend(found.remarks);
        let calls: usize = found
            .steps
            .iter()
            .map(|step| match step.op {
                Op::Secret { .. } | Op::Token { .. } => CALLS_OF_A_SECRET,
                Op::RemoveToken { .. } => 0,
                _ => 1,
            })
            .sum();
        Ok(Look { remarks, unmanaged: found.unmanaged, ..self.shown(found.steps, found.kept, calls) })
    }

    /// Rulesets and secrets that do what is declared and that somebody else made.
    async fn adoptable(&self) -> Result<Look<Op>, Failure> {
        let Read { wanted, there, memory, .. } = self.read(&Known::default(), &|_| true).await?;
        let found = github::adoptable(&self.declaration.project.name, &wanted, &there, &memory);
        let calls = found.steps.len();
        Ok(Look { remarks: found.remarks, ..self.shown(found.steps, found.kept, calls) })
    }

    /// One after the other: GitHub asks for that.
    async fn carry_out(&self, steps: &[Step<Op>]) -> Result<Done, Failure> {
        let Some(Step { op, .. }) = steps.first() else { return Ok(Done::These(0)) };
        let secret = match op {
            Op::Token { name } => return self.make_token(name).await,
            Op::RemoveToken { token } => return self.remove_token(token).await,
            Op::AdoptSecret { .. } => {
                self.remember(op, None)?;
                return Ok(Done::These(1));
            }
            Op::Secret { name, .. } => self.secret(name)?,
            Op::Hook { .. } => self.ambit.webhook_of(&self.declaration.project.name)?.map(|(_, secret)| secret),
            _ => None,
        };
        Ok(match self.client.carry_out(op, secret.as_deref()).await? {
            Outcome::Done(at) => {
                self.remember(op, at)?;
                Done::These(1)
            }
            Outcome::Unknown(why) => Done::Unknown(why),
            Outcome::Refused(feature, why) => {
                self.keep(|memory| {
                    memory.refused.insert(feature, now());
                })?;
                Done::Refused(why)
            }
        })
    }
}

/// What is declared and what is there.
struct Read {
    wanted: Wanted,
    there: Present,
    memory: Memory,
    remarks: Vec<Remark>,
}

impl Repository<'_> {
    /// Reads the repository; of its rulesets those by whose name they are `ours`.
    async fn read(&self, known: &Known, ours: &(dyn Fn(&str) -> bool + Sync)) -> Result<Read, Failure> {
        let mut remarks = Vec::new();
        let about = self.client.about().await?;
        let mut wanted = self.wanted(&ci::needs(self.declaration)?, &mut remarks).await?;
        let memory = self.still(&about)?;
        self.tokens(&mut wanted, known, &memory, &mut remarks).await?;
        let remembered: Vec<Name> = memory.written.keys().filter_map(|key| Name::secret_of(key)).collect();
        let of_remembered = remembered.iter().filter_map(|name| name.home.environment());
        let environments: BTreeSet<String> =
            wanted.names().map(str::to_owned).chain(of_remembered.map(|e| e.to_string())).collect();
        let of_repository = |name: &Name| name.home == github::Home::Repository;
        let asked = Asked {
            branches: wanted.branches.iter().map(|b| b.name.as_str()).collect(),
            is_ours: ours,
            environments: environments.iter().map(String::as_str).collect(),
            secrets: wanted.values.keys().chain(&remembered).any(of_repository),
            hooks: wanted.hook.is_some(),
            reviewers: !wanted.approvers.is_empty(),
        };
        let mut there = self.client.present(&about, &asked).await?;
        there.refused.extend(memory.refused.keys());
        Ok(Read { wanted, there, memory, remarks })
    }

    fn shown(&self, steps: Vec<Step<Op>>, kept: usize, calls: usize) -> Look<Op> {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX).saturating_add(self.client.made());
        Look {
            title: self.declared.repository.clone(),
            steps,
            kept,
            cost: Cost { calls, quota: Some(Quota { left: self.client.left(), ..QUOTA }) },
            ..Look::default()
        }
    }

    /// Keeps of a step what cannot be read back.
    fn remember(&self, op: &Op, at: Option<String>) -> Result<(), Failure> {
        let (key, written) = match op {
            Op::Secret { name, digest } => {
                (name.key(), Some(Written { digest: digest.clone(), updated_at: at.unwrap_or_default() }))
            }
            Op::Hook { hook, .. } => {
                (hook.url.clone(), Some(Written { digest: hook.digest.clone(), updated_at: String::new() }))
            }
            // What it says is not known: whatever is declared is another value.
            Op::AdoptSecret { name, updated_at } => {
                (name.key(), Some(Written { digest: String::new(), updated_at: updated_at.clone() }))
            }
            Op::RemoveSecret { name } => (name.key(), None),
            _ => return Ok(()),
        };
        self.keep(|memory| match written {
            Some(written) => drop(memory.written.insert(key, written)),
            None => drop(memory.written.remove(&key)),
        })
    }
}
