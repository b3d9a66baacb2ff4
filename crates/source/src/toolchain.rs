//! Programs that an unprivileged user can reach.
//!
//! Root's own Rust lies below /root, where nobody else can go. Such a toolchain is shown to the build at another place,
//! in a mount namespace of its own (mount_namespaces(7)); nothing of it is copied and nothing else of /root is shown.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// The folders of a PATH that every user can reach, where `apart` says that another user has to.
pub(crate) fn reachable(path: &[PathBuf], apart: bool) -> Vec<PathBuf> {
    path.iter().filter(|p| p.is_dir() && (!apart || passable(p))).cloned().collect()
}

fn passable(folder: &Path) -> bool {
    let Ok(real) = folder.canonicalize() else { return false };
    real.ancestors().all(|f| f.metadata().is_ok_and(|m| m.permissions().mode() & 0o001 != 0))
}

/// A program on a path.
pub(crate) fn find(path: &[PathBuf], program: &str) -> Option<PathBuf> {
    path.iter()
        .map(|f| f.join(program))
        .find(|p| p.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0))
}

/// The Rust toolchain that the whole path leads to.
pub(crate) fn rust(path: &[PathBuf]) -> Option<PathBuf> {
    let cargo = find(path, "cargo")?;
    // A rustup proxy knows where the real one is; run at a place without a toolchain file.
    let rustup = cargo.with_file_name("rustup");
    let real = if rustup.exists() {
        let output = Command::new(rustup).args(["which", "cargo"]).current_dir("/").output().ok()?;
        PathBuf::from(String::from_utf8(output.stdout).ok()?.trim())
    } else {
        cargo.canonicalize().ok()?
    };
    Some(real.parent()?.parent()?.to_path_buf()).filter(|t| t.join("bin/rustc").exists())
}

/// How a missing program is installed.
pub(crate) fn install(program: &str) -> String {
    match program {
        "cargo" => "install Rust with rustup (https://rustup.rs)".to_owned(),
        "node" | "npm" => "apt-get install nodejs npm".to_owned(),
        "pnpm" | "yarn" => format!("npm install --global {program}"),
        "python3" => "apt-get install python3 python3-venv".to_owned(),
        other => format!("install {other}"),
    }
}
