//! How a deployment on this machine stands, in GitHub's words.

use crate::deployment::{Deployment, DeploymentState};

/// A state of a deployment at GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for a yes.
    Pending,
    /// It is carried out.
    InProgress,
    /// It serves.
    Success,
    /// It does not, or no longer.
    Failure,
    /// Nothing comes of it.
    Inactive,
}

impl State {
    /// GitHub's word for a deployment.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Inactive => "inactive",
        }
    }

    /// GitHub's word for the commit.
    #[must_use]
    pub fn of_commit(self) -> &'static str {
        match self {
            Self::Pending | Self::InProgress => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Inactive => "error",
        }
    }
}

/// What GitHub is told of a deployment as it stands; `None` where that is nothing yet, or where nothing was changed by it.
#[must_use]
pub fn state(deployment: &Deployment) -> Option<State> {
    Some(match deployment.state {
        DeploymentState::Queued | DeploymentState::Building | DeploymentState::Approved => return None,
        DeploymentState::Waiting => State::Pending,
        DeploymentState::Running => State::InProgress,
        DeploymentState::Watching | DeploymentState::Succeeded => State::Success,
        DeploymentState::Failed | DeploymentState::RolledBack => State::Failure,
        DeploymentState::Superseded
        | DeploymentState::Rejected
        | DeploymentState::Expired
        | DeploymentState::Cancelled => State::Inactive,
    })
}
