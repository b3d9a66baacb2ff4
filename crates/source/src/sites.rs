//! A static site laid out for one environment: the same files everywhere, and in them what is the environment's own.
//!
//! In `.html` files `%NAME%` is replaced by each exposed variable and `%AMBIT_ENVIRONMENT%` by the environment's name;
//! `env.js` (`window.AMBIT`) and `env.json` tell the same to scripts.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{error::Error, files};

/// What to lay out.
pub struct Render {
    /// The built folder.
    pub from: PathBuf,
    /// The folder in which the layout gets one of its own.
    pub into: PathBuf,
    /// Exposed variables with their values.
    pub variables: Vec<(String, String)>,
    /// The environment's name.
    pub environment: String,
    /// Its kind.
    pub kind: String,
}

/// Lays a site out; returns its folder, whose name tells its content. Older layouts of the site are deleted, but the one
/// before, which requests may still be reading.
pub fn render(request: &Render) -> Result<PathBuf, Error> {
    if !request.from.is_dir() {
        return Err(Error::NoFolder { path: request.from.clone(), at: "the built site".into() });
    }
    fs::create_dir_all(&request.into).map_err(Error::io(&request.into))?;
    let place = tempfile::Builder::new().prefix(".new-").tempdir_in(&request.into).map_err(Error::io(&request.into))?;
    let mut hash = Sha256::new();
    copy(request, &request.from, place.path(), &mut hash)?;
    let facts = serde_json::json!({
        "environment": request.environment,
        "kind": request.kind,
        "variables": request.variables.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
    });
    let json = facts.to_string();
    // Within a script element `</` would end it, and JavaScript once took U+2028 and U+2029 for line ends.
    let script = json.replace("</", "<\\/").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    for (name, text) in [("env.json", json), ("env.js", format!("window.AMBIT = {script};\n"))] {
        let file = place.path().join(name);
        if !file.exists() {
            hash.update(&text);
            fs::write(&file, text).map_err(Error::io(&file))?;
        }
    }
    let name: String = files::hex(&hash.finalize()).chars().take(16).collect();
    let folder = request.into.join(&name);
    if folder.is_dir() {
        return Ok(folder);
    }
    open_up(place.path())?;
    fs::rename(place.path(), &folder).map_err(Error::io(&folder))?;
    clean(&request.into, &folder);
    Ok(folder)
}

fn copy(request: &Render, from: &Path, into: &Path, hash: &mut Sha256) -> Result<(), Error> {
    let mut entries: Vec<_> =
        fs::read_dir(from).map_err(Error::io(from))?.collect::<Result<_, _>>().map_err(Error::io(from))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let root = request.from.canonicalize().map_err(Error::io(&request.from))?;
    for entry in entries {
        let (path, target) = (entry.path(), into.join(entry.file_name()));
        // A link is served as what it leads to, if that is part of the site.
        let real = path.canonicalize().map_err(Error::io(&path))?;
        if !real.starts_with(&root) {
            return Err(Error::Refused { path, why: "is a link that leads out of the site".into() });
        }
        let metadata = fs::metadata(&real).map_err(Error::io(&real))?;
        hash.update(entry.file_name().as_encoded_bytes());
        hash.update([0]);
        let linked = entry.file_type().map_err(Error::io(&path))?.is_symlink();
        if metadata.is_dir() {
            if linked {
                return Err(Error::Refused { path, why: "is a link to a folder; copy the folder instead".into() });
            }
            fs::create_dir(&target).map_err(Error::io(&target))?;
            copy(request, &real, &target, hash)?;
        } else if metadata.is_file() {
            let mut bytes = fs::read(&real).map_err(Error::io(&real))?;
            if target.extension().is_some_and(|e| e == "html" || e == "htm")
                && let Ok(text) = std::str::from_utf8(&bytes)
            {
                bytes = fill(text, request).into_bytes();
            }
            hash.update(&bytes);
            fs::write(&target, bytes).map_err(Error::io(&target))?;
        }
    }
    Ok(())
}

fn fill(text: &str, request: &Render) -> String {
    let mut out = text.replace("%AMBIT_ENVIRONMENT%", &escape(&request.environment));
    for (name, value) in &request.variables {
        out = out.replace(&format!("%{name}%"), &escape(value));
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// Readable by the group that the folder above gives it; a temporary folder is made for its owner alone.
fn open_up(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        let path = entry.path();
        if path.is_dir() {
            open_up(&path)?;
        } else {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).map_err(Error::io(&path))?;
        }
    }
    let mode = fs::metadata(folder).map_err(Error::io(folder))?.permissions().mode();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o750 | (mode & 0o2000))).map_err(Error::io(folder))
}

fn clean(into: &Path, present: &Path) {
    let Ok(entries) = fs::read_dir(into) else { return };
    let mut others: Vec<_> = entries
        .filter_map(|e| {
            let e = e.ok()?;
            Some((e.metadata().ok()?.modified().ok()?, e.path()))
        })
        .filter(|(_, path)| path != present)
        .collect();
    others.sort();
    others.pop();
    for (_, path) in others {
        // Left for the next time where it cannot be deleted now.
        let _ = fs::remove_dir_all(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_say_which_environment_they_are() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(from.path().join("index.html"), "<p>%AMBIT_ENVIRONMENT% %API_URL% %OTHER%</p>").unwrap();
        fs::write(from.path().join("a.js"), "x %API_URL%").unwrap();
        let request = Render {
            from: from.path().into(),
            into: into.path().into(),
            variables: vec![("API_URL".into(), "https://a/?b=\"</script>".into())],
            environment: "dev".into(),
            kind: "development".into(),
        };
        let folder = render(&request).unwrap();
        assert_eq!(
            fs::read_to_string(folder.join("index.html")).unwrap(),
            "<p>dev https://a/?b=&quot;&lt;/script&gt; %OTHER%</p>"
        );
        assert_eq!(fs::read_to_string(folder.join("a.js")).unwrap(), "x %API_URL%");
        assert!(!fs::read_to_string(folder.join("env.js")).unwrap().contains("</"));
        assert_eq!(render(&request).unwrap(), folder);
    }
}
