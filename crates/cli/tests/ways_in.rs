//! The ways in: a push to the remote, a key over SSH, what GitHub tells. With real git, a real sshd and the published
//! payloads.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may panic, and says where it is skipped.

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{
    Machine,
    deliveries::{Sent, sign},
    git,
    runner::{carry_out, step},
    until,
};

/// Where GitHub tells.
const HOOKS: &str = "hooks.shop.localhost";

const TOML: &str = "project = \"shop\"\n[environments.dev]\nbranch = \"develop\"\n[environments.test]\n\
    branch = \"staging\"\n[environments.prod]\ntag = \"v*\"\napprovers = [\"lead@example.org\", \"lead-at-github\"]\n\
    gates = []\nhotfix = \"hotfix/*\"\nhotfix-gates = []\nsoak = \"1s\"\n[services.web]\nstatic = \"web\"\n\
    url = { dev = \"dev.@\", test = \"test.@\", prod = \"@\" }\n[providers.github]\nrepository = \"shop/shop\"\n";

/// A machine on which another project runs already, and a project of which nothing runs yet.
struct Shop {
    machine: Machine,
    project: PathBuf,
}

impl Shop {
    fn new() -> Self {
        let mut machine = Machine::new();
        // It decides where the proxy listens, so that the project itself is never brought up by hand.
        let pages = machine.project("pages", &["dev"]);
        fs::write(pages.join("index.html"), "<p>pages</p>").unwrap();
        machine.ok(&pages, &["init"]);
        machine.up(&pages);
        let project = machine.project("shop", &["dev", "test", "prod"]);
        git(&project, &["init", "-q"]);
        git(&project, &["config", "user.email", "ana@example.org"]);
        git(&project, &["config", "user.name", "Ana"]);
        fs::write(project.join("ambit.toml"), TOML).unwrap();
        let shop = Self { machine, project };
        shop.commit("first");
        for branch in ["develop", "staging"] {
            git(&shop.project, &["branch", branch]);
        }
        shop
    }

    /// A commit on the branch that stands, whose page says its message.
    fn commit(&self, message: &str) -> String {
        fs::create_dir_all(self.project.join("web")).unwrap();
        fs::write(self.project.join("web/index.html"), format!("<p>{message}</p>")).unwrap();
        git(&self.project, &["add", "-A"]);
        git(&self.project, &["commit", "-q", "--allow-empty", "-m", message]);
        self.head("HEAD")
    }

    fn commit_on(&self, branch: &str, message: &str) -> String {
        git(&self.project, &["checkout", "-q", branch]);
        self.commit(message)
    }

