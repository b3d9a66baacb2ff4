//! `ambit ssh`: who may push and approve from elsewhere, and what happens when their key comes in.

mod request;

use std::{
    fs,
    io::{Read, Write},
    os::unix::{
        fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use ambit_app::Ambit;
use ambit_domain::{DeploymentId, Failure, FailureKind, audit::Note, spec::ProjectName};
use ambit_source::{detect::quote, remote::Hooks};

use self::request::Request;
use super::print_json;
use crate::{context, screen::Paint};

/// Types of keys that OpenSSH takes (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
const TYPES: [&str; 7] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
];

/// A public key as it stands in a `.pub` file.
#[derive(Debug)]
struct Key {
    kind: String,
    body: String,
}

pub(crate) fn add_key(folder: Option<&Path>, name: &str, write: bool, json: bool) -> Result<ExitCode, Failure> {
    check_name(name)?;
    let mut text = String::new();
    std::io::stdin().take(64 << 10).read_to_string(&mut text).map_err(|e| machine("no key could be read", &e))?;
    let key = read_key(&text)?;
    let line = line(&key, name)?;
    let file = authorized_keys()?;
    let written = write.then(|| append(&file, &key, &line)).transpose()?;
    if written == Some(true) {
        // A machine's key belongs to no project; the one in whose folder it was added keeps the record.
        if let Some(folder) = folder {
            let actor = context::actor(folder);
            let note = Note::new(&actor, &context::project(folder)?, "ssh.key-added").about("name", name);
            context::ambit()?.note(note)?;
        }
    }
    if json {
        print_json(&serde_json::json!({ "line": line, "file": file, "written": written }));
        return Ok(ExitCode::SUCCESS);
    }
    let paint = Paint::stdout();
    match written {
        None => println!("{line}"),
        Some(true) => println!("{} {name} may push and approve; see {}", paint.good("✓"), file.display()),
        Some(false) => println!("{} {name} is in {} already", paint.good("✓"), file.display()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The name becomes a word of a command and the actor in the record.
fn check_name(name: &str) -> Result<(), Failure> {
    let good = |c: char| c.is_ascii_alphanumeric() || "@._+-".contains(c);
    if (1..=100).contains(&name.len()) && name.chars().all(good) && !name.starts_with('-') {
        return Ok(());
    }
    Err(Failure::new(FailureKind::User, format!("`{}` is no name for a key", name.escape_debug()))
        .hint("use an e-mail address or a handle, as approvers are named in ambit.toml"))
}

fn read_key(text: &str) -> Result<Key, Failure> {
    let wrong = |why: &str| {
        Err(Failure::new(FailureKind::User, "that is no public key of SSH")
            .because(why)
            .hint("ambit ssh key add --name ana@kaia.ai < ~/.ssh/id_ed25519.pub"))
    };
    if text.contains("PRIVATE KEY") {
        return wrong("it is the private half, which stays where it is");
    }
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let (Some(line), None) = (lines.next(), lines.next()) else { return wrong("one line is expected") };
    let mut words = line.split_ascii_whitespace();
    let (Some(kind), Some(body)) = (words.next(), words.next()) else { return wrong("it has no body") };
    if !TYPES.contains(&kind) {
        return wrong("its type is not known");
    }
    // The body begins with the length of the type and the type itself (RFC 4253, section 6.6), so its first digits follow.
    let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    if !body.starts_with("AAAA") || body.len() < 40 || !body.len().is_multiple_of(4) || !body.chars().all(base64) {
        return wrong("its body is not base64");
    }
    Ok(Key { kind: kind.to_owned(), body: body.to_owned() })
}

/// A line of authorized_keys: the key runs `ssh serve` and nothing else.
fn line(key: &Key, name: &str) -> Result<String, Failure> {
    let (program, home) = (context::surroundings()?.program, context::home()?);
    let (program, home) = (program.to_string_lossy().into_owned(), home.root().to_string_lossy().into_owned());
    if [&program, &home].iter().any(|path| path.contains(char::is_control)) {
        return Err(Failure::new(
            FailureKind::Machine,
            "a path with control characters cannot stand in authorized_keys",
        ));
    }
    let command = format!("AMBIT_HOME={} {} ssh serve --as {name}", quote(&home), quote(&program));
    Ok(format!("command=\"{}\",restrict {} {} {name}", command.replace('"', "\\\""), key.kind, key.body))
}

fn authorized_keys() -> Result<PathBuf, Failure> {
    let home = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|u| u.dir);
    let home = std::env::var_os("HOME").map(PathBuf::from).or(home);
    home.map(|h| h.join(".ssh/authorized_keys")).ok_or_else(|| Failure::new(FailureKind::User, "HOME is not set"))
}

/// Adds the line; `false` where it is there. A key that comes in by another line is not touched: sshd takes the first line
/// of a key, and the limits of the second would not hold.
fn append(file: &Path, key: &Key, line: &str) -> Result<bool, Failure> {
    let failed = |e: &std::io::Error| machine(&format!("cannot write {}", file.display()), e);
    if let Some(folder) = file.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| failed(&e))?;
    }
    let before = match fs::read_to_string(file) {
        Ok(before) => before,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(&error)),
    };
    let holds = |l: &&str| !l.trim_start().starts_with('#') && l.split_ascii_whitespace().any(|w| w == key.body);
    if let Some(old) = before.lines().find(holds) {
        if old == line {
            return Ok(false);
        }
        return Err(Failure::new(FailureKind::User, format!("the key is in {} already", file.display()))
            .because("sshd takes the first line of a key, and that one allows something else")
            .hint("remove that line first"));
    }
    let mut open = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(file).map_err(|e| failed(&e))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).map_err(|e| failed(&e))?;
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    open.write_all(format!("{gap}{line}\n").as_bytes()).and_then(|()| open.sync_all()).map_err(|e| failed(&e))?;
    Ok(true)
}

