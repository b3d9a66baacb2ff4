//! A PostgreSQL at Railway that is restored beside the one that serves, looked at, put in its place or deleted.
//!
//! What lies beside is told by two things: its name begins with the database's, and it carries the database's own mark, which Railway
//! copies with the other variables. Apps refer to their database by its name, so that names are what changes places; an app takes notice
//! when it is deployed anew. Which two change places is written down first, by their ids: whoever was killed goes on with those.

use ambit_cloud::railway::Tried;
use ambit_domain::{
    Failure, FailureKind,
    hosted::HostedState,
    railway::{Place, Present, PresentService},
    relocation::Login,
    spec::Form,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{
    AtRailway, moment,
    once::{Once, Patience},
    servers::POSTGRES,
    state, unknown,
};
use crate::{ambit::now, fault};

/// What follows the database's name in that of what lies beside.
const BESIDE: [&str; 3] = ["restored-", "drill-", "replaced-"];

/// Two that change places.
#[derive(Clone, Serialize, Deserialize)]
struct Swap {
    old: String,
    new: String,
    /// What the old one is called afterwards.
    kept: String,
    at: i64,
}

struct RestoredService<'a> {
    there: &'a AtRailway<'a>,
    volume: &'a str,
    to: i64,
    name: &'a str,
}

#[async_trait]
impl Once for RestoredService<'_> {
    type Found = (PresentService, Place);

    fn key(&self) -> String {
        format!("railway restore of {}", self.volume)
    }

    fn name(&self) -> &str {
        self.name
    }

    fn what(&self) -> &'static str {
        "a restore"
    }

    async fn look(&self) -> Result<Option<Self::Found>, Failure> {
        self.there.found(self.name).await
    }

    async fn ask(&self) -> Tried<String> {
        let to = jiff::Timestamp::from_millisecond(self.to).unwrap_or_default().to_string();
        self.there.projects.client().restore(self.volume, &to, self.name).await
    }
}

