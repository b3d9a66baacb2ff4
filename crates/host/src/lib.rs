//! Environments on this machine: PostgreSQL, Redis, apps, users, limits.
