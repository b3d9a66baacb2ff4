//! Variables of the builds at Expo.
//!
//! A variable that several of Expo's environments share is taken out of one and made anew there, in two requests: a crash between the
//! two leaves it missing, and the next plan makes it.

use std::sync::{Mutex, PoisonError};

use ambit_cloud::{Carried, expo::Expo as Client};
use ambit_domain::{
    Failure,
    expo::{self, Change, Wanted},
    outside::{Cost, Known, Look, Place, Remark, Step},
};
use async_trait::async_trait;

use super::{
    Tokens,
    side::{Done, Outside},
};
use crate::{declaration::Declaration, mobile};

pub(super) struct Expo {
    client: Client,
    project: String,
    wanted: Wanted,
    /// By what Expo knows the project, once it said so.
    app: Mutex<Option<String>>,
}

impl Expo {
    pub(super) fn open(declaration: &Declaration, tokens: &Tokens) -> Result<Self, Failure> {
        let (client, project) = mobile::expo_client(declaration, tokens)?;
        let wanted = mobile::app_of(declaration)?.map(|app| expo::wanted(&app)).unwrap_or_default();
        Ok(Self { client, project, wanted, app: Mutex::default() })
    }
}

#[async_trait]
impl Outside for Expo {
    type Op = Change;

    fn place(&self) -> Place {
        Place::Expo
    }

    async fn look(&self, _: &mut Known) -> Result<Look<Change>, Failure> {
        let found = self.client.variables(Wanted::names()).await?;
        *self.app.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.app);
        let compared = expo::compare(&self.wanted, &found.there);
        let told = self.wanted.unmet.iter().chain(&compared.untouched);
        let remarks = told.map(|(about, why)| Remark::new(about.as_str(), why.as_str())).collect();
        let splits = compared.changes.iter().filter(|c| matches!(c, Change::Split(..))).count();
        // After each that is split, what is there is read again.
        let calls = 1 + compared.changes.len() + 2 * splits;
        let cost = Cost { calls: u32::try_from(calls).unwrap_or(u32::MAX), quota: None };
        let steps = compared.changes.into_iter().map(|op| Step { change: op.shown(), op }).collect();
        Ok(Look { title: self.project.clone(), steps, remarks, kept: compared.kept, cost, ..Look::default() })
    }

    async fn carry_out(&self, steps: &[Step<Change>]) -> Result<Done, Failure> {
        let app = self.app.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (Some(step), Some(app)) = (steps.first(), app) else { return Ok(Done::Again(0)) };
        let carried = match &step.op {
            Change::Create(variable) => self.client.create(&app, variable).await?,
            Change::Change(present, variable) => self.client.change(present, variable).await?,
            Change::Split(present, variable) => match self.client.take_out(present, variable.at).await? {
                Carried::Done => self.client.create(&app, variable).await?,
                unknown @ Carried::Unknown(_) => unknown,
            },
        };
        Ok(match (carried, &step.op) {
            (Carried::Unknown(why), _) => Done::Unknown(why),
            // Where else the variable is used is another now.
            (Carried::Done, Change::Split(..)) => Done::Again(1),
            (Carried::Done, _) => Done::These(1),
        })
    }
}
