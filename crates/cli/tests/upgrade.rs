//! `ambit upgrade` as a person uses it: a newer file is put in the place of the program, and what runs becomes it.

#![allow(clippy::unwrap_used, reason = "also in what the tests share")]

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use support::Machine;

/// Puts the program where a person has it installed, as a package manager does: a new file, renamed over the old one.
fn install(folder: &Path) -> PathBuf {
    let (new, program) = (folder.join("ambit.new"), folder.join("ambit"));
    let copied = Command::new("cp").args([Path::new(env!("CARGO_BIN_EXE_ambit")), &new]).status().unwrap();
    assert!(copied.success());
    std::fs::rename(&new, &program).unwrap();
    program
}

fn run(machine: &Machine, program: &Path, project: &Path, arguments: &[&str]) -> String {
    let like = machine.command(project, &[]);
    let mut command = Command::new(program);
    command.args(arguments).current_dir(project).env_remove("AMBIT_KEY");
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "ambit {arguments:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// The processes of the program in a folder: whether each is the file that lies there now, and how it was started.
fn processes(program: &Path) -> Vec<(bool, u32, String)> {
    let installed = std::fs::metadata(program).unwrap();
    let name = format!("{}\0", program.display());
    let mut found: Vec<_> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let line = String::from_utf8(std::fs::read(path.join("cmdline")).ok()?).ok()?;
            let pid = path.file_name()?.to_str()?.parse().ok()?;
            let file = line.starts_with(&name).then(|| std::fs::metadata(path.join("exe")))?.ok()?;
            Some((file.ino() == installed.ino(), pid, line.split('\0').nth(1)?.to_owned()))
        })
        .collect();
    found.sort();
    found
}

/// One client that keeps its connection while it may, and counts.
fn client(port: u16, stop: &AtomicBool) -> usize {
    let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut socket, mut answered) = (connect(), 0);
    while !stop.load(Ordering::Relaxed) {
        socket.write_all(b"GET / HTTP/1.1\r\nHost: dev.renew.localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"the page") {
            let mut buffer = [0; 4096];
            let n = socket.read(&mut buffer).unwrap();
            assert!(n > 0, "closed instead of answered: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..n]);
        }
        answered += 1;
        if String::from_utf8_lossy(&answer).to_lowercase().contains("connection: close") {
            socket = connect();
        }
    }
    answered
}

#[test]
fn everything_becomes_the_program_that_was_installed_and_no_request_fails() {
    let mut machine = Machine::new();
    let project = machine.project("renew", &["dev"]);
    std::fs::create_dir(project.join("web")).unwrap();
    std::fs::write(project.join("web/index.html"), "the page").unwrap();
    let toml = "project = \"renew\"\n[services.web]\nstatic = \"web\"\nurl = \"dev.renew.localhost\"\n\
         [services.worker]\nkind = \"worker\"\nrun = \"exec sleep 1000\"\n[environments.dev]\n";
    std::fs::write(project.join("ambit.toml"), toml).unwrap();
    let bin = machine.folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let program = install(&bin);
    run(&machine, &program, &project, &["up", "--listen", &format!("127.0.0.1:{}", machine.port)]);
    let before = processes(&program);
    let kinds = |all: &[(bool, u32, String)]| {
        let mut kinds: Vec<_> = all.iter().map(|(_, _, kind)| kind.clone()).collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(&before), ["daemon", "keeper", "keeper", "proxy"]);
    let said = run(&machine, &program, &project, &["upgrade"]);
    assert!(said.contains("of this program already") && processes(&program) == before, "{said}");

    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (port, stop) = (machine.port, Arc::clone(&stop));
            thread::spawn(move || client(port, &stop))
        })
        .collect();
    install(&bin);
    let said = run(&machine, &program, &project, &["upgrade", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said[said.find("{\n").unwrap()..]).unwrap();
    assert_eq!((&report["daemon"], &report["proxy"]), (&"replaced".into(), &"replaced".into()), "{said}");
    assert_eq!(report["keepers"]["failed"], serde_json::json!([]));
    run(&machine, &program, &project, &["upgrade", "--force"]);
    thread::sleep(Duration::from_millis(200));
    stop.store(true, Ordering::Relaxed);
    let answered: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert!(answered > 100, "{answered}");

    support::until("the proxies before have finished", || kinds(&processes(&program)).len() == 4);
    let after = processes(&program);
    assert!(after.iter().all(|(current, ..)| *current), "{after:?}");
    assert_eq!(kinds(&after), ["daemon", "keeper", "keeper", "proxy"]);
    let keepers = |all: &[(bool, u32, String)]| {
        all.iter().filter(|(.., kind)| kind == "keeper").map(|(_, pid, _)| *pid).collect::<Vec<_>>()
    };
    assert!(
        keepers(&after).iter().any(|pid| keepers(&before).contains(pid)),
        "the worker's keeper is the same process"
    );
    run(&machine, &program, &project, &["down"]);
    support::until("nothing of it runs any more", || processes(&program).is_empty());
}