    fn head(&self, word: &str) -> String {
        let output = Command::new("git").args(["rev-parse", word]).current_dir(&self.project).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn try_push(&self, arguments: &[&str]) -> Output {
        // A hook must not come by what the one who pushes has set for git.
        Command::new("git")
            .args(["push", "ambit"])
            .args(arguments)
            .current_dir(&self.project)
            .env("XDG_CONFIG_HOME", self.machine.folder.path().join("config"))
            .env("AMBIT_USER", "ana@example.org")
            .output()
            .unwrap()
    }

    /// What the one who pushes reads.
    fn push(&self, arguments: &[&str]) -> String {
        let output = self.try_push(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git push {arguments:?}: {said}");
        said
    }

    fn refused(&self, arguments: &[&str], why: &str) {
        let output = self.try_push(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "git push {arguments:?}: {said}");
    }

    fn says(&self, host: &str, wanted: &str) {
        let answer = self.machine.get(host, "/");
        assert!(answer.contains(&format!("<p>{wanted}</p>")), "{host} does not say {wanted}: {answer}");
    }

    fn deployments(&self, environment: &str) -> Vec<Value> {
        let text = self.machine.ok(&self.project, &["deployments", "-e", environment, "--json"]);
        serde_json::from_str(&text).unwrap()
    }

    /// The audit log's entries of one sort.
    fn noted(&self, what: &str) -> Vec<Value> {
        let text = self.machine.ok(&self.project, &["log", "--json", "-n", "500"]);
        let all: Vec<Value> = serde_json::from_str(&text).unwrap();
        all.into_iter().filter(|e| e["what"] == what).collect()
    }

    fn kept(&self) -> PathBuf {
        self.machine.folder.path().join("home/repositories/shop.git")
    }
}

#[test]
fn a_push_goes_to_the_environments_that_follow_it_and_a_tag_waits_for_a_yes() {
    let shop = Shop::new();
    let added: Value = serde_json::from_str(&shop.machine.ok(&shop.project, &["remote", "add", "--json"])).unwrap();
    assert!(added["ssh"].as_str().unwrap().ends_with("/shop.git") && added["changed"] == true, "{added}");
    let again: Value = serde_json::from_str(&shop.machine.ok(&shop.project, &["remote", "add", "--json"])).unwrap();
    assert_eq!(again["changed"], false);

    // Nothing of it ran before: the push brings the environment up.
    let one = shop.commit_on("develop", "one");
    let said = shop.push(&["develop"]);
    assert!(said.contains("is queued") && said.contains("is live in dev"), "{said}");
    shop.says("dev.shop.localhost", "one");
    let live = &shop.deployments("dev")[0];
    assert_eq!((live["commit"]["id"].as_str(), live["trigger"]["kind"].as_str()), (Some(one.as_str()), Some("push")));
    assert_eq!((live["actor"]["who"].as_str(), live["actor"]["from"].as_str()), (Some("ana@example.org"), Some("git")));

    // A daemon that died is started by the push, and takes nothing from it.
    let daemon = nix::unistd::Pid::from_raw(shop.machine.daemon().unwrap());
    nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGKILL).unwrap();
    git(&shop.project, &["checkout", "-q", "staging"]);
    git(&shop.project, &["merge", "-q", "develop"]);
    assert!(shop.push(&["staging"]).contains("is live in test"));
    shop.says("test.shop.localhost", "one");
    let environ = fs::read(format!("/proc/{}/environ", shop.machine.daemon().unwrap())).unwrap();
    let environ = String::from_utf8_lossy(&environ).into_owned();
    let leaked = environ.split('\0').find(|v| v.starts_with("GIT_") || v.starts_with("AMBIT_USER="));
    assert_eq!(leaked, None, "the push's own variables reached the daemon");

    git(&shop.project, &["checkout", "-q", "main"]);
    git(&shop.project, &["merge", "-q", "staging"]);
    git(&shop.project, &["tag", "v0.9.0", "main~1"]);
    git(&shop.project, &["tag", "-a", "-m", "first", "v1.0.0"]);
    let said = shop.push(&["main", "v0.9.0", "v1.0.0"]);
    assert!(said.contains("no environment follows it") && said.contains("v1.0.0 waits for a yes to prod"), "{said}");
    assert!(said.contains("a higher version came with the same push"), "{said}");
    assert_eq!(shop.deployments("prod").len(), 1);
    let waiting = shop.deployments("prod")[0].clone();
    assert_eq!((waiting["state"].as_str(), waiting["version"].as_str()), (Some("waiting"), Some("v1.0.0")));
    assert_eq!(waiting["release"], shop.deployments("test")[0]["release"], "nothing was built anew");
    let number = waiting["number"].to_string();
    let approve = |who: &str| {
        let mut command = shop.machine.command(&shop.project, &["approve", &number, "--reason", "tried"]);
        command.env("AMBIT_USER", who).output().unwrap()
    };
    assert!(!approve("eve@example.org").status.success(), "nobody named her");
    let approved = approve("lead@example.org");
    assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
    shop.says("shop.localhost", "one");

    let fix = {
        git(&shop.project, &["checkout", "-q", "-b", "hotfix/login"]);
        shop.commit("fixed")
    };
    assert!(shop.push(&["hotfix/login"]).contains("as a hotfix"));
    let hotfix = shop.deployments("prod")[0].clone();
    assert_eq!((hotfix["hotfix"].as_bool(), hotfix["commit"]["id"].as_str()), (Some(true), Some(fix.as_str())));

    let noted = shop.noted("push.received");
    assert!(noted.iter().all(|e| e["who"] == "ana@example.org" && e["from"] == "git"), "{noted:?}");
    assert_eq!(noted[0]["about"]["reference"], "refs/heads/develop");

    // The reference is in, and the hook was killed before it told: the daemon finds it by itself.
    let daemon = nix::unistd::Pid::from_raw(shop.machine.daemon().unwrap());
    nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGKILL).unwrap();
    let hook = shop.kept().join("hooks/post-receive");
    let (text, mode) = (fs::read(&hook).unwrap(), fs::Permissions::from_mode(0o700));
    fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    shop.commit_on("develop", "silent");
    shop.push(&["develop"]);
    fs::write(&hook, text).unwrap();
    fs::set_permissions(&hook, mode).unwrap();
    shop.machine.ok(&shop.project, &["remote", "add"]);
    until("it is live", || shop.machine.get("dev.shop.localhost", "/").contains("<p>silent</p>"));
    assert_eq!(shop.deployments("dev")[0]["actor"]["from"], "daemon");
}

