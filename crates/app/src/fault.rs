//! Points at which a test may kill or hold this process, to prove that what it was doing is resumed or undone. Only in
//! builds for tests: in a release build there is no such point.

/// Kills this process, as SIGKILL does, where `AMBIT_KILL_AT` names the point; where `AMBIT_HOLD_AT` does, stops it, as SIGSTOP
/// does, until a SIGCONT, once.
#[cfg(debug_assertions)]
pub(crate) fn point(name: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    let is_at = |variable: &str| std::env::var(variable).is_ok_and(|at| at == name);
    if is_at("AMBIT_KILL_AT") {
        let _ = kill_process(getpid(), Signal::KILL);
        // The signal ends every thread; this one only has to get no further.
        std::thread::park();
    }
    static HELD: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    if is_at("AMBIT_HOLD_AT") && !HELD.swap(true, std::sync::atomic::Ordering::Relaxed) {
        let _ = kill_process(getpid(), Signal::STOP);
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn point(_: &str) {}
