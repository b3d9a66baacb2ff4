//! Keepers that take on another program while they hold a process.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use ambit_keeper::{Exit, Once, Phase, client};
use nix::sys::signal::Signal;
use support::{Record, program, signal, until};

/// The same program in another file, as an upgrade leaves it.
fn newer(record: &Record, name: &str) -> PathBuf {
    let file = record.path().join(name);
    // By another process: what this one has open for writing, a process that is just being started would have open too, and
    // what is open for writing cannot be executed.
    assert!(Command::new("cp").args([&program(), &file]).status().unwrap().success());
    file
}

/// Says so when it goes, also with a test that fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn no_line_is_lost_the_process_notices_nothing_and_its_exit_is_told() {
    // Lines come in two halves, so that some of them are half read when the keeper changes.
    let line = "i=0; until [ -e go ]; do printf 'line '; echo $i; i=$((i+1)); done; echo $i > last; exit 5";
    let record = Record::start(line, Some(Once { seconds: None }));
    let (held, keeper) = (record.held(), record.keeper());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watched = scope.spawn(|| {
            let mut looks = 0;
            while !over.load(Ordering::Relaxed) {
                assert_eq!(client::keeper(record.path()), Some(keeper), "the record has its keeper all the time");
                looks += 1;
            }
            looks
        });
        let stop = Over(&over);
        for n in 1..=20 {
            let program = newer(&record, &n.to_string());
            assert!(!client::is_of(record.path(), &program));
            assert!(client::renew(&program, record.path()).unwrap());
            assert!(client::is_of(record.path(), &program));
            assert_eq!(record.state().unwrap().renewals, n);
            assert_eq!(record.held(), held);
        }
        drop(stop);
        assert!(watched.join().unwrap() > 100);
    });
    fs::write(record.path().join("go"), "").unwrap();
    assert_eq!(client::wait(&program(), record.path()).unwrap(), Some(Exit::Code(5)));
    let last: usize = record.file("last").unwrap().trim().parse().unwrap();
    let mut expected: Vec<String> = (0..last).map(|i| format!("line {i}")).collect();
    expected.push("[ambit] exited with status 5".into());
    let log = record.log();
    // Files that are put aside for good take the oldest lines with them.
    assert!(log.len() > 1000 && expected.ends_with(&log), "{last} lines, {} in the log", log.len());
}

#[test]
fn what_ends_while_the_keeper_changes_is_told_exactly_with_its_last_words() {
    for n in 0..20 {
        let line = "until [ -e go ]; do :; done; printf 'last words'; exit 6";
        let record = Record::start(line, Some(Once { seconds: None }));
        record.held();
        thread::scope(|scope| {
            scope.spawn(|| {
                let at = Instant::now() + Duration::from_micros(n * 300);
                while Instant::now() < at {
                    std::hint::spin_loop();
                }
                fs::write(record.path().join("go"), "").unwrap();
            });
            // It may have ended before.
            client::renew(&program(), record.path()).unwrap();
        });
        assert_eq!(client::wait(&program(), record.path()).unwrap(), Some(Exit::Code(6)));
        assert_eq!(record.log(), ["last words", "[ambit] exited with status 6"]);
    }
}

#[test]
fn a_keeper_that_cannot_execute_the_program_stays_as_it_was() {
    let record = Record::start("trap 'echo stopping' TERM; while :; do sleep 0.01; done", None);
    let (held, keeper) = (record.held(), record.keeper());
    fs::write(record.path().join("no program"), "no program").unwrap();
    for missing in ["/nonexistent/ambit".into(), record.path().join("no program")] {
        let error = client::renew(&missing, record.path()).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(&*missing.to_string_lossy()), "{cause}");
        assert_eq!((record.keeper(), record.held()), (keeper, held));
    }
    // It still knows its duties, also the one that failed.
    assert!(client::renew(&newer(&record, "newer"), record.path()).unwrap());
    signal(held, Signal::SIGKILL);
    until("it is started again", || record.state().unwrap().held.is_some_and(|h| h.pid != held));
    assert_eq!(record.state().unwrap().last_exit, Some(Exit::Signal(9)));
    client::stop(&program(), record.path()).unwrap();
    assert_eq!(record.processes(), 0);
    assert!(!client::renew(&program(), record.path()).unwrap(), "nobody is left to do it");
}

#[test]
fn a_pause_between_two_starts_goes_on() {
    let record = Record::start("echo started >> starts; exit 1", None);
    until("it pauses for longer", || record.state().is_some_and(|s| s.restarts >= 4 && s.phase == Phase::Pausing));
    let starts = record.file("starts").unwrap().lines().count();
    assert!(client::renew(&program(), record.path()).unwrap());
    assert_eq!(record.state().unwrap().phase, Phase::Pausing);
    assert_eq!(record.file("starts").unwrap().lines().count(), starts, "it is not started before its time");
    until("it is started when its time has come", || record.file("starts").unwrap().lines().count() > starts);
}