#[test]
fn what_would_take_something_back_is_refused_and_what_deploys_nothing_says_so() {
    let shop = Shop::new();
    shop.machine.ok(&shop.project, &["remote", "add"]);
    shop.push(&["main"]);
    shop.commit_on("develop", "one");
    shop.push(&["develop"]);
    git(&shop.project, &["tag", "v1.0.0", "main"]);
    shop.push(&["v1.0.0"]);

    // A tag that moves, at once or by way of deleting it; the history of production.
    let skipped = shop.commit_on("main", "next [skip deploy]");
    git(&shop.project, &["tag", "-f", "v1.0.0", "main"]);
    shop.refused(&["-f", "v1.0.0"], "a tag is not moved");
    assert!(shop.push(&[":v1.0.0"]).contains("it was deleted"));
    shop.refused(&["v1.0.0"], "a tag is not moved");
    shop.push(&["main"]);
    git(&shop.project, &["reset", "-q", "--hard", "main~1"]);
    let rewritten = shop.commit("rewritten");
    shop.refused(&["-f", "main"], "history is not rewritten");
    shop.refused(&[":main"], "cannot be deleted");
    // Nor does a file that no longer says so help: the declaration before counts as well.
    fs::write(shop.project.join("ambit.toml"), TOML.replace("tag = \"v*\"", "branch = \"other\"")).unwrap();
    shop.commit("loosened");
    shop.refused(&["-f", "main"], "history is not rewritten");
    git(&shop.project, &["reset", "-q", "--hard", &skipped]);
    git(&shop.project, &["tag", "v1.0.1", &skipped]);
    assert!(shop.push(&["v1.0.1"]).contains("the newest commit says [skip deploy]"));
    git(&shop.project, &["tag", "v1.0.2", &rewritten]);
    assert!(shop.push(&["v1.0.2"]).contains("it is not on `main`"));
    assert_eq!(shop.deployments("prod").len(), 1, "of all the tags, one is deployed");

    // Development may be rewritten and skipped.
    git(&shop.project, &["checkout", "-q", "develop"]);
    git(&shop.project, &["reset", "-q", "--hard", "develop~1"]);
    shop.commit("two");
    let said = shop.push(&["-f", "develop"]);
    assert!(said.contains("its history was rewritten") && said.contains("is live in dev"), "{said}");
    shop.says("dev.shop.localhost", "two");
    shop.commit("three [skip deploy]");
    assert!(shop.push(&["develop"]).contains("the newest commit says [skip deploy]"));
    shop.says("dev.shop.localhost", "two");

    // Names that mean something to a shell, a terminal or git's options.
    let odd = "refs/heads/$(touch${IFS}pwned);`id`|x&'\"";
    assert!(shop.push(&[&format!("HEAD:{odd}")]).contains("no environment follows it"));
    for hostile in ["refs/heads/-x", "refs/heads/--upload-pack=x", "refs/tags/-v1"] {
        shop.refused(&[&format!("HEAD:{hostile}")], "it is no name for a branch or a tag");
    }
    shop.refused(&["HEAD:refs/ambit/commits/x"], "hidden ref");
    let turned = shop.push(&["HEAD:refs/heads/a\u{202e}b"]);
    assert!(!turned.contains("branch `a\u{202e}b`"), "a name turned the line around: {turned}");

    // A commit whose file is wrong, leads out of the repository, or belongs to another project, is taken in and deploys nothing.
    fs::write(shop.project.join("ambit.toml"), "project = \"shop\"\n[environments.dev]\nbrnch = \"develop\"\n")
        .unwrap();
    shop.commit("broken");
    let said = shop.push(&["develop"]);
    assert!(said.contains("nothing is deployed") && said.contains("brnch"), "{said}");
    fs::write(shop.project.join("ambit.toml"), TOML.replace("\"shop\"", "\"other\"")).unwrap();
    shop.commit("another project");
    assert!(shop.push(&["develop"]).contains("declares the project `other`"));
    fs::remove_file(shop.project.join("ambit.toml")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", shop.project.join("ambit.toml")).unwrap();
    shop.commit("a declaration from elsewhere");
    let said = shop.push(&["develop"]);
    assert!(said.contains("nothing is deployed") && !said.contains("root:"), "{said}");
    fs::remove_file(shop.project.join("ambit.toml")).unwrap();
    fs::write(shop.project.join("ambit.toml"), TOML).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", shop.project.join("web/passwd")).unwrap();
    shop.commit("leads out");
    let said = shop.push(&["develop"]);
    assert!(said.contains("failed"), "{said}");
    fs::remove_file(shop.project.join("web/passwd")).unwrap();
    let gitlink = format!("160000,{},web/sub", shop.head("HEAD"));
    git(&shop.project, &["update-index", "--add", "--cacheinfo", &gitlink]);
    git(&shop.project, &["commit", "-q", "-m", "a submodule"]);
    let said = shop.push(&["develop"]);
    assert!(said.contains("submodule"), "{said}");
    shop.says("dev.shop.localhost", "two");

    assert!(shop.push(&[":develop"]).contains("it was deleted; what runs goes on"));
    shop.says("dev.shop.localhost", "two");
    assert!(shop.noted("push.refused").len() >= 8);
    assert!(!shop.kept().join("pwned").exists() && !shop.project.join("pwned").exists());
}

#[test]
fn pushes_that_come_while_one_is_deployed_take_each_others_place_and_the_last_one_serves() {
    let shop = Shop::new();
    let gate = shop.machine.folder.path().join("gate");
    let wait = format!("while [ ! -e {} ]; do sleep 0.02; done", gate.display());
    let toml = TOML.replace("static = \"web\"", &format!("static = \"web\"\nbuild = \"{wait}\""));
    fs::write(shop.project.join("ambit.toml"), toml).unwrap();
    shop.machine.ok(&shop.project, &["remote", "add"]);
    let pushed = |message: &str| {
        shop.commit_on("develop", message);
        let mut push = Command::new("git");
        push.args(["push", "-q", "-f", "ambit", "develop"]).current_dir(&shop.project).stderr(Stdio::null());
        push.spawn().unwrap()
    };
    let states = || -> Vec<String> {
        let all = shop.deployments("dev");
        all.iter().rev().map(|d| d["state"].as_str().unwrap().to_owned()).collect()
    };
    let mut first = pushed("one");
    until("the first is built", || states() == ["building"]);
    // One who hangs up stops nothing.
    first.kill().unwrap();
    first.wait().unwrap();
    let second = pushed("two");
    until("the second is queued", || states().len() == 2);
    let third = pushed("three");
    until("the third is queued", || states().len() == 3);
    fs::write(&gate, "").unwrap();
    fs::set_permissions(&gate, fs::Permissions::from_mode(0o644)).unwrap();
    for mut push in [second, third] {
        assert!(push.wait().unwrap().success());
    }
    assert_eq!(states(), ["succeeded", "superseded", "succeeded"]);
    shop.says("dev.shop.localhost", "three");

    // Two who push at the very same time: git takes one after the other, and what the branch says at the end is served.
    let clones: Vec<PathBuf> = ["left", "right"]
        .iter()
        .map(|name| {
            let clone = shop.machine.folder.path().join(name);
            let from = shop.project.to_string_lossy().into_owned();
            git(shop.machine.folder.path(), &["clone", "-q", "-b", "develop", &from, name]);
            fs::write(clone.join("web/index.html"), format!("<p>{name}</p>")).unwrap();
            git(&clone, &["commit", "-q", "-am", name]);
            clone
        })
        .collect();
    let kept = shop.kept();
    let pushes: Vec<Child> = clones
        .iter()
        .map(|clone| {
            let mut push = Command::new("git");
            push.args(["push", "-q", "-f"]).arg(&kept).arg("develop").current_dir(clone).stderr(Stdio::null());
            push.spawn().unwrap()
        })
        .collect();
    for mut push in pushes {
        push.wait().unwrap();
    }
    until("both are decided", || states().iter().all(|s| s == "succeeded" || s == "superseded"));
    let page = Command::new("git").arg("-C").arg(&kept).args(["show", "develop:web/index.html"]).output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    until("the last one serves", || shop.machine.get("dev.shop.localhost", "/").contains(&page));
}

/// An sshd of the test's own, on a free port; ended with the test.
struct Sshd {
    process: Child,
    folder: PathBuf,
    port: u16,
}

impl Sshd {
    fn start(folder: &Path) -> Option<Self> {
        if !Path::new("/usr/sbin/sshd").exists() {
            eprintln!("SKIPPED: there is no sshd on this machine; script/install-needs --tests installs it");
            return None;
        }
        // Debian's service makes it at its start; sshd as root does not run without.
        if nix::unistd::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        for name in ["host", "ana", "lead"] {
            let file = folder.join(name);
            let mut make = Command::new("ssh-keygen");
            make.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(file);
            assert!(make.status().unwrap().success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {0}/host\nAuthorizedKeysFile {0}/.ssh/authorized_keys\n\
             PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin forced-commands-only\n",
            folder.display()
        );
        fs::write(folder.join("sshd_config"), config).unwrap();
        let log = fs::File::create(folder.join("sshd.log")).unwrap();
        let mut start = Command::new("/usr/sbin/sshd");
        start.args(["-D", "-e", "-f"]).arg(folder.join("sshd_config")).stdin(Stdio::null()).stderr(log);
        let sshd = Self { process: start.spawn().unwrap(), folder: folder.to_path_buf(), port };
        until("sshd listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(sshd)
    }

    fn options(&self, key: &str) -> Vec<String> {
        let of = |option: &str| ["-o".to_owned(), option.to_owned()];
        let file = self.folder.join(key).to_string_lossy().into_owned();
        [
            vec!["-F".to_owned(), "none".to_owned(), "-i".to_owned(), file],
            of("IdentitiesOnly=yes").to_vec(),
            of("BatchMode=yes").to_vec(),
            of("StrictHostKeyChecking=no").to_vec(),
            of("UserKnownHostsFile=/dev/null").to_vec(),
            of("LogLevel=ERROR").to_vec(),
        ]
        .concat()
    }

    fn user() -> String {
        nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name
    }

    fn ask(&self, key: &str, command: &[&str]) -> Output {
        let place = format!("{}@127.0.0.1", Self::user());
        let mut ssh = Command::new("ssh");
        ssh.args(self.options(key)).args(["-p", &self.port.to_string(), &place]).args(command);
        ssh.stdin(Stdio::null()).output().unwrap()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_workflow_of_github_hands_over_what_was_pushed_and_tells_how_it_went() {
    if !["/usr/bin/jq", "/bin/jq"].iter().any(|jq| Path::new(jq).exists()) {
        eprintln!("SKIPPED: there is no jq on this machine; script/install-needs --tests installs it");
        return;
    }
    let shop = Shop::new();
    let folder = shop.machine.folder.path().join("ssh");
    fs::create_dir(&folder).unwrap();
    let Some(sshd) = Sshd::start(&folder) else { return };
    shop.machine.ok(&shop.project, &["remote", "add"]);
    let mut add = shop.machine.command(&shop.project, &["ssh", "key", "add", "--name", "github", "--write"]);
    let public = fs::File::open(folder.join("ana.pub")).unwrap();
    assert!(add.env("HOME", &folder).stdin(public).output().unwrap().status.success());
    shop.machine.ok(&shop.project, &["ci", "github"]);
    let workflows = ["dev", "test", "prod"].map(|environment| {
        let file = shop.project.join(format!(".github/workflows/deploy-{environment}.yml"));
        (environment, fs::read_to_string(file).unwrap())
    });
    shop.commit("with workflows");
    git(&shop.project, &["branch", "-f", "develop"]);

    // What actions/checkout leaves: a clone whose origin is GitHub.
    let clone = |reference: &str| -> (PathBuf, String) {
        let place = shop.machine.folder.path().join(format!("runner-{}", reference.replace('/', "-")));
        let from = shop.project.to_string_lossy().into_owned();
        git(shop.machine.folder.path(), &["clone", "-q", &from, &place.to_string_lossy()]);
        git(&place, &["checkout", "-q", reference]);
        let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(&place).output().unwrap();
        (place, String::from_utf8(head.stdout).unwrap().trim().to_owned())
    };
    let host = format!("{}@127.0.0.1:{}", Sshd::user(), sshd.port);
    let public = fs::read_to_string(folder.join("host.pub")).unwrap();
    let known = format!("[127.0.0.1]:{} {public}", sshd.port);
    let key = fs::read_to_string(folder.join("ana")).unwrap();
    let run = |environment: &str, kind: &str, name: &str, known: &str, (place, sha): &(PathBuf, String)| {
        let whole = format!("refs/{}/{name}", if kind == "tag" { "tags" } else { "heads" });
        let outputs = place.join(".git/outputs");
        fs::write(&outputs, "").unwrap();
        let given = [
            ("AMBIT_HOST", host.as_str()),
            ("AMBIT_HOST_KEY", known),
            ("AMBIT_SSH_KEY", key.as_str()),
            ("GITHUB_SHA", sha),
            ("GITHUB_REF", &whole),
            ("GITHUB_REF_NAME", name),
            ("GITHUB_REF_TYPE", kind),
            ("GITHUB_OUTPUT", outputs.to_str().unwrap()),
        ];
        let (_, workflow) = workflows.iter().find(|(name, _)| *name == environment).unwrap();
        let checks: &[&str] = if kind == "tag" { &["The tag is on its branch"] } else { &[] };
        let mut ended = (None, String::new());
        for name in checks.iter().chain(&["Hand the commit to Ambit"]) {
            ended = carry_out(&step(workflow, "deploy", name), place, &given);
            if ended.0 != Some(0) {
                break;
            }
        }
        (ended.0, ended.1, fs::read_to_string(outputs).unwrap())
    };

    let develop = clone("develop");
    // Another machine's key: nothing is sent there.
    let (code, said, _) = run(
        "dev",
        "branch",
        "develop",
        &known.replace(&public, &fs::read_to_string(folder.join("lead.pub")).unwrap()),
        &develop,
    );
    assert!(code != Some(0) && said.contains("HOST IDENTIFICATION HAS CHANGED"), "{said}");
    let (code, said, _) = run("dev", "branch", "develop", "", &develop);
    assert!(
        code == Some(1) && said.contains("::error::AMBIT_HOST_KEY is not set in the environment \"dev\""),
        "{said}"
    );
    let (code, said, outputs) = run("dev", "branch", "develop", &known, &develop);
    assert!(code == Some(0) && said.contains("is live in dev"), "{said}");
    assert!(["state=watching\n", "state=succeeded\n"].contains(&outputs.as_str()), "{outputs}");
    shop.says("dev.shop.localhost", "with workflows");
    let actor = &shop.deployments("dev")[0]["actor"];
    assert_eq!((actor["who"].as_str(), actor["from"].as_str()), (Some("github"), Some("ssh")));
    // Run again: nothing is deployed twice.
    let (code, said, _) = run("dev", "branch", "develop", &known, &develop);
    assert!(code == Some(0), "{said}");
    assert_eq!(shop.deployments("dev").len(), 1);
    assert!(!said.contains("PRIVATE KEY"), "{said}");

    // A tag that is not on main is not handed over; one that is waits for its approver.
    git(&shop.project, &["checkout", "-q", "develop"]);
    shop.commit("aside");
    git(&shop.project, &["tag", "-a", "-m", "no", "v0.9.0"]);
    let (code, said, _) = run("prod", "tag", "v0.9.0", &known, &clone("v0.9.0"));
    assert!(code == Some(1) && said.contains("v0.9.0 is not on main"), "{said}");
    git(&shop.project, &["tag", "-a", "-m", "one", "v1.0.0", "main"]);
    let (code, said, outputs) = run("prod", "tag", "v1.0.0", &known, &clone("v1.0.0"));
    assert!(code == Some(0) && said.contains("waits for a yes") && said.contains("::notice::"), "{said}");
    assert_eq!(outputs, "state=waiting\n");

    // What Ambit could not deploy fails the job, though the push is in.
    git(&shop.project, &["checkout", "-q", "staging"]);
    let toml = fs::read_to_string(shop.project.join("ambit.toml")).unwrap();
    fs::write(shop.project.join("ambit.toml"), toml.replace("static = \"web\"", "static = \"web\"\nbuild = \"false\""))
        .unwrap();
    shop.commit("broken");
    let (code, said, _) = run("test", "branch", "staging", &known, &clone("staging"));
    assert!(code == Some(1) && said.contains("::error::Ambit did not deploy it (failed)"), "{said}");
}

#[test]
fn over_ssh_a_key_pushes_looks_and_approves_under_its_own_name_and_can_do_nothing_else() {
    let shop = Shop::new();
    let folder = shop.machine.folder.path().join("ssh");
    fs::create_dir(&folder).unwrap();
    let Some(sshd) = Sshd::start(&folder) else { return };
    shop.machine.ok(&shop.project, &["remote", "add"]);
    let add = |key: &str, name: &str| {
        let mut command = shop.machine.command(&shop.project, &["ssh", "key", "add", "--name", name, "--write"]);
        let public = fs::File::open(folder.join(format!("{key}.pub"))).unwrap();
        let output = command.env("HOME", &folder).stdin(public).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    add("ana", "ana@example.org");
    add("ana", "ana@example.org");
    add("lead", "lead@example.org");
    let lines = fs::read_to_string(folder.join(".ssh/authorized_keys")).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");

    let url = format!("ssh://{}@127.0.0.1:{}/shop.git", Sshd::user(), sshd.port);
    let by = |key: &str, arguments: &[&str]| {
        let ssh = std::iter::once("ssh".to_owned()).chain(sshd.options(key)).collect::<Vec<_>>().join(" ");
        let mut git = Command::new("git");
        git.args(arguments).current_dir(&shop.project).env("GIT_SSH_COMMAND", ssh).output().unwrap()
    };
    shop.commit_on("develop", "one");
    let pushed = by("ana", &["push", &url, "develop", "main"]);
    let said = String::from_utf8_lossy(&pushed.stderr);
    assert!(pushed.status.success() && said.contains("is live in dev"), "{said}");
    shop.says("dev.shop.localhost", "one");
    let actor = &shop.deployments("dev")[0]["actor"];
    assert_eq!((actor["who"].as_str(), actor["from"].as_str()), (Some("ana@example.org"), Some("ssh")));
    let fetched = by("lead", &["ls-remote", &url]);
    let seen = String::from_utf8_lossy(&fetched.stdout);
    assert!(seen.contains("refs/heads/develop") && !seen.contains("refs/ambit"), "{seen}");

    git(&shop.project, &["tag", "v1.0.0", "main"]);
    let said = by("ana", &["push", &url, "v1.0.0"]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("waits for a yes"));
    let number = shop.deployments("prod")[0]["number"].to_string();
    let status = sshd.ask("ana", &["status", "shop"]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("dev"), "{status:?}");
    let several = sshd.ask("ana", &["deployments"]);
    assert!(!several.status.success() && String::from_utf8_lossy(&several.stderr).contains("several projects"));
    let all = sshd.ask("ana", &["deployments", "shop"]);
    assert!(String::from_utf8_lossy(&all.stdout).contains("v1.0.0"), "{all:?}");
    let gates = sshd.ask("ana", &["gates", "shop/prod"]);
    assert!(String::from_utf8_lossy(&gates.stdout).contains("v1.0.0"), "{gates:?}");
    let by_ana = sshd.ask("ana", &["approve", &number, "--reason", "mine"]);
    assert!(String::from_utf8_lossy(&by_ana.stderr).contains("ana@example.org may not approve"), "{by_ana:?}");

    for command in [
        "id",
        "sh -c id",
        "git-receive-pack '../../etc'",
        "git-receive-pack 'shop.git'; id",
        "git-upload-pack '/etc'",
        "ambit destroy prod",
        "deploy prod",
        "approve 1",
        "status; id",
        "scp -t /tmp",
        "",
    ] {
        let refused = sshd.ask("ana", &[command]);
        let (out, err) = (String::from_utf8_lossy(&refused.stdout), String::from_utf8_lossy(&refused.stderr));
        assert!(!refused.status.success() && out.is_empty() && !err.contains("uid="), "{command}: {out} {err}");
    }
    let tunnel = Command::new("ssh")
        .args(sshd.options("ana"))
        .args(["-p", &sshd.port.to_string(), "-W", &format!("127.0.0.1:{}", shop.machine.port)])
        .arg(format!("{}@127.0.0.1", Sshd::user()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!tunnel.status.success() && tunnel.stdout.is_empty(), "a key may not forward ports");

    let approved = sshd.ask("lead", &["approve", &number, "--reason", "'tried on three phones'"]);
    assert!(approved.status.success(), "{approved:?}");
    shop.says("shop.localhost", "first");
    let noted = shop.noted("deployment.approved");
    assert_eq!((noted[0]["who"].as_str(), noted[0]["from"].as_str()), (Some("lead@example.org"), Some("ssh")));
}

impl Shop {
    fn tell(&self, secret: &str, event: &str, id: &str, body: &[u8]) -> (u16, String) {
        let start = Instant::now();
        let answer = self.machine.delivered(HOOKS, secret, event, id, body);
        assert!(start.elapsed() < Duration::from_secs(1), "answered after {:?}", start.elapsed());
        answer
    }

    fn webhook(&self, fetch: &Path) -> String {
        let fetch = fetch.to_string_lossy().into_owned();
        let text = self.machine.ok(&self.project, &["webhook", "add", "github", "--fetch", &fetch, "--json"]);
        let added: Value = serde_json::from_str(&text).unwrap();
        added["secret"].as_str().unwrap_or_default().to_owned()
    }

    /// What stands at GitHub.
    fn origin(&self) -> PathBuf {
        let origin = self.machine.folder.path().join("origin.git");
        git(self.machine.folder.path(), &["init", "-q", "--bare", "origin.git"]);
        git(&self.project, &["remote", "add", "origin", &origin.to_string_lossy()]);
        git(&self.project, &["push", "-q", "origin", "main", "develop", "staging"]);
        origin
    }
}

fn push_of(reference: &str, after: &str) -> Vec<u8> {
    json!({ "ref": reference, "after": after, "repository": { "full_name": "shop/shop" }, "pusher": { "name": "ana" } })
        .to_string()
        .into_bytes()
}

#[test]
fn what_github_tells_is_fetched_from_where_the_project_says_and_deployed() {
    let shop = Shop::new();
    let origin = shop.origin();
    let secret = shop.webhook(&origin);
    assert_eq!(secret.len(), 40);
    assert!(shop.webhook(&origin).is_empty(), "a secret is shown once");
    let listed = shop.machine.ok(&shop.project, &["webhook", "list", "--json"]);
    assert!(listed.contains("hooks.shop.localhost") && !listed.contains(&secret), "{listed}");

    let one = shop.commit_on("develop", "one");
    git(&shop.project, &["push", "-q", "origin", "develop"]);
    let body = push_of("refs/heads/develop", &one);
    assert_eq!(shop.tell(&secret, "push", "1", &body), (202, "queued\n".to_owned()));
    let serves = |host: &'static str, wanted: &'static str| {
        until("it is live", || shop.machine.get(host, "/").contains(&format!("<p>{wanted}</p>")));
    };
    serves("dev.shop.localhost", "one");
    let live = shop.deployments("dev")[0].clone();
    assert_eq!((live["trigger"]["kind"].as_str(), live["actor"]["from"].as_str()), (Some("github"), Some("github")));
    assert_eq!(live["actor"]["who"], "ana");

    // Again, under the same id, and with the same content under another.
    assert_eq!(shop.tell(&secret, "push", "1", &body), (200, "already\n".to_owned()));
    assert_eq!(shop.tell(&secret, "push", "2", &body), (200, "already\n".to_owned()));

    // A tag that waits, told of twice; a review by someone who is not named, by who started it, and by who may.
    git(&shop.project, &["tag", "v1.0.0", "main"]);
    git(&shop.project, &["push", "-q", "origin", "v1.0.0"]);
    let main = shop.head("main");
    let tag = push_of("refs/tags/v1.0.0", &main);
    assert_eq!(shop.tell(&secret, "push", "3", &tag).0, 202);
    let created = json!({ "ref": "v1.0.0", "ref_type": "tag", "repository": { "full_name": "Shop/shop" }, "sender": { "login": "ana" } });
    assert_eq!(shop.tell(&secret, "create", "4", created.to_string().as_bytes()).0, 202);
    until("it waits", || shop.deployments("prod").first().is_some_and(|d| d["state"] == "waiting"));
    let review = |id: &str, who: &str, by: &str, action: &str, sha: &str| {
        let body = json!({
            "action": action, "approver": { "login": who }, "comment": "good", "sender": { "login": who },
            "repository": { "full_name": "shop/shop" }, "workflow_job_runs": [{ "environment": "prod" }],
            "workflow_run": { "head_sha": sha, "actor": { "login": by } },
        });
        assert_eq!(shop.tell(&secret, "deployment_review", id, body.to_string().as_bytes()).0, 202);
    };
    review("5", "eve", "ana", "approved", &main);
    review("6", "lead-at-github", "lead-at-github", "approved", &main);
    review("7", "lead-at-github", "ana", "approved", &"0123456789".repeat(4));
    until("three are refused", || shop.noted("review.refused").len() == 3);
    assert_eq!(shop.deployments("prod").len(), 1, "the tag was told of twice and is deployed once");
    assert_eq!(shop.deployments("prod")[0]["state"], "waiting");
    review("8", "lead-at-github", "ana", "approved", &main);
    serves("shop.localhost", "first");
    let noted = shop.noted("deployment.approved");
    assert_eq!((noted[0]["who"].as_str(), noted[0]["from"].as_str()), (Some("lead-at-github"), Some("github")));

    // A tag that moves waits anew, with a word about it; a commit that is no longer there is nothing.
    let moved = shop.commit_on("main", "moved");
    git(&shop.project, &["tag", "-f", "v1.0.0"]);
    git(&shop.project, &["push", "-q", "-f", "origin", "main", "v1.0.0"]);
    assert_eq!(shop.tell(&secret, "push", "9", &push_of("refs/tags/v1.0.0", &moved)).0, 202);
    until("it waits anew", || shop.deployments("prod").first().is_some_and(|d| d["state"] == "waiting"));
    let told = shop.noted("push.received").pop().unwrap();
    assert_eq!(
        (told["about"]["rewritten"].as_bool(), told["about"]["commit"].as_str()),
        (Some(true), Some(moved.as_str()))
    );
    let gone = "89abcdef01".repeat(4);
    assert_eq!(shop.tell(&secret, "push", "10", &push_of("refs/heads/develop", &gone)).0, 202);
    until("it comes to nothing", || !shop.noted("webhook.failed").is_empty());

    // After another secret, the one before is nothing.
    let text = shop.machine.ok(&shop.project, &["webhook", "rotate", "--json"]);
    let rotated: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shop.tell(&secret, "ping", "11", b"{}").0, 401);
    assert_eq!(shop.tell(rotated["secret"].as_str().unwrap(), "ping", "12", b"{}").0, 200);
    shop.machine.ok(&shop.project, &["webhook", "remove"]);
    assert_eq!(shop.tell(rotated["secret"].as_str().unwrap(), "ping", "13", b"{\"a\":1}").0, 404);
    let log = fs::read_to_string(shop.machine.folder.path().join("home/logs/daemon.log")).unwrap();
    let audit = shop.machine.ok(&shop.project, &["log", "--json", "-n", "500"]);
    assert!(!log.contains(&secret) && !audit.contains(&secret), "the secret is in a log");
}

#[test]
fn every_forgery_is_refused_and_nothing_else_is_served_where_webhooks_are() {
    let shop = Shop::new();
    let secret = shop.webhook(&shop.origin());
    let body = push_of("refs/heads/develop", &shop.head("develop"));
    let right = sign(&secret, &body);
    let json = "Content-Type: application/json\r\n";
    let signed = |signature: &str| format!("{json}X-Hub-Signature-256: {signature}\r\n");
    let changed = String::from_utf8(body.clone()).unwrap().replace("develop", "staging").into_bytes();
    let forgeries: [(&str, String, &[u8]); 14] = [
        ("without a signature", json.to_owned(), &body),
        ("an empty one", signed(""), &body),
        ("its name alone", signed("sha256="), &body),
        ("without its name", signed(&right), &body),
        ("cut off", signed(&format!("sha256={}", &right[..62])), &body),
        ("longer", signed(&format!("sha256={right}00")), &body),
        ("zeros", signed(&format!("sha256={}", "0".repeat(64))), &body),
        ("no hex", signed(&format!("sha256={}", "z".repeat(64))), &body),
        ("of another secret", signed(&format!("sha256={}", sign("guess", &body))), &body),
        ("of no secret", signed(&format!("sha256={}", sign("", &body))), &body),
        ("of another body", signed(&format!("sha256={right}")), &changed),
        ("by the old header alone", format!("{json}X-Hub-Signature: sha1={}\r\n", &right[..40]), &body),
        ("by another digest", signed(&format!("sha1={}", &right[..40])), &body),
        ("two of them", signed(&format!("sha256={right}\r\nX-Hub-Signature-256: sha256={right}")), &body),
    ];
    let mut answers = Vec::new();
    for (what, headers, body) in forgeries {
        let answer = shop.machine.send("POST", &Sent { host: HOOKS, event: "push", id: "1", body, headers });
        assert_eq!(answer.0, 401, "{what}: {answer:?}");
        answers.push(answer);
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "an answer tells what was wrong: {answers:?}");

    let good = signed(&format!("sha256={right}"));
    let send = |method: &str, headers: &str, id: &str, body: &[u8]| {
        shop.machine.send(method, &Sent { host: HOOKS, event: "push", id, body, headers: headers.to_owned() })
    };
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        assert_eq!(send(method, &good, "1", &body).0, 405, "{method}");
    }
    for kind in ["application/x-www-form-urlencoded", "text/plain", "application/jsonx"] {
        let headers = good.replace("application/json", kind);
        assert_eq!(send("POST", &headers, "1", &body).0, 415, "{kind}");
    }
    assert_eq!(send("POST", &good, "../1", &body).0, 400, "an id that is none");
    let huge = vec![b' '; (25 << 20) + 1];
    assert_eq!(send("POST", &signed(&format!("sha256={}", sign(&secret, &huge))), "1", &huge).0, 413);
    let almost = vec![b' '; 25 << 20];
    let status = send("POST", &signed(&format!("sha256={}", sign("guess", &almost))), "1", &almost).0;
    assert_eq!(status, 401, "of the largest size that is taken");
    let mut other: Value = serde_json::from_slice(&body).unwrap();
    other["repository"]["full_name"] = "shop/other".into();
    assert_eq!(shop.tell(&secret, "push", "1", other.to_string().as_bytes()).0, 403);
    for nonsense in [&b"["[..], b"null", b"{\"ref\":1}", b"\xff\xfe"] {
        assert_eq!(shop.tell(&secret, "push", "1", nonsense).0, 400, "{nonsense:?}");
    }
    let hostile = push_of("refs/heads/--upload-pack=touch${IFS}pwned", &shop.head("develop"));
    let (status, said) = shop.tell(&secret, "push", "1", &hostile);
    assert_eq!((status, said.starts_with("ignored")), (200, true), "{said}");

    // On the port itself there is nothing but the place for webhooks: not the API of the daemon.
    let routes = fs::read_to_string(shop.machine.folder.path().join("home/proxy/routes.json")).unwrap();
    let routes: Value = serde_json::from_str(&routes).unwrap();
    let hooks = routes["routes"].as_array().unwrap().iter().find(|r| r["id"] == "shop/hooks").unwrap();
    let place = hooks["target"]["app"]["upstreams"][0].as_str().unwrap();
    for path in ["/v1/health", "/v1/stop", "/github", "/../v1/stop"] {
        let mut stream = TcpStream::connect(place).unwrap();
        write!(stream, "POST {path} HTTP/1.1\r\nHost: daemon\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    assert!(shop.deployments("dev").is_empty() && shop.deployments("test").is_empty());
    assert!(shop.noted("push.received").is_empty());
}

#[test]
fn every_published_payload_is_accepted_when_it_is_signed_rightly() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/contracts/github/webhook-examples");
    let Ok(events) = fs::read_dir(&examples) else {
        eprintln!("SKIPPED: the published payloads are not here ({})", examples.display());
        return;
    };
    let shop = Shop::new();
    let origin = shop.origin();
    let secret = shop.webhook(&origin);
    let mut all: Vec<(String, String, PathBuf)> = Vec::new();
    for event in events.map(|e| e.unwrap().path()) {
        for file in fs::read_dir(&event).unwrap().map(|e| e.unwrap().path()) {
            let payload: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            let repository = payload["repository"]["full_name"].as_str().unwrap_or_default().to_owned();
            all.push((repository, event.file_name().unwrap().to_string_lossy().into_owned(), file));
        }
    }
    all.sort();
    assert!(all.len() > 100, "{}", all.len());
    let mut listened = String::new();
    for (n, (repository, event, file)) in all.iter().enumerate() {
        if !repository.is_empty() && *repository != listened {
            fs::write(shop.project.join("ambit.toml"), TOML.replace("shop/shop", repository)).unwrap();
            shop.webhook(&origin);
            listened.clone_from(repository);
        }
        let body = fs::read(file).unwrap();
        let (status, said) = shop.tell(&secret, event, &format!("example-{n}"), &body);
        assert!(status == 200 || status == 202, "{}: {status} {said}", file.display());
        let followed = matches!(event.as_str(), "push" | "create" | "delete");
        assert!(!followed || status == 202 || said.starts_with("already"), "{}: {said}", file.display());
        let (status, _) = shop.tell("another secret", event, &format!("forged-{n}"), &body);
        assert_eq!(status, 401, "{}", file.display());
    }
    eprintln!("{} published payloads were accepted", all.len());
    fs::write(shop.project.join("ambit.toml"), TOML).unwrap();
}
