//! Secrets in tracked files.
