//! Files as they stand in a folder: without what git ignores, without what builds make.

use std::{
    fs,
    io::Read,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
};

use ignore::WalkBuilder;
use sha2::{Digest, Sha256};

use crate::{error::Error, files::hex};

/// Never part of the code, whether ignored or not.
const LEFT_OUT: &[&str] = &[
    ".git",
    "node_modules",
    "target",
    ".venv",
    "venv",
    "__pycache__",
    "ambit.toml",
    "ambit.secrets",
    ".next",
    ".DS_Store",
];

/// Files and links below a folder, sorted, relative to it.
fn list(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    if !folder.is_dir() {
        return Err(Error::NoFolder { path: folder.to_path_buf(), at: "the working tree".into() });
    }
    let walk = WalkBuilder::new(folder)
        .hidden(false)
        .require_git(false)
        .git_global(false)
        .follow_links(false)
        .filter_entry(|e| e.depth() == 0 || !LEFT_OUT.iter().any(|n| e.file_name() == *n))
        .build();
    let mut found = Vec::new();
    for entry in walk {
        let entry = entry.map_err(|e| Error::Io { path: folder.to_path_buf(), source: std::io::Error::other(e) })?;
        let Some(kind) = entry.file_type() else { continue };
        if !kind.is_dir()
            && let Ok(relative) = entry.path().strip_prefix(folder)
        {
            found.push(relative.to_path_buf());
        }
    }
    found.sort();
    Ok(found)
}

/// A hash of paths, modes and contents: the same for the same code.
pub fn hash(folder: &Path) -> Result<String, Error> {
    let mut whole = Sha256::new();
    for relative in list(folder)? {
        let path = folder.join(&relative);
        let metadata = fs::symlink_metadata(&path).map_err(Error::io(&path))?;
        whole.update(relative.as_os_str().as_encoded_bytes());
        if metadata.is_symlink() {
            let target = fs::read_link(&path).map_err(Error::io(&path))?;
            whole.update(b"\0link\0");
            whole.update(target.as_os_str().as_encoded_bytes());
        } else if metadata.is_file() {
            whole.update(if metadata.permissions().mode() & 0o111 == 0 { b"\0file\0" } else { b"\0prog\0" });
            whole.update(metadata.len().to_le_bytes());
            let mut file = fs::File::open(&path).map_err(Error::io(&path))?;
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let n = file.read(&mut buffer).map_err(Error::io(&path))?;
                if n == 0 {
                    break;
                }
                whole.update(buffer.get(..n).unwrap_or_default());
            }
        }
        whole.update(b"\0");
    }
    Ok(hex(&whole.finalize()).chars().take(40).collect())
}

/// Copies the files of a folder.
pub(crate) fn copy(folder: &Path, into: &Path) -> Result<(), Error> {
    for relative in list(folder)? {
        let (from, to) = (folder.join(&relative), into.join(&relative));
        let metadata = fs::symlink_metadata(&from).map_err(Error::io(&from))?;
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(Error::io(parent))?;
        }
        if metadata.is_symlink() {
            let target = fs::read_link(&from).map_err(Error::io(&from))?;
            symlink(target, &to).map_err(Error::io(&to))?;
        } else if metadata.is_file() {
            fs::copy(&from, &to).map_err(Error::io(&to))?;
        }
        // Sockets, pipes and devices are no code.
    }
    check_links(into)
}

/// Refuses links that lead out of a tree.
pub(crate) fn check_links(tree: &Path) -> Result<(), Error> {
    let mut left = vec![PathBuf::new()];
    while let Some(folder) = left.pop() {
        let path = tree.join(&folder);
        for entry in fs::read_dir(&path).map_err(Error::io(&path))? {
            let entry = entry.map_err(Error::io(&path))?;
            let relative = folder.join(entry.file_name());
            let kind = entry.file_type().map_err(Error::io(&path))?;
            if kind.is_dir() {
                left.push(relative);
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path()).map_err(Error::io(&path))?;
                if !stays_within(&folder, &target) {
                    return Err(Error::Refused {
                        path: relative,
                        why: format!("is a link that leads out of the code: {}", target.display()),
                    });
                }
            }
        }
    }
    Ok(())
}

fn stays_within(folder: &Path, target: &Path) -> bool {
    let mut depth = folder.components().count();
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_follows_the_code_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.js"), "1").unwrap();
        fs::write(at(".gitignore"), "*.log\n").unwrap();
        let before = hash(folder.path()).unwrap();
        fs::write(at("x.log"), "noise").unwrap();
        fs::create_dir(at("node_modules")).unwrap();
        fs::write(at("node_modules/m.js"), "x").unwrap();
        assert_eq!(hash(folder.path()).unwrap(), before);
        fs::write(at("a.js"), "2").unwrap();
        assert_ne!(hash(folder.path()).unwrap(), before);
    }

    #[test]
    fn a_link_that_leads_out_is_refused() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(from.path().join("sub")).unwrap();
        fs::write(from.path().join("x"), "").unwrap();
        symlink("../x", from.path().join("sub/fine")).unwrap();
        copy(from.path(), into.path()).unwrap();
        for target in ["/etc/passwd", "../../x"] {
            let into = tempfile::tempdir().unwrap();
            let _ = fs::remove_file(from.path().join("sub/bad"));
            symlink(target, from.path().join("sub/bad")).unwrap();
            assert!(matches!(copy(from.path(), into.path()), Err(Error::Refused { .. })), "{target}");
        }
    }
}
