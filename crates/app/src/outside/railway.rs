//! Environments at Railway.

mod carry;
mod values;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use ambit_cloud::railway::{BASE, Project, Railway, Template};
use ambit_domain::{
    Failure, FailureKind,
    outside::{Cost, Known, Look, Place, RailwayHost, Remark, Step},
    railway::{self, Found, Listed, Names, Op, Present, Secrets, Wanted},
    spec::{Environment, EnvironmentName, RailwayAccount},
};
use async_trait::async_trait;
use tokio::sync::Mutex;

use super::{
    Tokens,
    digests::Digests,
    side::{Done, Outside},
};
use crate::{ambit::Ambit, declaration::Declaration};

/// How often it is looked for what was made and is not shown yet.
const LOOKS: u32 = 5;
/// The first pause between two of those; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Projects<'a> {
    ambit: &'a Ambit,
    declaration: &'a Declaration,
    account: &'a RailwayAccount,
    client: Railway,
    digests: Digests,
    seen: Mutex<Seen>,
}

/// What was found in this run and does not change but by what is done here.
#[derive(Default)]
struct Seen {
    workspace: Option<String>,
    all: Option<Vec<Listed>>,
    templates: BTreeMap<&'static str, Template>,
    /// Marks of what was made.
    made: BTreeSet<String>,
    /// What the marks of services say, by service.
    owners: BTreeMap<String, String>,
}

/// An environment as it should be, and its project where there is one.
type Pair = (Wanted, Option<Present>);

impl<'a> Projects<'a> {
    pub(crate) fn open(ambit: &'a Ambit, declaration: &'a Declaration, tokens: &Tokens) -> Result<Self, Failure> {
        let account = declaration.project.providers.railway.as_ref();
        let account = account.ok_or_else(|| super::undeclared(declaration, Place::Railway))?;
        let door = declaration.door(("railway", "Railway"), &account.access, BASE, tokens)?;
        let client = Railway::new(&door.base, &door.token)?;
        let digests = Digests::open(ambit)?;
        Ok(Self { ambit, declaration, account, client, digests, seen: Mutex::default() })
    }

    /// Where things are remembered.
    pub(crate) fn ambit(&self) -> &Ambit {
        self.ambit
    }

    /// Who is asked.
    pub(crate) fn client(&self) -> &Railway {
        &self.client
    }

    /// An environment's project as it is.
    pub(crate) async fn find(&self, environment: &Environment) -> Result<Present, Failure> {
        let mut seen = self.seen.lock().await;
        let all = self.list(&mut seen).await?;
        let mark = railway::project_mark(&self.declaration.project.name, &environment.name);
        let listed = railway::project_of(&mark, &all).ok_or_else(|| {
            let name = environment.railway_project().unwrap_or_default();
            Failure::new(FailureKind::NotFound, format!("{} has no project {name} at Railway yet", environment.name))
                .hint("ambit apply --only railway")
        })?;
        one_of(self.client.project(&listed.id).await?, environment)
    }

    /// The same, whatever was seen before.
    pub(crate) async fn find_anew(&self, environment: &Environment) -> Result<Present, Failure> {
        self.seen.lock().await.all = None;
        self.find(environment).await
    }

    /// The id of an environment's project, where there is one.
    pub(crate) async fn project(&self, environment: &Environment) -> Result<Option<String>, Failure> {
        let mut seen = self.seen.lock().await;
        let mark = railway::project_mark(&self.declaration.project.name, &environment.name);
        Ok(railway::project_of(&mark, &self.list(&mut seen).await?).map(|listed| listed.id.clone()))
    }

    /// Whether a project is there, by its id.
    pub(crate) async fn has(&self, project: &str) -> Result<bool, Failure> {
        let mut seen = self.seen.lock().await;
        Ok(self.list(&mut seen).await?.iter().any(|listed| listed.id == project))
    }

