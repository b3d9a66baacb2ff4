//! Copies of volumes: made in their time, listed when they are made, refused where the plan or the volume's size does not allow them.

use serde_json::{Value, json};

use super::{
    mutations::unknown,
    restores::Restore,
    world::{Done, Volume, Workflow, World, moment, not_authorized},
};
use crate::graphql::Refused;

/// What a volume is given, in megabytes, and what is on it.
pub(super) const SIZE: u64 = 5000;
pub(super) const USED: u64 = 100;

/// A copy of a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backup {
    /// By what the API knows it.
    pub id: String,
    /// What somebody called it.
    pub name: String,
    /// Whether nobody may delete it.
    pub locked: bool,
    /// When it was made, RFC 3339.
    pub created: String,
    /// What it holds, in megabytes.
    pub size: u64,
}

/// What a workflow does at its end.
pub(super) enum Pending {
    /// A copy of a volume by its id in the environment.
    Backup(String, Backup),
    /// A change that has a PostgreSQL's log archived, by environment and service.
    Overlay(String, String),
    /// A PostgreSQL as it was at a moment, as a service of its own.
    Restore(Restore),
}

impl World {
    /// Begins something that takes its time; where nothing is slow, it is done at once.
    pub(super) fn begin(&mut self, pending: Pending) -> Value {
        let id = self.id();
        let (project, environment) = (String::new(), String::new());
        let workflow = Workflow { left: self.slow, project, environment, config: Value::Null };
        self.workflows.insert(id.clone(), workflow);
        if self.slow == 0 {
            self.come_true(pending);
        } else {
            self.pending.insert(id.clone(), pending);
        }
        json!({ "workflowId": id })
    }

    /// The end of what was begun.
    pub(super) fn come_true(&mut self, pending: Pending) {
        match pending {
            Pending::Backup(volume, backup) => {
                // What was deleted meanwhile has no copy.
                if let Ok(volume) = self.volume(&volume) {
                    volume.backups.push(Backup { created: moment(), ..backup });
                }
            }
            Pending::Overlay(environment, service) => self.stage_archive(&environment, &service),
            Pending::Restore(restore) => self.restore(restore),
        }
    }

    pub(super) fn backups(&mut self, instance: &str) -> Done<Value> {
        let volume = self.volume(instance)?;
        let shown = |b: &Backup| {
            json!({ "id": b.id, "name": b.name, "createdAt": b.created, "externalId": b.id, "expiresAt": null, "creatorId": null,
                "referencedMB": b.size, "usedMB": b.size / 4, "scheduleId": null, "volumeInstanceSizeMB": volume.size })
        };
        Ok(volume.backups.iter().map(shown).collect::<Vec<_>>().into())
    }

    pub(super) fn change_a_backup(&mut self, name: &str, arguments: &Value) -> Done<Value> {
        let text = |key: &str| arguments[key].as_str().unwrap_or_default();
        let (id, refuses) = (self.id(), self.refuses_backups.clone());
        let volume = self.volume(text("volumeInstanceId"))?;
        let place = |v: &Volume| v.backups.iter().position(|b| b.id == text("volumeInstanceBackupId"));
        match name {
            "volumeInstanceBackupCreate" => {
                if let Some(why) = refuses {
                    return Err(Refused::new(why));
                }
                if volume.used > volume.size / 2 {
                    return Err(Refused::new("Volume is too large to backup: its data may take half of its size"));
                }
                let name = arguments["name"].as_str().unwrap_or("Manual").to_owned();
                let backup = Backup { id, name, size: volume.used, ..Backup::default() };
                Ok(self.begin(Pending::Backup(text("volumeInstanceId").to_owned(), backup)))
            }
            "volumeInstanceBackupScheduleUpdate" => {
                let kinds = arguments["kinds"].as_array().into_iter().flatten();
                volume.schedule = kinds.filter_map(Value::as_str).map(str::to_owned).collect();
                Ok(json!(true))
            }
            "volumeInstanceBackupLock" => {
                let place = place(volume).ok_or_else(not_authorized)?;
                volume.backups[place].locked = true;
                Ok(json!(true))
            }
            "volumeInstanceBackupDelete" => {
                let place = place(volume).ok_or_else(not_authorized)?;
                if volume.backups[place].locked {
                    return Err(Refused::new("Backup is locked"));
                }
                volume.backups.remove(place);
                Ok(self.done_workflow())
            }
            _ => Err(unknown(name)),
        }
    }
}
