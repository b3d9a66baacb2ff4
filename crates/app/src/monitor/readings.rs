//! What was read last, for those who look now.

use std::collections::BTreeMap;

use ambit_domain::{
    EnvironmentId,
    monitoring::{Check, MachineFigures, PostgresFigures, ProcessUse, RedisFigures},
};
use ambit_proxy::figures::Figures;

/// Everything that was read last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readings {
    pub(crate) machine: MachineFigures,
    /// What the proxy counted; `None` where it does not answer.
    pub(crate) figures: Option<Figures>,
    pub(crate) environments: BTreeMap<EnvironmentId, EnvironmentReadings>,
}

/// What was read of an environment.
#[derive(Debug, Clone, Default)]
pub(crate) struct EnvironmentReadings {
    pub(crate) services: BTreeMap<String, ServiceReading>,
    /// By service and URL.
    pub(crate) urls: BTreeMap<(String, String), UrlReading>,
    pub(crate) postgres: Option<PostgresFigures>,
    pub(crate) redis: Option<RedisFigures>,
    /// When the newest backup was begun.
    pub(crate) backup_at: Option<i64>,
    /// Deployments that are not finished.
    pub(crate) unfinished: Option<usize>,
    /// Whether each check was well when it was last looked at.
    pub(crate) checks: BTreeMap<Check, bool>,
}

/// What the processes of a service take.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ServiceReading {
    pub(crate) used: ProcessUse,
    /// Instances that have a process.
    pub(crate) running: usize,
    pub(crate) restarts: u32,
}

/// How a URL answers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UrlReading {
    pub(crate) up: bool,
    /// Time to the head of the last answer, in milliseconds.
    pub(crate) millis: Option<f64>,
    /// Looks in this minute, and how many of them it answered.
    pub(crate) looks: u32,
    pub(crate) well: u32,
}
