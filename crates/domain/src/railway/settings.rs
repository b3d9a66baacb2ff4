//! Settings of a service, as texts.

use std::collections::BTreeMap;

/// A setting that a declaration says something of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// The folder of its code in the repository.
    RootDirectory,
    /// Builds it.
    BuildCommand,
    /// Runs before each deployment: migrations.
    PreDeployCommand,
    /// Starts it.
    StartCommand,
    /// The path that says whether it is well.
    HealthcheckPath,
    /// The seconds that it has to become well.
    HealthcheckTimeout,
    /// How many run side by side.
    Replicas,
    /// The seconds that requests in flight have to finish.
    DrainingSeconds,
    /// When it runs.
    CronSchedule,
}

/// Those that are said, as texts.
pub type Settings = BTreeMap<Setting, String>;

impl Setting {
    /// All.
    pub const ALL: [Self; 9] = [
        Self::RootDirectory,
        Self::BuildCommand,
        Self::PreDeployCommand,
        Self::StartCommand,
        Self::HealthcheckPath,
        Self::HealthcheckTimeout,
        Self::Replicas,
        Self::DrainingSeconds,
        Self::CronSchedule,
    ];

    /// Its name at Railway.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::RootDirectory => "rootDirectory",
            Self::BuildCommand => "buildCommand",
            Self::PreDeployCommand => "preDeployCommand",
            Self::StartCommand => "startCommand",
            Self::HealthcheckPath => "healthcheckPath",
            Self::HealthcheckTimeout => "healthcheckTimeout",
            Self::Replicas => "numReplicas",
            Self::DrainingSeconds => "drainingSeconds",
            Self::CronSchedule => "cronSchedule",
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RootDirectory => "folder",
            Self::BuildCommand => "build",
            Self::PreDeployCommand => "migrate",
            Self::StartCommand => "run",
            Self::HealthcheckPath => "health",
            Self::HealthcheckTimeout => "health deadline in seconds",
            Self::Replicas => "instances",
            Self::DrainingSeconds => "drain in seconds",
            Self::CronSchedule => "schedule",
        }
    }

    /// Whether it is a number.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::HealthcheckTimeout | Self::Replicas | Self::DrainingSeconds)
    }

    /// What holds where nobody said anything.
    #[must_use]
    pub fn usual(self) -> Option<&'static str> {
        matches!(self, Self::Replicas).then_some("1")
    }

    /// As it is compared: where it is as usual, nothing is said.
    #[must_use]
    pub fn plain(self, text: &str) -> Option<String> {
        let text = match self {
            Self::RootDirectory => text.trim_matches('/'),
            _ => text.trim(),
        };
        (!text.is_empty() && self.usual() != Some(text)).then(|| text.to_owned())
    }
}