impl AtRailway<'_> {
    fn swap_key(&self) -> String {
        format!("railway in place {} {}", self.place(), self.environment.name)
    }

    async fn fresh(&self) -> Result<Present, Failure> {
        self.projects.find(self.environment).await
    }

    fn at(present: &Present, service: &PresentService) -> Place {
        Place {
            project: present.project.id.clone(),
            environment: present.environment.clone(),
            service: service.id.clone(),
        }
    }

    async fn found(&self, name: &str) -> Result<Option<(PresentService, Place)>, Failure> {
        let present = self.fresh().await?;
        let service = present.services.iter().find(|s| s.name == name);
        Ok(service.map(|service| (service.clone(), Self::at(&present, service))))
    }

    pub(super) async fn place_of(&self, name: &str) -> Result<Place, Failure> {
        self.found(name).await?.map(|(_, at)| at).ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("{} has no service {name}", self.place()))
                .hint(format!("ambit restore list -e {}", self.environment.name))
        })
    }

    /// Waits until the newest deployment of a service serves.
    async fn serves(&self, at: &Place, name: &str) -> Result<(), Failure> {
        let mut patience = Patience::new();
        loop {
            let newest = self.newest(at, |_| true).await?;
            match newest.as_ref().map(|d| state(&d.status)) {
                Some(HostedState::Serves) => return Ok(()),
                Some(HostedState::Over(word)) => {
                    let what = format!("{name} at {} is {word}", self.place());
                    let mut failure = Failure::new(FailureKind::Machine, what);
                    if let Some(newest) = newest {
                        failure.causes = self.last_lines(&newest.id).await?;
                    }
                    return Err(failure);
                }
                Some(HostedState::UnderWay(_)) | None => patience.wait(&format!("the start of {name}")).await?,
            }
        }
    }

    pub(super) async fn restore_to(&self, to: i64, name: &str) -> Result<(), Failure> {
        let volume = self
            .postgres_volume()
            .await?
            .ok_or_else(|| Failure::new(FailureKind::NotFound, format!("{} has no postgres", self.environment.name)))?;
        let (_, at) = self.once(&RestoredService { there: self, volume: &volume.id, to, name }).await?;
        self.serves(&at, name).await
    }

    pub(super) async fn all_beside(&self) -> Result<Vec<PresentService>, Failure> {
        let present = self.fresh().await?;
        let serving = self.names.postgres();
        let mark = present.services.iter().find(|s| s.name == serving).and_then(PresentService::owner);
        let is_beside = |service: &PresentService| {
            let rest = service.name.strip_prefix(&serving).and_then(|rest| rest.strip_prefix('-'));
            let named = rest.is_some_and(|rest| BESIDE.iter().any(|begin| rest.starts_with(begin)));
            named && mark.is_some() && service.owner().map(|o| o.mark) == mark.as_ref().map(|m| m.mark.clone())
        };
        Ok(present.services.into_iter().filter(is_beside).collect())
    }

    pub(super) async fn delete_beside(&self, name: &str) -> Result<(), Failure> {
        let Some(service) = self.all_beside().await?.into_iter().find(|s| s.name == name) else {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no copy `{}`", name.escape_debug()))
                .hint(format!("ambit restore list -e {}", self.environment.name)));
        };
        let at = self.place_of(name).await?;
        let client = self.projects.client();
        // The service last: by its name it is found again.
        for volume in &service.volumes {
            client.delete_volume(&volume.id).await?.map_err(unknown)?;
        }
        client.delete_service(&at).await?.map_err(unknown)
    }

    pub(super) async fn login(&self, at: &Place) -> Result<Option<Login>, Failure> {
        match self.proxy(at, POSTGRES).await? {
            Some(proxy) => self.postgres_login(at, proxy).await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn open_up(&self, name: &str) -> Result<Login, Failure> {
        let at = self.place_of(name).await?;
        let proxy = self.open(name, &at, POSTGRES).await?;
        // It is deployed anew for being opened.
        self.serves(&at, name).await?;
        self.postgres_login(&at, proxy).await
    }

    pub(super) async fn swap(&self, name: &str, kept: &str) -> Result<(), Failure> {
        let (old, new) = (self.place_of(&self.names.postgres()).await?, self.place_of(name).await?);
        let swap = Swap { old: old.service, new: new.service, kept: kept.to_owned(), at: now() };
        self.ambit().remember(&self.swap_key(), &Some(swap.clone()))?;
        self.carry_out_swap(&swap).await
    }

    pub(super) async fn go_on_swapping(&self) -> Result<bool, Failure> {
        let Some(swap) = self.ambit().remembered::<Option<Swap>>(&self.swap_key())? else { return Ok(false) };
        self.carry_out_swap(&swap).await?;
        Ok(true)
    }

    async fn carry_out_swap(&self, swap: &Swap) -> Result<(), Failure> {
        let present = self.fresh().await?;
        let serving = self.names.postgres();
        let is_called = |id: &str, name: &str| present.services.iter().any(|s| s.id == id && s.name == name);
        let client = self.projects.client();
        if !is_called(&swap.old, &swap.kept) {
            client.rename_service(&swap.old, &swap.kept).await?.map_err(unknown)?;
        }
        fault::point("when a database lost its name");
        if !is_called(&swap.new, &serving) {
            client.rename_service(&swap.new, &serving).await?.map_err(unknown)?;
        }
        let apps = self.environment.services.values().filter(|s| matches!(s.form, Form::App(_)));
        for app in apps.map(|s| self.names.app(&s.name)) {
            let Some(service) = present.services.iter().find(|s| s.name == app) else { continue };
            let at = Self::at(&present, service);
            // What was never deployed has nothing to take notice.
            let Some(newest) = self.newest(&at, |_| true).await? else { continue };
            if moment(&newest.created_at) < swap.at {
                client.redeploy(&at).await?.map_err(unknown)?;
            }
            self.serves(&at, &app).await?;
        }
        self.ambit().remember(&self.swap_key(), &None::<Swap>)
    }
}
