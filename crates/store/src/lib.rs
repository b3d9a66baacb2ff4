//! What the daemon remembers: SQLite and the format of the state folder.
