//! The steps, one a file.

mod drain;
mod gates;
mod health;
mod migrate;
mod restore_point;
mod seed;
mod start;
mod stop;
mod switch;
mod there;

use ambit_domain::{Failure, deployment::StepName};
use async_trait::async_trait;

use super::engine::Stand;

/// One step. It may be called again after a crash at any point of an earlier call, and then does the rest.
#[async_trait]
pub(crate) trait Step: Send + Sync {
    /// Does it, and tells what it came to.
    async fn run(&self, stand: &mut Stand<'_>, round: u32) -> Result<String, Failure>;
}

/// The step of a name; `None` for watching, which is not carried out in its turn.
pub(super) fn of(name: StepName) -> Option<&'static dyn Step> {
    Some(match name {
        StepName::Gates => &gates::Gates,
        StepName::RestorePoint => &restore_point::RestorePoint,
        StepName::Migrate => &migrate::Migrate,
        StepName::Seed => &seed::Seed,
        StepName::Start => &start::Start,
        StepName::Health => &health::Health,
        StepName::Switch => &switch::Switch,
        StepName::Drain => &drain::Drain,
        StepName::Stop => &stop::Stop,
        StepName::CopyThere => &there::Copy,
        StepName::DeployThere => &there::Deploy,
        StepName::AwaitThere => &there::Await,
        StepName::Watch => return None,
    })
}
