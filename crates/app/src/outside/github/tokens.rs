//! Project tokens of Railway that workflows deploy by. Ambit has Railway make one and hands it to GitHub in the same breath: what it says
//! is in memory for that long, and in no file.
//!
//! Each has a name of its own, which is written down (as a digest) before it is asked for. A crash before the secret is written leaves a
//! token that no secret says; a crash after it one that is not known to be the secret's. The next apply makes another and deletes them. What
//! GitHub has works all the while: a token is deleted only after a newer one is written.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ambit_cloud::github::Outcome;
use ambit_domain::{
    Failure, FailureKind,
    github::{Given, Made, Memory, Name, Op, Wanted, Written},
    outside::{Known, Remark},
    railway::ProjectToken,
    spec::{Environment, EnvironmentName},
};
use rand::Rng;

use super::{Repository, values::RAILWAY_TOKEN};
use crate::outside::{railway::Projects, side::Done, spoken};

/// How often it is looked for a token that was made, and for those before it.
const LOOKS: u32 = 5;
/// The first pause between two of those; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

impl Repository<'_> {
    /// Of the values that nobody gave: tokens that Ambit makes itself. And those that it made and that nothing asks for any more.
    pub(super) async fn tokens(
        &self,
        wanted: &mut Wanted,
        known: &Known,
        memory: &Memory,
        remarks: &mut Vec<Remark>,
    ) -> Result<(), Failure> {
        let mut made = BTreeMap::new();
        for (name, given) in &wanted.values {
            let Given::Nothing(help) = given else { continue };
            let Some(environment) = self.deploys_by(name) else { continue };
            made.insert(name.clone(), self.token(name, environment, help, known, memory, remarks).await);
        }
        // While nobody can tell whether a token is in use, it stays.
        let asked: BTreeSet<EnvironmentName> = made.keys().filter_map(|name| name.home.environment()).collect();
        let made_at = memory.made_at.iter().filter_map(|(of, project)| Some((of.parse().ok()?, project)));
        for (environment, project) in made_at.filter(|(environment, _)| !asked.contains(environment)) {
            self.retired(&environment, project, wanted).await;
        }
        wanted.values.extend(made);
        Ok(())
    }

    /// The environment whose workflow deploys to a project at Railway by this secret.
    fn deploys_by(&self, name: &Name) -> Option<&Environment> {
        let environment = self.declaration.project.environments.get(&name.home.environment()?)?;
        (name.secret && name.name == RAILWAY_TOKEN && environment.railway_project().is_some()).then_some(environment)
    }

    /// What is known of a token that Ambit makes; what would help where it cannot.
    async fn token(
        &self,
        name: &Name,
        environment: &Environment,
        help: &str,
        known: &Known,
        memory: &Memory,
        remarks: &mut Vec<Remark>,
    ) -> Given {
        let railway = match &self.railway {
            Ok(railway) => railway,
            Err(why) => return Given::Nothing(format!("{why}; Ambit makes the token itself then, or {help}")),
        };
        let found = match known.railway_projects.get(&environment.name) {
            Some(id) => Ok(id.clone()),
            None => match railway.project(environment).await {
                Ok(None) => return Given::Nothing("ambit apply --only railway makes its project first".to_owned()),
                found => found,
            },
        };
        let all = match found {
            Ok(Some(id)) => railway.client().tokens(&id).await,
            Ok(None) => Ok(Vec::new()),
            Err(failure) => Err(failure),
        };
        match all {
            Ok(all) => Given::Made(self.compared(name, environment, all, memory)),
            Err(failure) => {
                let why = format!("Railway could not be asked for its tokens: {}", spoken(&failure));
                if memory.written.contains_key(&name.key()) {
                    remarks.push(Remark::new(name.title(), why.clone()));
                }
                Given::Nothing(why)
            }
        }
    }

    fn compared(&self, name: &Name, environment: &Environment, all: Vec<ProjectToken>, memory: &Memory) -> Made {
        let written = memory.written.get(&name.key()).map(|written| written.digest.as_str());
        let is_ours = |token: &ProjectToken| token.is_of(&self.declaration.project.name, &environment.name);
        let digest = |token: &ProjectToken| self.digest(&name.key(), &token.name);
        let (live, stray): (Vec<_>, Vec<_>) =
            all.into_iter().filter(is_ours).partition(|token| Some(digest(token).as_str()) == written);
        let project = environment.railway_project().unwrap_or_default().to_owned();
        Made { project, live: live.first().map(digest), stray }
    }

    /// Who cannot be asked now is asked at the next look.
    async fn retired(&self, environment: &EnvironmentName, project: &str, wanted: &mut Wanted) {
        let Ok(railway) = &self.railway else { return };
        let all = match railway.has(project).await {
            Ok(true) => railway.client().tokens(project).await,
            Ok(false) => Ok(Vec::new()),
            Err(failure) => Err(failure),
        };
        let Ok(all) = all else { return };
        let ours = all.into_iter().filter(|token| token.is_of(&self.declaration.project.name, environment));
        let before = wanted.retired.len();
        wanted.retired.extend(ours.map(|token| (environment.clone(), token)));
        if wanted.retired.len() == before {
            // What is not forgotten now is looked for in vain once more.
            let _ = self.keep(|memory| drop(memory.made_at.remove(environment.as_str())));
        }
    }

    fn railway(&self) -> Result<&Projects<'_>, Failure> {
        self.railway.as_ref().map_err(|why| Failure::new(FailureKind::NotFound, why.clone()))
    }

    /// Makes a token, writes it as the secret, and then deletes those before it.
    pub(super) async fn make_token(&self, name: &Name) -> Result<Done, Failure> {
        let unasked = || Failure::new(FailureKind::Internal, format!("nothing deploys by the {}", name.title()));
        let environment = self.deploys_by(name).ok_or_else(unasked)?;
        let railway = self.railway()?;
        let there = railway.find_anew(environment).await?;
        let word: String = (0..8).map(|_| format!("{:x}", rand::rng().random_range(0..16))).collect();
        let called = ProjectToken::named(&self.declaration.project.name, &environment.name, &word);
        let digest = self.digest(&name.key(), &called);
        self.keep(|memory| {
            let written = Written { digest: digest.clone(), updated_at: String::new() };
            memory.written.insert(name.key(), written);
            memory.made_at.insert(environment.name.to_string(), there.project.id.clone());
        })?;
        let client = railway.client();
        let token = match client.create_token(&there.project.id, &there.environment, &called).await? {
            Ok(token) => token,
            Err(why) => return Ok(Done::Unknown(why)),
        };
        let op = Op::Secret { name: name.clone(), digest };
        match self.client.carry_out(&op, Some(&token)).await? {
            Outcome::Done(at) => self.remember(&op, at)?,
            Outcome::Unknown(why) => return Ok(Done::Unknown(why)),
            Outcome::Refused(_, why) => return Ok(Done::Refused(why)),
        }
        let project = (&self.declaration.project.name, &environment.name);
        let is_before = |token: &ProjectToken| token.is_of(project.0, project.1) && token.name != called;
        let mut pause = PAUSE;
        for look in 1..=LOOKS {
            let all = client.tokens(&there.project.id).await?;
            let mut done = all.iter().any(|token| token.name == called);
            for token in all.iter().filter(|token| is_before(token)) {
                done &= client.delete_token(&token.id).await?.is_ok();
            }
            // What is left is in the next plan.
            if done || look == LOOKS {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(Done::These(1))
    }

    /// Deletes a token that nothing uses.
    pub(super) async fn remove_token(&self, token: &ProjectToken) -> Result<Done, Failure> {
        Ok(match self.railway()?.client().delete_token(&token.id).await? {
            Ok(()) => Done::These(1),
            Err(why) => Done::Unknown(why),
        })
    }
}
