//! Processes that run once: how their end is told, whatever happens to their keeper meanwhile.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use ambit_keeper::{Exit, Once, Phase, State, Wanted, client};
use nix::sys::signal::Signal;
use support::{Record, program, signal, until};

const ONCE: Option<Once> = Some(Once { seconds: None });

fn wait(record: &Record) -> Exit {
    client::wait(&program(), record.path()).unwrap().unwrap()
}

#[test]
fn its_exit_is_told_its_output_kept_and_it_is_not_started_again() {
    for (line, exit) in [
        ("echo ran >> runs; printf 'last words'", Exit::Code(0)),
        ("echo ran >> runs; printf 'last words'; exit 7", Exit::Code(7)),
        ("echo ran >> runs; printf 'last words'; kill -9 $$", Exit::Signal(9)),
    ] {
        let record = Record::start(line, ONCE);
        assert_eq!(wait(&record), exit);
        let State { phase, last_exit, held, .. } = record.state().unwrap();
        assert_eq!((phase, last_exit, held), (Phase::Ended, Some(exit.clone()), None));
        assert_eq!(client::wanted(record.path()), Wanted::Stopped, "nobody revives it");
        assert_eq!(client::ended(record.path()).unwrap(), Some(exit.clone()));
        assert_eq!(record.log(), ["last words".to_owned(), format!("[ambit] {exit}")]);
        // A keeper that is started on it all the same finds that it has ended.
        client::ensure(&program(), record.path()).unwrap();
        assert_eq!(wait(&record), exit);
        assert_eq!(record.file("runs").unwrap(), "ran\n");
    }
}

#[test]
fn what_cannot_be_started_has_ended_too() {
    let record = Record::write("", ONCE);
    let mut spec = record.spec("", ONCE);
    spec.program = "/nonexistent/program".into();
    client::write_spec(record.path(), &spec).unwrap();
    let exit = wait(&record);
    assert!(matches!(&exit, Exit::NotStarted(why) if why.contains("/nonexistent/program")), "{exit}");
}

#[test]
fn written_anew_it_runs_anew() {
    let record = Record::start("echo first >> runs", ONCE);
    assert_eq!(wait(&record), Exit::Code(0));
    client::write_spec(record.path(), &record.spec("echo second >> runs; exit 2", ONCE)).unwrap();
    assert_eq!(client::ended(record.path()).unwrap(), None);
    assert_eq!(wait(&record), Exit::Code(2));
    assert_eq!(record.file("runs").unwrap(), "first\nsecond\n");
}

#[test]
fn what_is_waited_for_and_who_waits_may_be_different_processes() {
    let record = Record::start("until [ -e go ]; do sleep 0.01; done; exit 3", ONCE);
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| wait(&record))).collect();
        record.held();
        assert_eq!(client::ended(record.path()).unwrap(), None);
        fs::write(record.path().join("go"), "").unwrap();
        for waited in waiting {
            assert_eq!(waited.join().unwrap(), Exit::Code(3));
        }
    });
}

#[test]
fn after_its_keeper_was_killed_another_finds_it_and_notes_its_end() {
    let record = Record::start("echo ran >> runs; until [ -e go ]; do sleep 0.01; done; echo done >> runs", ONCE);
    let held = record.held();
    record.kill_keeper();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(&record));
        until("another keeper has it", || client::keeper(record.path()).is_some());
        until("it found it", || record.log().iter().any(|l| l.contains(&format!("found again: process {held}"))));
        fs::write(record.path().join("go"), "").unwrap();
        // It is not the second keeper's child: nobody can tell its status.
        assert_eq!(waiting.join().unwrap(), Exit::Unknown);
    });
    assert_eq!(record.file("runs").unwrap(), "ran\ndone\n");
}

#[test]
fn what_ended_while_nobody_held_it_is_not_run_again_and_what_it_left_is_ended() {
    let line = "echo ran >> runs; setsid sleep 1000 & until [ -e go ]; do sleep 0.01; done";
    let record = Record::start(line, ONCE);
    let held = record.held();
    record.kill_keeper();
    fs::write(record.path().join("go"), "").unwrap();
    until("it has ended", || fs::read(format!("/proc/{held}/cmdline")).is_ok_and(|c| c.is_empty()) || !exists(held));
    assert!(record.processes() > 0, "what it left behind lives");
    assert_eq!(wait(&record), Exit::Unknown);
    assert_eq!(record.file("runs").unwrap(), "ran\n");
    assert_eq!(record.processes(), 0);
}