    /// The environments that live there.
    fn environments(&self) -> impl Iterator<Item = &'a Environment> {
        self.declaration.project.environments.values().filter(|e| e.railway_project().is_some())
    }

    /// The workspace that is declared, or the token's only one.
    async fn workspace(&self, seen: &mut Seen) -> Result<String, Failure> {
        if let Some(known) = &seen.workspace {
            return Ok(known.clone());
        }
        let all = self.client.workspaces().await?;
        let names = || all.iter().map(|w| w.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = match &self.account.workspace {
            Some(wanted) => all.iter().find(|w| w.name == *wanted || w.id == *wanted).ok_or_else(|| {
                Failure::new(FailureKind::NotFound, format!("the token for Railway opens no workspace {wanted}"))
                    .because(format!("it opens {}", names()))
            }),
            None => match all.as_slice() {
                [only] => Ok(only),
                [] => Err(Failure::new(FailureKind::User, "the token for Railway opens no workspace")),
                _ => Err(Failure::new(FailureKind::Declaration, "the token for Railway opens several workspaces")
                    .because(names())
                    .hint("say which one: [providers.railway] workspace = \"…\"")),
            },
        }?;
        seen.workspace = Some(found.id.clone());
        Ok(found.id.clone())
    }

    async fn list(&self, seen: &mut Seen) -> Result<Vec<Listed>, Failure> {
        if let Some(all) = &seen.all {
            return Ok(all.clone());
        }
        let workspace = self.workspace(seen).await?;
        let all = self.client.projects(&workspace).await?;
        seen.all = Some(all.clone());
        Ok(all)
    }

    /// Everything that is compared. What was made in this run has to be among it: services may take a moment to show it.
    async fn gather(&self, seen: &mut Seen) -> Result<(Vec<Listed>, Vec<Pair>), Failure> {
        let mut pause = PAUSE;
        for _ in 0..LOOKS {
            let all = self.list(seen).await?;
            let mut pairs = Vec::new();
            for environment in self.environments() {
                let mark = railway::project_mark(&self.declaration.project.name, &environment.name);
                let present = match railway::project_of(&mark, &all) {
                    Some(listed) => Some(one_of(self.client.project(&listed.id).await?, environment)?),
                    None => None,
                };
                pairs.push((self.wanted(environment, present.as_ref())?, present));
            }
            let there = |mark: &str| {
                let services = pairs.iter().filter_map(|(_, present)| present.as_ref()).flat_map(|p| &p.services);
                railway::project_of(mark, &all).is_some()
                    || services.filter_map(|s| s.owner()).any(|owner| owner.mark == *mark)
            };
            if seen.made.iter().all(|mark| there(mark)) {
                seen.owners = owners(&pairs);
                self.forget_asking(&pairs)?;
                return Ok((all, pairs));
            }
            seen.all = None;
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Failure::new(FailureKind::Machine, "Railway does not show yet what was made there")
            .hint("repeat the command in a minute; nothing is made twice"))
    }

    fn wanted(&self, environment: &Environment, present: Option<&Present>) -> Result<Wanted, Failure> {
        let names = Names::of(environment).map_err(|error| {
            Failure::from_error(FailureKind::Declaration, &error)
                .hint(format!("`service` in [providers.railway], for {}", environment.name))
        })?;
        let (surroundings, unmet) = self.surroundings(environment, &names, present)?;
        let wanted = railway::wanted(&self.declaration.project, environment, &surroundings);
        // Both are checked above.
        let Some(Ok(mut wanted)) = wanted else {
            return Err(Failure::new(FailureKind::Internal, format!("{} is not at Railway", environment.name)));
        };
        wanted.remarks.extend(unmet);
        Ok(wanted)
    }

    async fn compared(&self, seen: &mut Seen) -> Result<(Found, Vec<Pair>), Failure> {
        let (all, pairs) = self.gather(seen).await?;
        let wanted: Vec<Wanted> = pairs.iter().map(|(wanted, _)| wanted.clone()).collect();
        railway::unique(&wanted, &all)?;
        let mut found = Found::default();
        for (wanted, present) in &pairs {
            let one = railway::compare(wanted, present.as_ref(), &all, self)?;
            found.steps.extend(one.steps);
            found.remarks.extend(one.remarks);
            found.confirm.extend(one.confirm);
            found.kept += one.kept;
            found.unmanaged += one.unmanaged;
        }
        // What was moved away stays until somebody deletes it.
        let moved = |listed: &Listed| {
            let project = &self.declaration.project;
            let declared = project.environments.values().filter(|e| e.declared_railway_project().is_some());
            let mut marks = declared.map(|e| railway::project_mark(&project.name, &e.name));
            marks.any(|mark| railway::project_of(&mark, std::slice::from_ref(listed)).is_some())
        };
        for listed in railway::forgotten(&self.declaration.project.name, &wanted, &all) {
            if moved(listed) {
                let text = "its environment lives on this machine; delete it in Railway's pages once nobody needs it";
                found.remarks.push(Remark::new(listed.name.as_str(), text));
                continue;
            }
            let project = self.client.project(&listed.id).await?;
            let services = project.environments.into_values().flat_map(|e| e.services).collect();
            let whole = Present { project: project.listed, environment: String::new(), services };
            railway::forget(&mut found, &whole);
        }
        found.steps.sort_by_key(|step| step.op.stage());
        Ok((found, pairs))
    }

    /// What it takes, and whether that is there.
    fn cost(&self, steps: &[Step<Op>], projects: usize) -> (Cost, Option<Remark>) {
        let ops: Vec<&Op> = steps.iter().map(|step| &step.op).collect();
        let look = u32::try_from(projects).unwrap_or(u32::MAX);
        // The workspaces and the list of projects are read once.
        let calls = railway::cost(&ops, look).saturating_add(2);
        let cost = Cost { calls, quota: self.client.quota() };
        let Some(quota) = cost.quota.filter(|_| !cost.fits() && !steps.is_empty()) else { return (cost, None) };
        let left = quota.left.unwrap_or(quota.calls);
        let text = format!(
            "this takes about {calls} requests, and of the {} that Railway's plan gives in an hour {left} are left: what does not fit fails, and `ambit apply` an hour later does the rest (or one environment at a time: -e NAME)",
            quota.calls
        );
        (cost, Some(Remark::new("requests", text)))
    }
}

