//! Environments at Railway: what is declared of them beside what is there. Pure.
//!
//! An environment lives in a project of its own there: its apps, its PostgreSQL and its Redis. A project is Ambit's by a mark in its
//! description (`ambit:kaia/dev`), a service by the same in its variable [`OWNER`], which also names what of the service is declared, so
//! that what is declared no more is told from what somebody set by hand. Nothing without a mark is ever changed or deleted.

mod app;
mod archive;
mod compare;
mod mark;
mod names;
mod ops;
mod present;
mod projects;
mod redis;
mod services;
mod settings;
mod token;
mod wanted;

#[cfg(test)]
mod tests;

pub use archive::{ARCHIVE, ARCHIVE_TEMPLATE};
pub use compare::{Found, Secrets, compare};
pub use mark::{OWNER, Owner, project_mark};
pub use names::{Names, NoNames};
pub use ops::{Database, Edits, Op, Place, cost};
pub use present::{Branch, Host, Listed, Present, PresentService, PresentVariable, VolumeAt};
pub use projects::{adoptable, forget, forgotten, project_of, unique, unmarked};
pub use redis::{command, persistence};
pub use settings::{Setting, Settings};
pub use token::ProjectToken;
pub use wanted::{Given, Surroundings, Wanted, WantedApp, WantedService, What, reference, wanted};
