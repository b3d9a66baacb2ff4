//! What takes a while at Railway and must not be done twice.
//!
//! What is asked for is written down before it is asked for, and with the workflow that does it as soon as that is known: whoever was
//! killed in between waits for it, or looks for what has that name, before asking again.

use std::time::Duration;

use ambit_cloud::railway::Tried;
use ambit_domain::{Failure, FailureKind};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{AtRailway, unknown};
use crate::{ambit::now, fault};

/// How long something may take to be listed after it was asked for, in milliseconds.
const UNDER_WAY: i64 = 60_000;
/// The pauses between two questions whether something is done: each is a request, so that they grow.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often that is asked.
const QUESTIONS: u32 = 20;
/// How often it is looked for what is done and not listed yet.
const LOOKS: u32 = 5;

/// Something that was asked for.
#[derive(Clone, Serialize, Deserialize)]
struct Asked {
    name: String,
    at: i64,
    workflow: Option<String>,
}

/// One thing that is done once.
#[async_trait]
pub(super) trait Once: Sync {
    /// What there is when it is done.
    type Found: Send;

    /// Where it is written down that it was asked for.
    fn key(&self) -> String;

    /// What it is called there.
    fn name(&self) -> &str;

    /// For people: `a copy of a volume`.
    fn what(&self) -> &'static str;

    /// What has that name.
    async fn look(&self) -> Result<Option<Self::Found>, Failure>;

    /// Asks for it; tells the workflow that does it.
    async fn ask(&self) -> Tried<String>;
}

/// Patience that ends.
pub(super) struct Patience {
    left: u32,
    pause: Duration,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { left: QUESTIONS, pause: PAUSE }
    }

    /// A pause before the next question; where it was asked often enough, a failure that says what was waited for.
    pub(super) async fn wait(&mut self, what: &str) -> Result<(), Failure> {
        if self.left == 0 {
            return Err(Failure::new(FailureKind::Machine, format!("Railway did not finish {what} in time"))
                .hint("repeat the command later: what was begun is found again"));
        }
        self.left -= 1;
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

impl AtRailway<'_> {
    async fn wait_for(&self, workflow: &str, what: &str) -> Result<(), Failure> {
        let mut patience = Patience::new();
        while !self.projects.client().is_over(workflow).await? {
            patience.wait(what).await?;
        }
        Ok(())
    }

    /// Finds what is there already, or was asked for, and asks for it where it is not.
    pub(super) async fn once<O: Once>(&self, once: &O) -> Result<O::Found, Failure> {
        let asked: Option<Asked> = self.ambit().remembered(&once.key())?;
        let there = match asked.filter(|asked| asked.name == once.name()) {
            Some(Asked { workflow: Some(workflow), .. }) => {
                self.wait_for(&workflow, once.what()).await?;
                appears(once).await?
            }
            Some(Asked { at, .. }) if now().saturating_sub(at) < UNDER_WAY => appears(once).await?,
            _ => once.look().await?,
        };
        let done = match there {
            Some(there) => there,
            None => self.ask(once).await?,
        };
        self.ambit().remember(&once.key(), &None::<Asked>)?;
        Ok(done)
    }

    async fn ask<O: Once>(&self, once: &O) -> Result<O::Found, Failure> {
        let (key, what) = (once.key(), once.what());
        let asked = Asked { name: once.name().to_owned(), at: now(), workflow: None };
        self.ambit().remember(&key, &Some(asked.clone()))?;
        let tried = once.ask().await;
        fault::point(&format!("when {what} was asked for"));
        let why = match tried {
            Ok(Ok(workflow)) => {
                self.ambit().remember(&key, &Some(Asked { workflow: Some(workflow.clone()), ..asked }))?;
                self.wait_for(&workflow, what).await?;
                format!("{} is not listed", once.name())
            }
            Ok(Err(why)) => why,
            Err(refused) => {
                self.ambit().remember(&key, &None::<Asked>)?;
                return Err(refused);
            }
        };
        appears(once).await?.ok_or_else(|| unknown(why))
    }
}

/// What was asked for and is not listed yet.
async fn appears<O: Once>(once: &O) -> Result<Option<O::Found>, Failure> {
    let mut pause = PAUSE;
    for count in 1..=LOOKS {
        if let Some(found) = once.look().await? {
            return Ok(Some(found));
        }
        if count < LOOKS {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
    Ok(None)
}
