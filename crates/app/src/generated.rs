//! Files in a team's repository that are made from `ambit.toml`: read with a bound, replaced as a whole, and compared so that
//! a person sees what would be lost.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use ambit_domain::{Failure, FailureKind};

/// Larger files are not what is generated.
const MAX_FILE: u64 = 1 << 20;
/// How much of a difference is shown.
const SHOWN: usize = 24;

/// The text of a file, where it is there.
pub(crate) fn read(file: &Path) -> Result<Option<String>, Failure> {
    let cannot =
        |why: String| Failure::new(FailureKind::Declaration, format!("cannot read {}", file.display())).because(why);
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error.to_string())),
        Ok(metadata) if !metadata.is_file() => return Err(cannot("it is not a file".to_owned())),
        Ok(metadata) if metadata.len() > MAX_FILE => return Err(cannot("it is larger than 1 MB".to_owned())),
        Ok(_) => {}
    }
    fs::read_to_string(file).map(Some).map_err(|e| cannot(e.to_string()))
}

/// Replaces a file as a whole: a crash leaves the old one or the new one. Its folder is made where it is not there.
pub(crate) fn replace(file: &Path, text: &str) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    let place = || -> io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(text.as_bytes())?;
        new.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        new.as_file().sync_all()?;
        new.persist(file).map_err(|e| e.error)?;
        fs::File::open(folder)?.sync_all()
    };
    place().map_err(|error| {
        Failure::new(FailureKind::Machine, format!("cannot write {}", file.display())).because(error.to_string())
    })
}

/// Replaces a file that is somebody's: it stays theirs, with its mode.
pub(crate) fn rewrite(file: &Path, text: &str) -> Result<(), Failure> {
    use std::os::unix::fs::{MetadataExt, chown};
    let place = || -> io::Result<()> {
        // What is behind a link is written, and the link stays.
        let file = file.canonicalize()?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let there = fs::metadata(&file)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(text.as_bytes())?;
        new.as_file().set_permissions(there.permissions())?;
        let made = new.as_file().metadata()?;
        if (made.uid(), made.gid()) != (there.uid(), there.gid()) {
            chown(new.path(), Some(there.uid()), Some(there.gid()))?;
        }
        new.as_file().sync_all()?;
        new.persist(&file).map_err(|e| e.error)?;
        fs::File::open(folder)?.sync_all()
    };
    place().map_err(|error| {
        Failure::new(FailureKind::Machine, format!("cannot write {}", file.display())).because(error.to_string())
    })
}

/// The lines between the first and the last that differ.
pub(crate) fn difference(there: &str, wanted: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (there.lines().collect(), wanted.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[same..], &new[same..]);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let lines = |mark: char, lines: &[&str]| {
        let more = lines.len().saturating_sub(SHOWN);
        let shown = lines.iter().take(SHOWN).map(|line| format!("{mark} {line}")).collect::<Vec<_>>().join("\n");
        if more > 0 { format!("{shown}\n{mark} … {more} more lines") } else { shown }
    };
    let parts = [lines('-', &old[..old.len() - end]), lines('+', &new[..new.len() - end])];
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    format!("line {}\n{}", same + 1, parts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_is_between_the_same_lines_and_has_an_end() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\ny\nc\n"), "line 2\n- b\n+ x\n+ y");
        let long: String = (0..100).map(|n| format!("{n}\n")).collect();
        assert!(difference(&long, "x\n").contains("… 76 more lines"));
        assert_eq!(difference("a\n", "a\nb\n"), "line 2\n+ b");
    }
}
