//! Processes that may end, because another does their work now.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::fs;

use ambit_keeper::{Exit, Phase, Wanted, client};
use nix::sys::signal::Signal;
use support::{Record, program, signal, until};

const LINE: &str = "echo ran >> runs; until [ -e go ]; do sleep 0.01; done; exit 3";

fn end(record: &Record) {
    fs::write(record.path().join("go"), "").unwrap();
}

fn has_ended(record: &Record, exit: &Exit) {
    until("its keeper has ended", || client::keeper(record.path()).is_none());
    let state = record.state().unwrap();
    assert_eq!((state.phase, state.last_exit.as_ref()), (Phase::Ended, Some(exit)));
    assert_eq!(client::wanted(record.path()), Wanted::Stopped);
    assert_eq!((record.file("runs").unwrap().as_str(), record.processes()), ("ran\n", 0));
}

#[test]
fn it_is_held_until_it_ends_and_not_started_again() {
    let record = Record::start(LINE, None);
    let held = record.held();
    client::let_end(record.path()).unwrap();
    // Also by a keeper that follows one that was killed, and that takes on a newer program.
    record.kill_keeper();
    client::ensure(&program(), record.path()).unwrap();
    until("it is found again", || record.log().iter().any(|l| l.contains("found again")));
    assert!(client::renew(&program(), record.path()).unwrap());
    assert_eq!(record.held(), held);
    end(&record);
    has_ended(&record, &Exit::Unknown);

    let record = Record::start(LINE, None);
    record.held();
    client::let_end(record.path()).unwrap();
    end(&record);
    has_ended(&record, &Exit::Code(3));
}

#[test]
fn what_ended_unseen_or_pauses_is_not_started_again_either() {
    let record = Record::start(LINE, None);
    let held = record.held();
    record.kill_keeper();
    signal(held, Signal::SIGKILL);
    client::let_end(record.path()).unwrap();
    client::ensure(&program(), record.path()).unwrap();
    has_ended(&record, &Exit::Unknown);

    let record = Record::start("exit 4", None);
    until("it pauses", || record.state().is_some_and(|s| s.phase == Phase::Pausing));
    client::let_end(record.path()).unwrap();
    until("its keeper has ended", || client::keeper(record.path()).is_none());
    assert_eq!(record.state().unwrap().last_exit, Some(Exit::Code(4)));
}

#[test]
fn it_can_be_kept_after_all() {
    let record = Record::start(LINE, None);
    let first = record.held();
    client::let_end(record.path()).unwrap();
    client::keep(&program(), record.path()).unwrap();
    signal(first, Signal::SIGKILL);
    until("it is started again", || record.state().unwrap().held.is_some_and(|h| h.pid != first));

    client::let_end(record.path()).unwrap();
    end(&record);
    until("its keeper has ended", || client::keeper(record.path()).is_none());
    fs::remove_file(record.path().join("go")).unwrap();
    client::keep(&program(), record.path()).unwrap();
    record.held();
}
