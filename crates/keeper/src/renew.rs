//! A keeper that takes on a newer program without letting go of what it holds: it executes the program's file in its own
//! place.
//!
//! Process id, children, blocked and pending signals and the duty to adopt orphans survive that (execve(2)), so the held
//! process notices nothing and its exit is still this keeper's to collect. The lock and the output pipe stay open, and what
//! is known only in memory goes over in a file without a name. Where the file cannot be executed, nothing has changed.

use std::{
    convert::Infallible,
    ffi::{CString, OsStr, OsString},
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::{
        fd::{AsRawFd, FromRawFd, RawFd},
        unix::{ffi::OsStringExt, fs::MetadataExt},
    },
    path::Path,
    time::Duration,
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    io::{FdFlags, fcntl_setfd},
};
use serde::{Deserialize, Serialize};

use crate::record::State;

/// Names the descriptor of the note to the program that is executed.
const VARIABLE: &str = "AMBIT_KEEPER_RENEWED";

/// What is known only in memory.
#[derive(Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) state: State,
    /// The beginning of a line whose end has not come yet.
    pub(crate) pending: Vec<u8>,
    pub(crate) pause: Duration,
    pub(crate) resume_in: Option<Duration>,
}

#[derive(Serialize, Deserialize)]
struct Note {
    lock: RawFd,
    pipe: RawFd,
    memory: Memory,
}

/// What a keeper finds that was executed by the keeper it was before.
pub(crate) struct Renewed {
    pub(crate) lock: File,
    pub(crate) pipe: File,
    pub(crate) memory: Memory,
}

/// Executes the program with the arguments that this one was started with. Returns only if that fails, and then everything
/// is as before.
pub(crate) fn execute(program: &Path, lock: &File, pipe: &File, memory: Memory) -> io::Error {
    let inherit = |inherited: bool| {
        let flags = if inherited { FdFlags::empty() } else { FdFlags::CLOEXEC };
        fcntl_setfd(lock, flags).and_then(|()| fcntl_setfd(pipe, flags))
    };
    let attempt = || -> io::Result<Infallible> {
        let note = Note { lock: lock.as_raw_fd(), pipe: pipe.as_raw_fd(), memory };
        let mut file = File::from(memfd_create("renewed", MemfdFlags::empty())?);
        file.write_all(&serde_json::to_vec(&note)?)?;
        let arguments = std::iter::once(program.as_os_str().to_owned()).chain(std::env::args_os().skip(1));
        let arguments: Vec<CString> = arguments.map(c_string).collect::<io::Result<_>>()?;
        let mut variables: Vec<CString> = std::env::vars_os()
            .filter(|(name, _)| name != VARIABLE)
            .map(|(name, value)| c_string(assignment(&name, &value)))
            .collect::<io::Result<_>>()?;
        variables.push(c_string(assignment(VARIABLE.as_ref(), file.as_raw_fd().to_string().as_ref()))?);
        inherit(true)?;
        // Not std's `exec`: that would unblock the signals, and one that waits would end the keeper.
        Ok(nix::unistd::execve(&c_string(program.as_os_str().to_owned())?, &arguments, &variables)?)
    };
    let Err(error) = attempt();
    // A descriptor that is inherited too widely would keep the lock held: the keeper's own end says so soon enough.
    let _ = inherit(false);
    error
}

fn assignment(name: &OsStr, value: &OsStr) -> OsString {
    let mut text = name.to_owned();
    text.push("=");
    text.push(value);
    text
}

fn c_string(text: OsString) -> io::Result<CString> {
    Ok(CString::new(text.into_vec())?)
}

/// What the keeper that this one was before has left; `None` for one that was started afresh.
pub(crate) fn take(folder: &Path) -> Option<Renewed> {
    let descriptor = std::env::var(VARIABLE).ok()?.parse().ok()?;
    let mut text = Vec::new();
    let mut file = adopt(descriptor);
    file.rewind().and_then(|()| file.read_to_end(&mut text)).ok()?;
    let Note { lock, pipe, memory } = serde_json::from_slice(&text).ok()?;
    let (lock, pipe) = (adopt(lock), adopt(pipe));
    let same = |file: &File, name: &str| match (file.metadata(), fs::metadata(folder.join(name))) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    };
    if !same(&lock, "lock") || !same(&pipe, "output") {
        return None;
    }
    // What is started from now on does not get them.
    fcntl_setfd(&lock, FdFlags::CLOEXEC).and_then(|()| fcntl_setfd(&pipe, FdFlags::CLOEXEC)).ok()?;
    Some(Renewed { lock, pipe, memory })
}

#[allow(unsafe_code)]
fn adopt(descriptor: RawFd) -> File {
    // SAFETY: the program that executed this one left the descriptor open for it and told it the number; nothing else in this
    // process knows it, since the keeper looks for it before it opens anything.
    unsafe { File::from_raw_fd(descriptor) }
}
