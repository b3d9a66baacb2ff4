//! The use cases, one file each. Command line, API and dashboard are thin faces of this room: what one of them can do,
//! the others can.
//!
//! Knows no terminal, no HTTP and no SQL. Work that changes something runs in the daemon, under one lock a project;
//! what only reads may run in any process beside it.

mod access;
mod address;
mod ambit;
mod approve;
mod audit;
mod backup;
mod bring_up;
mod certificate_orders;
mod certificates;
mod changelog;
mod check;
mod ci;
mod classify;
mod cleaning;
mod code;
mod components;
mod cost;
mod dashboard;
mod declaration;
mod deliver;
mod deploy;
mod deployment;
mod deployment_log;
mod deployments;
mod destroy;
mod diff;
mod doctor;
mod down;
mod drain;
mod drill;
mod exchange;
mod facts;
mod fault;
mod full_disk;
mod gates;
mod generated;
mod github;
mod guide;
mod hosted;
mod incident;
mod intake;
mod jobs;
mod logs;
mod masked_copy;
mod matrix;
mod migrate;
mod mobile;
mod monitor;
mod notify;
mod outside;
mod overview;
mod pipeline;
mod plan;
mod policy;
mod progress;
mod prune;
mod qa;
mod rehearse;
mod release;
mod releases_elsewhere;
mod remote;
mod reset;
mod restore;
mod restore_points;
mod rollback;
mod routes;
mod scope;
mod seed;
mod servers;
mod set_aside;
mod snapshots;
mod status;
mod supervise;
mod swap_database;
mod telling;
mod test_bed;
mod up;
mod upgrade;
mod variables;
mod watch;
mod webhook;

pub use access::{
    Ceremony, CreateToken, CreatedToken, Made as MadePasskey, RemoveUser, RevokeToken, SetUser, SignIn, SignInLink,
    Used as UsedPasskey,
};
pub use address::Address;
pub use ambit::{Ambit, Surroundings};
pub use ambit_data::{CopyReport, ReviewedColumn, Suggestion};
pub use ambit_host::Service;
pub use ambit_store::{AuditFilter, Point};
pub use approve::{Decide, Decision, Waive};
pub use backup::{BackUp, BackupStatus, Backups, DrillBackup};
pub use certificates::{AddCertificate, CertificateStatus, Certificates, RemoveCertificate, Source};
pub use check::{Checked, check, check_declaration};
pub use ci::{WorkflowFile, Workflows, workflow_drift, write_workflows};
pub use classify::{Classified, ProposedColumn};
pub use cost::{Cost, Measured};
pub use dashboard::{DashboardAddress, PlaceDashboard};
pub use declaration::{Declaration, Invalid, LoadError};
pub use deploy::{Deploy, Promote};
pub use deployments::{DeploymentView, Figures, Followed};
pub use destroy::Destroy;
pub use diff::Diff;
pub use doctor::{DaemonSeen, Patient, diagnose};
pub use down::Down;
pub use exchange::Exchange;
pub use guide::{Item, Phase, Standing};
pub use incident::{
    DAYS as STATUS_DAYS, Incidents, OpenIncident, PublicIncident, PublicUpdate, ServiceUptime, StatusPage,
    UpdateIncident,
};
pub use intake::{IntakeOutcome, Received, RefUpdate};
pub use jobs::Job;
pub use logs::{Level, LogFilter, LogLine, LogQuery, LogReader, LogSearch, log_moment};
pub use masked_copy::{CopyData, MaskedCopy};
pub use matrix::{Cell, Matrix, Row};
pub use migrate::{Migrate, ServiceMigrations};
pub use mobile::{
    Changes, EasBuild, EasSubmit, ExpoBuild, MobileBuildView, PublishBuild, PublishedBuild, SyncState, Which,
    eas_build, eas_submit, expo_builds, fetch_expo_build, mobile_drift, sync_mobile,
};
pub use monitor::{Acknowledge, Uptime, UptimeDay};
pub use notify::{Tried, TryNotifications};
pub use outside::{Applied, Apply, Import, Of, OutsideDrift, Tokens};
pub use overview::{Ahead, Lane, Open, Overview};
pub use plan::EnvironmentPlan;
pub use progress::Progress;
pub use qa::{QaSaid, QaSay};
pub use rehearse::{Rehearsal, Rehearse};
pub use remote::{AddRemote, Remote};
pub use reset::Reset;
pub use restore::{RestoreRequest, Restored, RestoredCopy};
pub use restore_points::{LoadRestorePoint, MakeRestorePoint};
pub use rollback::{Rollback, RollbackPreview};
pub use seed::Seed;
pub use snapshots::{OneSnapshot, Snapshot};
pub use status::{EnvironmentStatus, ServiceStatus, Status};
pub use up::{EnvironmentReport, Up, UpReport};
pub use upgrade::{ProxyUpgrade, Upgrade, UpgradeReport};
pub use variables::{Shown, View};
pub use webhook::{AddWebhook, AddedWebhook, ChangeWebhook, Delivery, Told, WebhookView};