impl Secrets for Projects<'_> {
    fn digest(&self, value: &str) -> String {
        self.digests.of(value)
    }

    fn was_written(&self, service: &str, name: &str, value: &str) -> bool {
        let written = self.ambit.remembered::<BTreeMap<String, String>>(&written(service)).unwrap_or_default();
        written.get(name) == Some(&self.digests.of(value))
    }
}

#[async_trait]
impl Outside for Projects<'_> {
    type Op = Op;

    fn place(&self) -> Place {
        Place::Railway
    }

    async fn look(&self, known: &mut Known) -> Result<Look<Op>, Failure> {
        let mut seen = self.seen.lock().await;
        let (found, pairs) = self.compared(&mut seen).await?;
        known.railway_hosts = hosts(&pairs);
        known.railway_projects = projects(&pairs, &found.steps);
        let (cost, short) = self.cost(&found.steps, pairs.len());
        let mut remarks = found.remarks;
        remarks.extend(short);
        Ok(Look {
            title: pairs.iter().map(|(wanted, _)| wanted.project.as_str()).collect::<Vec<_>>().join(", "),
            steps: found.steps,
            remarks,
            kept: found.kept,
            unmanaged: found.unmanaged,
            confirm: found.confirm,
            cost,
        })
    }

    /// Projects and services that have the right names and nobody's mark.
    async fn adoptable(&self) -> Result<Look<Op>, Failure> {
        let mut seen = self.seen.lock().await;
        let all = self.list(&mut seen).await?;
        let mut look = Look::default();
        for environment in self.environments() {
            let name = environment.railway_project().unwrap_or_default();
            let mark = railway::project_mark(&self.declaration.project.name, &environment.name);
            let listed = match (railway::project_of(&mark, &all), railway::unmarked(name, &all).as_slice()) {
                (Some(marked), _) => marked,
                (None, [only]) => only,
                (None, []) => continue,
                (None, several) => {
                    let text = format!(
                        "{} projects at Railway have this name: rename those that are not meant",
                        several.len()
                    );
                    look.remarks.push(Remark::new(name, text));
                    continue;
                }
            };
            let present = one_of(self.client.project(&listed.id).await?, environment)?;
            let wanted = self.wanted(environment, Some(&present))?;
            look.steps.extend(railway::adoptable(&wanted, &present));
        }
        look.cost = self.cost(&look.steps, look.steps.len()).0;
        Ok(look)
    }

    async fn carry_out(&self, steps: &[Step<Op>]) -> Result<Done, Failure> {
        let mut seen = self.seen.lock().await;
        self.carry(&mut seen, steps).await
    }
}

/// The environment of a project that is meant: the one of the same name, or the only one.
fn one_of(mut project: Project, environment: &Environment) -> Result<Present, Failure> {
    if let Some(named) = project.environments.remove(environment.name.as_str()) {
        return Ok(named);
    }
    if project.environments.len() == 1
        && let Some((_, only)) = project.environments.pop_first()
    {
        return Ok(only);
    }
    let names = project.environments.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let (name, there) = (&environment.name, project.listed.name);
    Err(Failure::new(FailureKind::User, format!("nobody can tell which environment of {there} at Railway is {name}"))
        .because(if names.is_empty() { "it has none".to_owned() } else { format!("it has {names}") })
        .hint(format!("call one of them {name} there")))
}

/// What the marks of services say.
fn owners(pairs: &[Pair]) -> BTreeMap<String, String> {
    let services = pairs.iter().filter_map(|(_, present)| present.as_ref()).flat_map(|p| &p.services);
    services.filter_map(|s| Some((s.id.clone(), s.owner()?.text()))).collect()
}

/// Projects that are there, and those that would be made.
fn projects(pairs: &[Pair], steps: &[Step<Op>]) -> BTreeMap<EnvironmentName, Option<String>> {
    let made = |of: &EnvironmentName| {
        steps.iter().any(|s| matches!(&s.op, Op::CreateProject { environment, .. } if of.as_str() == environment))
    };
    let there = pairs.iter().map(|(wanted, present)| (&wanted.environment, present.as_ref().map(|p| &p.project.id)));
    there.filter(|(of, id)| id.is_some() || made(of)).map(|(of, id)| (of.clone(), id.cloned())).collect()
}

/// What the name servers have to say of the hosts that are declared.
fn hosts(pairs: &[Pair]) -> BTreeMap<String, RailwayHost> {
    let declared: BTreeSet<&String> = pairs.iter().flat_map(|(wanted, _)| wanted.hosts()).collect();
    let services = pairs.iter().filter_map(|(_, present)| present.as_ref()).flat_map(|p| &p.services);
    let of = |host: &railway::Host| {
        let (proof, token) = host.proof.clone()?;
        Some((host.host.clone(), RailwayHost { target: host.target.clone()?, proof, token }))
    };
    services.flat_map(|s| &s.hosts).filter(|h| declared.contains(&h.host)).filter_map(of).collect()
}

/// Where digests of what was written to a service are remembered.
fn written(service: &str) -> String {
    format!("railway written {service}")
}
