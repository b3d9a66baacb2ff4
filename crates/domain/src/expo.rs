//! The mobile app at Expo: the builds that are made there, and the variables that Expo keeps for them. Pure.

mod variables;

pub use variables::{Change, Comparison, Present, Variable, Wanted, compare, wanted};

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a build stands at Expo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildState {
    /// Somebody asked for it.
    New,
    /// It waits for its turn.
    Queued,
    /// It is being made.
    Running,
    /// It is being taken back.
    Canceling,
    /// It is there.
    Finished,
    /// It failed.
    Failed,
    /// It was taken back.
    Canceled,
}

impl BuildState {
    /// Reads Expo's word.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Some(match word {
            "NEW" => Self::New,
            "IN_QUEUE" => Self::Queued,
            "IN_PROGRESS" => Self::Running,
            "PENDING_CANCEL" => Self::Canceling,
            "FINISHED" => Self::Finished,
            "ERRORED" => Self::Failed,
            "CANCELED" => Self::Canceled,
            _ => return None,
        })
    }

    /// Whether nothing comes of it any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Canceled)
    }

    /// Its word on screens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Canceling => "canceling",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

impl fmt::Display for BuildState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a build failed, in Expo's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildError {
    /// `EAS_BUILD_UNKNOWN_GRADLE_ERROR`
    pub code: String,
    /// A sentence.
    pub message: String,
    /// Where it is explained.
    pub docs: Option<String>,
}

/// A build at Expo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Expo's id.
    pub id: String,
    /// How it stands.
    pub state: BuildState,
    /// Whether it is for Android, which alone can be handed out.
    pub android: bool,
    /// The profile that it is built by.
    pub profile: Option<String>,
    /// What people call its version.
    pub version: Option<String>,
    /// What Android orders versions by.
    pub version_code: Option<String>,
    /// The commit that it is made from.
    pub commit: Option<String>,
    /// Whether the files were not quite those of the commit.
    pub dirty: bool,
    /// When it was asked for, as Expo says it.
    pub created: String,
    /// When its file is gone, as Expo says it.
    pub expires: Option<String>,
    /// How many builds are before it.
    pub position: Option<u32>,
    /// Why it failed.
    pub error: Option<BuildError>,
    /// Its file. Whoever knows the address can get it.
    #[serde(skip)]
    pub file: Option<String>,
}

impl Build {
    /// Whether it is built by one of these profiles.
    #[must_use]
    pub fn is_by(&self, profiles: &[String]) -> bool {
        self.profile.as_ref().is_some_and(|profile| profiles.contains(profile))
    }
}
