//! Points at which a test may kill this process, to prove that what it was doing is resumed or undone. Only in builds for
//! tests: in a release build there is no such point.

/// Kills this process, as SIGKILL does, where `AMBIT_KILL_AT` names the point.
#[cfg(debug_assertions)]
pub(crate) fn point(name: &str) {
    if std::env::var("AMBIT_KILL_AT").is_ok_and(|at| at == name) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal ends every thread; this one only has to get no further.
        std::thread::park();
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn point(_: &str) {}