fn exists(pid: u32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap()
}

#[test]
fn a_keeper_killed_around_the_start_lets_it_run_at_most_once() {
    for n in 0..20 {
        let record = Record::write("echo ran >> runs; exit 4", ONCE);
        client::spawn(&program(), record.path()).unwrap();
        // Somewhere between nothing and everything.
        let at = Instant::now() + Duration::from_micros(n * 700);
        while Instant::now() < at {
            std::hint::spin_loop();
        }
        if let Some(keeper) = client::keeper(record.path()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(keeper.cast_signed()), Signal::SIGKILL);
        }
        let exit = wait(&record);
        assert!(matches!(exit, Exit::Code(4) | Exit::Unknown), "{exit}");
        let runs = record.file("runs").unwrap_or_default();
        assert!(runs == "ran\n" || runs.is_empty() && exit == Exit::Unknown, "{runs:?} {exit}");
    }
}

#[test]
fn its_end_is_the_end_of_everything_that_it_started() {
    let line = "setsid sh -c 'sleep 1000 & sleep 1000' & (sleep 1000 &) ; sleep 1000 & exit 0";
    let record = Record::start(line, ONCE);
    assert_eq!(wait(&record), Exit::Code(0));
    assert_eq!(record.processes(), 0);
}

#[test]
fn over_its_time_it_is_ended_with_everything_that_it_started() {
    let line = "trap '' TERM; setsid sleep 1000 & echo begun; while :; do sleep 0.05; done";
    let record = Record::start(line, Some(Once { seconds: Some(1) }));
    assert_eq!(wait(&record), Exit::TimeLimit(1));
    assert_eq!(record.processes(), 0);
    assert_eq!(record.log(), ["begun", "[ambit] took longer than 1 s and was ended"]);
}

#[test]
fn its_time_goes_on_while_its_keeper_is_replaced() {
    let begun = Instant::now();
    let record = Record::start("exec sleep 1000", Some(Once { seconds: Some(3) }));
    record.held();
    thread::sleep(Duration::from_millis(1500));
    record.kill_keeper();
    assert_eq!(wait(&record), Exit::TimeLimit(3));
    assert!(begun.elapsed() < Duration::from_millis(4400), "{:?}", begun.elapsed());
}

#[test]
fn it_can_be_stopped() {
    let record = Record::start("setsid sleep 1000 & exec sleep 1000", ONCE);
    record.held();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(&record));
        client::stop(&program(), record.path()).unwrap();
        assert_eq!(waiting.join().unwrap(), Exit::Stopped);
    });
    assert_eq!(record.processes(), 0);

    // Also where its keeper was killed; and what was stopped before it began never begins.
    let record = Record::start("exec sleep 1000", ONCE);
    record.held();
    record.kill_keeper();
    client::stop(&program(), record.path()).unwrap();
    assert_eq!((wait(&record), record.processes()), (Exit::Stopped, 0));
    let record = Record::write("echo ran >> runs", ONCE);
    client::stop(&program(), record.path()).unwrap();
    assert_eq!((wait(&record), record.file("runs")), (Exit::Stopped, None));
}

#[test]
fn a_record_of_the_format_before_holds_a_process_that_is_started_again() {
    let record = Record::write("echo ran; sleep 1000", None);
    let spec = record.file("spec.json").unwrap();
    let old = spec.replace("\"format\":2", "\"format\":1").replace(",\"once\":null", "");
    assert!(old != spec && !old.contains("once"), "{old}");
    fs::write(record.path().join("spec.json"), old).unwrap();
    assert_eq!(client::read_spec(record.path()).unwrap().unwrap().once, None);
    client::ensure(&program(), record.path()).unwrap();
    let first = record.held();
    signal(first, Signal::SIGKILL);
    until("it is started again", || record.state().unwrap().held.is_some_and(|h| h.pid != first));
    assert_eq!(client::ended(record.path()).unwrap(), None);
}
