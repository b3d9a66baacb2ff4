//! Backups of an environment's servers, their restores and what proves them.
//!
//! PostgreSQL's are pgBackRest's (https://pgbackrest.org/user-guide.html), run as the environment's user with a configuration
//! of its own; nothing of `/etc/pgbackrest` is read. A restore is made beside, in `restores/NAME` of the environment's folder:
//!
//! | file | meaning |
//! | --- | --- |
//! | `data/` | the cluster |
//! | `data/ambit.restored` | NAME: it was restored here, whatever place it has now |
//! | `keep` | somebody asked for it; it stays |
//! | `replacing` | it is about to be put in place, or was; removed when that is settled |
//! | `replaced` | `data` is what served before |

mod archive;
mod count;
mod engine;
mod examine;
mod list;
mod redis;
mod replace;
mod restore;
mod settings;
mod take;