fn machine(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Machine, what).because(error.to_string())
}

/// What sshd runs for a key (sshd(8), `command=`): the command of the caller is read, never run.
pub(crate) fn serve(name: &str) -> Result<ExitCode, Failure> {
    check_name(name)?;
    let asked = std::env::var("SSH_ORIGINAL_COMMAND").unwrap_or_default();
    let Some(request) = request::read(&asked) else {
        let asked: String = asked.chars().take(200).collect();
        let message = if asked.is_empty() {
            format!("{name} is known here; there is no shell")
        } else {
            format!("`{}` is not allowed over SSH", asked.escape_debug())
        };
        return Err(Failure::new(FailureKind::User, message).hint(
            "git push, git fetch, status, deployments, deployment ENV COMMIT, gates ENV, approve N --reason WHY, reject N --reason WHY",
        ));
    };
    let ambit = context::ambit()?;
    let own = |arguments: Vec<String>, project: &ProjectName| {
        let folder = ambit.project_folder(project)?;
        let mut command = Command::new(context::surroundings()?.program);
        command.arg("-C").arg(folder).args(arguments);
        Ok::<_, Failure>(command)
    };
    let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let mut command = match request {
        Request::Receive(project) => git(&ambit, "receive-pack", &project)?,
        Request::Upload(project) => git(&ambit, "upload-pack", &project)?,
        Request::Status(project) => own(words(&["status"]), &one_project(&ambit, project)?)?,
        Request::Deployments(project) => own(words(&["deployments"]), &one_project(&ambit, project)?)?,
        Request::Deployment(project, environment, commit) => {
            let follow = ["--json", "deployment", "follow", &commit, "--env", environment.as_str()];
            own(words(&follow), &one_project(&ambit, project)?)?
        }
        Request::Gates(project, environment) => {
            own(words(&["gates", environment.as_str()]), &one_project(&ambit, project)?)?
        }
        Request::Approve(number, reason) => {
            let project = ambit.deployment(DeploymentId(number))?.deployment.environment.project;
            own(words(&["approve", &number.to_string(), &format!("--reason={reason}")]), &project)?
        }
        Request::Reject(number, reason) => {
            let project = ambit.deployment(DeploymentId(number))?.deployment.environment.project;
            own(words(&["reject", &number.to_string(), &format!("--reason={reason}")]), &project)?
        }
    };
    for (variable, _) in std::env::vars_os().filter(|(n, _)| n.as_encoded_bytes().starts_with(b"GIT_")) {
        command.env_remove(variable);
    }
    let error = command.env("AMBIT_USER", name).env("AMBIT_FROM", "ssh").exec();
    Err(machine("the command could not be started", &error))
}

fn git(ambit: &Ambit, what: &str, project: &ProjectName) -> Result<Command, Failure> {
    let repository = ambit.home().repository(project);
    if !Hooks::are_in(&repository) {
        return Err(Failure::new(FailureKind::NotFound, format!("there is no remote of a project `{project}` here"))
            .hint("ambit remote add, in the project's folder on that machine"));
    }
    let mut command = Command::new("git");
    command.arg(what).arg(repository);
    Ok(command)
}

/// The project that was named, or the only one that there is.
fn one_project(ambit: &Ambit, named: Option<ProjectName>) -> Result<ProjectName, Failure> {
    if let Some(named) = named {
        return Ok(named);
    }
    let all = ambit.projects()?;
    match all.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::new(FailureKind::NotFound, "there is no project on this machine")),
        many => {
            let names: Vec<&str> = many.iter().map(ProjectName::as_str).collect();
            Err(Failure::new(FailureKind::User, "there are several projects on this machine")
                .hint(format!("name one: {}", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIHJ0c2Zrc2RqZmtzZGpma3NkamZrc2RqZmtzZGpma3Nk";

    #[test]
    fn a_key_is_added_once_and_never_beside_a_line_that_allows_more() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".ssh/authorized_keys");
        let key = read_key(&format!("ssh-ed25519 {BODY} ana@laptop\n")).unwrap();
        let line = line(&key, "ana@kaia.ai").unwrap();
        assert!(line.starts_with("command=\"") && line.contains(",restrict ssh-ed25519 "), "{line}");
        assert!(append(&file, &key, &line).unwrap());
        assert!(!append(&file, &key, &line).unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{line}\n"));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, format!("ssh-ed25519 {BODY} ana")).unwrap();
        assert!(append(&file, &key, &line).is_err(), "the first line would let her have a shell");
    }

    #[test]
    fn only_a_public_key_is_taken_and_only_a_plain_name() {
        for bad in [
            String::new(),
            "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(),
            format!("ssh-dss {BODY}"),
            "ssh-ed25519".to_owned(),
            "ssh-ed25519 AAAA\"x".to_owned(),
            format!("command=\"sh\" ssh-ed25519 {BODY}"),
            format!("ssh-ed25519 {BODY}\nssh-ed25519 {BODY}"),
        ] {
            assert!(read_key(&bad).is_err(), "{bad}");
        }
        for bad in ["", "-x", "ana b", "ana\"", "ana'", "a;id", "$(id)", "a\nb"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert!(check_name("ana+kaia@kaia.ai").is_ok());
    }
}
