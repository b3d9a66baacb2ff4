//! What a service around does for a plan, and how its steps are carried out.

use ambit_domain::{
    Failure, FailureKind,
    outside::{Allowed, Known, Look, Part, Place, Remark, Step},
};
use async_trait::async_trait;

use super::Ask;
use crate::progress::Progress;

/// Answers that say nothing, one after the other, until it is given up.
const TRIES: usize = 8;

/// How far steps were carried out.
pub(crate) enum Done {
    /// That many of them, from the first; the rest is as it was.
    These(usize),
    /// That many; the rest has to be looked at again, since what was made is needed for it.
    Again(usize),
    /// Nobody knows: it has to be looked at.
    Unknown(String),
    /// The service will not do the first, and why; a look leaves it out.
    Refused(String),
}

/// A service around, opened.
#[async_trait]
pub(crate) trait Outside: Send + Sync {
    /// What a step needs to be carried out.
    type Op: Clone + Send + Sync;

    /// Which.
    fn place(&self) -> Place;

    /// Reads what is there and compares it with what is declared; tells what later parts have to know.
    async fn look(&self, known: &mut Known) -> Result<Look<Self::Op>, Failure>;

    /// Steps that would make the project's own what stands where it needs something, and change nothing else.
    async fn adoptable(&self) -> Result<Look<Self::Op>, Failure> {
        Ok(Look::default())
    }

    /// Carries out the first of these steps, or several. May be called again after a crash at any point: a look comes first.
    async fn carry_out(&self, steps: &[Step<Self::Op>]) -> Result<Done, Failure>;
}

/// A service around with what was last seen of it.
pub(super) struct Side<P: Outside> {
    service: P,
    seen: Option<(Known, Look<P::Op>)>,
    refused: Vec<Remark>,
}

impl<P: Outside> Side<P> {
    pub(super) fn new(service: P) -> Self {
        Self { service, seen: None, refused: Vec::new() }
    }

    async fn read(&self, known: &mut Known, ask: Ask) -> Result<Look<P::Op>, Failure> {
        match ask {
            Ask::Declared => self.service.look(known).await,
            Ask::Adoptable => self.service.adoptable().await,
        }
    }
}

/// A [`Side`] whatever its service.
#[async_trait]
pub(super) trait AnySide: Send {
    fn place(&self) -> Place;

    async fn look(&mut self, known: &mut Known, ask: Ask) -> Result<Part, Failure>;

    /// Carries out what is allowed; how much was done also where it fails.
    async fn carry_out(
        &mut self,
        allowed: &Allowed<'_>,
        known: &mut Known,
        ask: Ask,
        progress: &Progress,
    ) -> (usize, Result<(), Failure>);

    /// What the service will not do, and why.
    fn refused(&self) -> &[Remark];
}

#[async_trait]
impl<P: Outside> AnySide for Side<P> {
    fn place(&self) -> Place {
        self.service.place()
    }

    fn refused(&self) -> &[Remark] {
        &self.refused
    }

    async fn look(&mut self, known: &mut Known, ask: Ask) -> Result<Part, Failure> {
        let by = known.clone();
        let look = self.read(known, ask).await?;
        let part = look.part(self.service.place());
        self.seen = Some((by, look));
        Ok(part)
    }

    async fn carry_out(
        &mut self,
        allowed: &Allowed<'_>,
        known: &mut Known,
        ask: Ask,
        progress: &Progress,
    ) -> (usize, Result<(), Failure>) {
        let (mut done, mut fruitless) = (0, 0);
        // What was seen before earlier parts were applied may be out of date.
        let mut seen = self.seen.take().filter(|(by, _)| by == known).map(|(_, look)| look);
        loop {
            let look = match seen.take() {
                Some(look) => look,
                None => match self.read(known, ask).await {
                    Ok(look) => look,
                    Err(failure) => return (done, Err(failure)),
                },
            };
            let steps: Vec<_> =
                look.steps.into_iter().filter(|s| !s.change.waits() && allowed.covers(&s.change)).collect();
            let all = done + steps.len();
            let mut rest = &steps[..];
            let why = loop {
                if rest.is_empty() {
                    return (done, Ok(()));
                }
                let (count, why) = match self.service.carry_out(rest).await {
                    Ok(Done::These(count)) => (count, None),
                    Ok(Done::Again(count)) => (count, Some("it is not there yet although it was made".to_owned())),
                    Ok(Done::Unknown(why)) => (0, Some(why)),
                    Ok(Done::Refused(why)) => {
                        let what = rest.first().map(|step| step.change.key.clone()).unwrap_or_default();
                        self.refused.push(Remark::new(what, why.clone()));
                        (0, Some(why))
                    }
                    Err(failure) => return (done, Err(failure)),
                };
                done += count;
                rest = &rest[count.min(rest.len())..];
                fruitless = if count > 0 { 0 } else { fruitless + 1 };
                if count > 0 {
                    let last = &steps[steps.len() - rest.len() - 1].change.key;
                    progress.notice(self.place().name(), format!("{done} of {all}: {last}"));
                }
                if let Some(why) = why {
                    break why;
                }
                if fruitless == TRIES {
                    break "nothing of it could be done".to_owned();
                }
            };
            if fruitless >= TRIES {
                let failure = Failure::new(FailureKind::Machine, format!("{} does not answer", self.place()));
                return (done, Err(failure.because(why)));
            }
        }
    }
}
