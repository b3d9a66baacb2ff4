//! The format number of the state folder. Later programs migrate older folders forward; a folder that is newer than the
//! program is refused before anything in it is touched.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use ambit_domain::Home;

/// The format that this program writes.
pub const FORMAT: u32 = 1;

/// Why a state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// It was written by a later program.
    #[error("{folder} has format {found}, this program knows formats up to {FORMAT}; nothing was touched")]
    Newer {
        /// The state folder.
        folder: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It holds other things than a state folder does.
    #[error("{folder} is not empty and is not a state folder of Ambit (it has no `format` file)")]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
    /// Its format file says something that no program wrote.
    #[error("{file} is damaged: it should say `ambit-home N`")]
    Damaged {
        /// The format file.
        file: PathBuf,
    },
    /// The file system refused.
    #[error("cannot use {path} as the state folder")]
    Io {
        /// What was being read or made.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes the state folder where there is none, and checks its format where there is one.
///
/// `mode` is the folder's mode when it is made: 0700, or 0711 where the OS users of environments have to pass through.
///
/// A crash before the format file is written leaves an empty folder, which the next call accepts.
pub fn claim(home: &Home, mode: u32) -> Result<(), FormatError> {
    let at = |path: &Path| {
        let path = path.to_path_buf();
        move |source| FormatError::Io { path, source }
    };
    let file = home.format_file();
    match fs::read_to_string(&file) {
        Ok(text) => {
            let found: u32 = text
                .trim()
                .strip_prefix("ambit-home ")
                .and_then(|n| n.parse().ok())
                .ok_or_else(|| FormatError::Damaged { file: file.clone() })?;
            if found > FORMAT {
                return Err(FormatError::Newer { folder: home.root().to_path_buf(), found });
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new().recursive(true).mode(mode).create(home.root()).map_err(at(home.root()))?;
            if fs::read_dir(home.root()).map_err(at(home.root()))?.next().is_some() {
                return Err(FormatError::Foreign { folder: home.root().to_path_buf() });
            }
            fs::set_permissions(home.root(), fs::Permissions::from_mode(mode)).map_err(at(home.root()))?;
            let new = file.with_extension("new");
            fs::write(&new, format!("ambit-home {FORMAT}\n")).map_err(at(&new))?;
            fs::File::open(&new).and_then(|f| f.sync_all()).map_err(at(&new))?;
            fs::rename(&new, &file).map_err(at(&file))?;
            Ok(())
        }
        Err(error) => Err(at(&file)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_claimed_once_and_accepted_ever_after() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("state"));
        claim(&home, 0o700).unwrap();
        claim(&home, 0o700).unwrap();
        assert_eq!(fs::metadata(home.root()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_newer_format_is_refused_untouched() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("format"), "ambit-home 99\n").unwrap();
        let error = claim(&Home::new(folder.path()), 0o700).unwrap_err();
        assert!(matches!(error, FormatError::Newer { found: 99, .. }));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn somebody_elses_folder_is_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "").unwrap();
        assert!(matches!(claim(&Home::new(folder.path()), 0o700), Err(FormatError::Foreign { .. })));
    }
}
