//! Secrets at rest: the encrypted file, its keys, and leaks in tracked files.
