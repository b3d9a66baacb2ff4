//! Kaia's own `ambit.toml` at all services around, simulated by their published contracts: from nothing to what is declared, in one apply.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::{Output, Stdio},
};

use ambit_simulators::{Everything, Fault, Gateway};
use serde_json::Value;
use support::Machine;

/// Kaia's declaration on a machine of its own, and the services around it behind one address.
struct Kaia {
    machine: Machine,
    project: PathBuf,
    around: Everything,
    gateway: Gateway,
    _runtime: tokio::runtime::Runtime,
}

impl Kaia {
    fn new() -> Option<Self> {
        let around = Everything::new();
        // One who has some of the contracts has all that this needs, or is told which is missing.
        around.railway.as_ref().and(around.cloudflare.as_ref()).and(around.github.as_ref())?;
        around.expo.as_ref().and(around.uptimerobot.as_ref())?;
        // Who begins anew a hundred times needs more requests than any plan has.
        around.railway.as_ref()?.limit(1_000_000);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let gateway = runtime.block_on(Gateway::start(0, around.services())).unwrap();
        let mut machine = Machine::new();
        let project = machine.project("kaia", &["dev", "test", "prod"]);
        let kaia = Self { machine, project, around, gateway, _runtime: runtime };
        let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../apps/kaia");
        for name in ["ambit.toml", ".github/workflows/.", "mobile/eas.json", "mobile/app.config.js"] {
            let to = kaia.project.join(name.trim_end_matches("/."));
            std::fs::create_dir_all(if name.ends_with("/.") { &to } else { to.parent().unwrap() }).unwrap();
            if !name.ends_with("/.") {
                std::fs::copy(from.join(name), to).unwrap();
            }
        }
        kaia.ok(&["secret", "key", "--add"]);
        for environment in ["dev", "test", "prod"] {
            let values = from.join(format!("../../script/kaia/{environment}.env"));
            kaia.ok(&["secret", "set", "--from", values.to_str().unwrap(), "-e", environment]);
        }
        Some(kaia)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.machine.command(&self.project, arguments);
        command.env("AMBIT_SIMULATE", self.gateway.base()).output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "ambit {arguments:?}\n{out}\n{err}");
        out.into_owned()
    }

    fn plan(&self) -> (i32, Value) {
        let output = self.run(&["plan", "--only", AROUND, "--json"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let plan = serde_json::from_str(&text);
        let plan = plan.unwrap_or_else(|_| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), plan)
    }

    fn apply(&self) -> Output {
        self.run(&["apply", "--only", AROUND, "--yes"])
    }

    /// The daemon is killed in the middle of a request.
    fn apply_until_it_hangs(&self) {
        let before = self.gateway.hung();
        let mut command = self.machine.command(&self.project, &["apply", "--only", AROUND, "--yes"]);
        command.env("AMBIT_SIMULATE", self.gateway.base()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let done = std::cell::Cell::new(false);
        support::until("a request hangs, or all is done", || {
            done.set(self.gateway.hung() > before);
            done.get() || std::fs::read_to_string(format!("/proc/{}/stat", child.id())).is_ok_and(|s| s.contains(") Z"))
        });
        self.machine.kill_daemon();
        let _ = child.kill();
        let _ = child.wait();
    }

    fn is_whole_and_nothing_is_doubled(&self) {
        assert_eq!(self.plan().1["changes"], 0);
        assert_eq!(self.at_railway(), SERVICES);
        let lines = self.around.cloudflare.as_ref().unwrap().lines();
        assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), lines.len(), "{lines:#?}");
        let plan = self.plan().1;
        let part = |name: &str| plan["parts"].as_array().unwrap().iter().find(|p| p["place"] == name).unwrap();
        self.is_at_github();
        for (name, things) in [("uptimerobot", 5), ("expo", 6), ("dns", 16)] {
            assert_eq!(
                (part(name)["kept"].as_u64(), part(name)["unmanaged"].as_u64()),
                (Some(things), Some(0)),
                "{name}"
            );
        }
    }

    /// Branches, protections, tags and environments as declared; each environment deploys by its own token of Railway's, of which there
    /// is one.
    fn is_at_github(&self) {
        let mut tokens = BTreeSet::new();
        self.around.railway.as_ref().unwrap().by_hand(|world| {
            for project in &world.projects {
                assert_eq!(project.tokens.len(), 1, "{}: {:?}", project.name, project.tokens);
                tokens.insert(project.tokens[0][3].clone());
            }
        });
        self.around.github.as_ref().unwrap().by_hand(|r| {
            let branches: Vec<&str> = r.refs.keys().map(String::as_str).collect();
            assert_eq!(branches, ["heads/develop", "heads/main", "heads/staging"]);
            assert_eq!(r.protection.keys().collect::<Vec<_>>(), ["main", "staging"]);
            assert_eq!(r.rulesets.iter().map(|r| r["name"].as_str().unwrap()).collect::<Vec<_>>(), ["ambit:kaia/prod"]);
            assert_eq!(r.environments.keys().collect::<Vec<_>>(), ["dev", "prod", "test"]);
            let of = r.environments.values().map(|e| e.secrets["RAILWAY_TOKEN"].value.clone());
            assert_eq!(of.collect::<BTreeSet<_>>(), tokens);
            assert_eq!(r.odd_answers, Vec::<String>::new());
        });
    }

    /// Names of projects and services at Railway, with how often each is there.
    fn at_railway(&self) -> Vec<String> {
        self.around.railway.as_ref().unwrap().by_hand(|world| {
            let mut all: Vec<String> = Vec::new();
            for project in &world.projects {
                // What a drill restores beside is there for a moment.
                let lasting = project.services.iter().filter(|service| !service.name.contains("-drill-"));
                all.extend(lasting.map(|service| format!("{}/{}", project.name, service.name)));
            }
            all.sort();
            all
        })
    }
}

const AROUND: &str = "railway,dns,github,workflows,expo,uptimerobot";

const SERVICES: [&str; 9] = [
    "kaia-dev/backend-dev",
    "kaia-dev/postgresql-dev",
    "kaia-dev/redis-dev",
    "kaia-test/backend-test",
    "kaia-test/postgresql-test",
    "kaia-test/redis-test",
    "kaia/backend",
    "kaia/postgresql",
    "kaia/redis",
];

/// Every host of the seed's table of URLs that is a name of its own.
const HOSTS: [&str; 13] = [
    "admin-dev.kaia.ai",
    "admin-test.kaia.ai",
    "admin.kaia.ai",
    "api-dev.kaia.ai",
    "api-test.kaia.ai",
    "api.kaia.ai",
    "dev.kaia.ai",
    "docs.kaia.ai",
    "downloads-test.kaia.ai",
    "downloads.kaia.ai",
    "kaia.ai",
    "test.kaia.ai",
    "www.kaia.ai",
];

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn one_apply_makes_all_of_it_and_a_second_plan_has_nothing_to_do() {
    let Some(kaia) = Kaia::new() else { return };
    assert_eq!(kaia.plan().0, 2);
    let output = kaia.apply();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(kaia.at_railway(), SERVICES);
    let records = kaia.around.cloudflare.as_ref().unwrap().records();
    let hosts: BTreeSet<&str> =
        records.iter().filter(|r| r["type"] != "TXT").map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(hosts.into_iter().collect::<Vec<_>>(), HOSTS);
    for host in ["api-dev.kaia.ai", "api-test.kaia.ai", "api.kaia.ai"] {
        let proof = format!("_railway-verify.{host}");
        assert!(records.iter().any(|r| r["type"] == "TXT" && r["name"] == proof.as_str()), "{proof}");
        assert!(records.iter().any(|r| r["type"] == "CNAME" && r["name"] == host && r["proxied"] == false), "{host}");
    }
    for environment in ["dev", "test", "prod"] {
        assert!(kaia.project.join(format!(".github/workflows/deploy-{environment}.yml")).is_file());
    }
    let (code, plan) = kaia.plan();
    assert_eq!((code, plan["changes"].as_u64()), (0, Some(0)), "{plan:#}");
    let everything = kaia.run(&["plan"]);
    let said = String::from_utf8_lossy(&everything.stdout).into_owned();
    assert!(everything.status.code() == Some(0) && said.contains("prod lives at Railway"), "{said}");
    kaia.is_whole_and_nothing_is_doubled();
}

/// Tokens that nobody may find again.
const TOKENS: [&str; 6] =
    ["RAILWAY_TOKEN", "CLOUDFLARE_API_TOKEN", "GITHUB_TOKEN", "EXPO_TOKEN", "UPTIMEROBOT_API_KEY", "SENTRY_AUTH_TOKEN"];

/// Everything that some process of this machine was started with.
fn command_lines() -> String {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .map(|p| std::fs::read(p.path().join("cmdline")).unwrap_or_default())
        .fold(String::new(), |all, line| all + &String::from_utf8_lossy(&line))
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn no_token_and_no_secret_is_found_in_a_plan_an_output_an_argument_or_a_file() {
    let Some(kaia) = Kaia::new() else { return };
    let with_tokens = |arguments: &[&str]| {
        let mut command = kaia.machine.command(&kaia.project, arguments);
        command.env("AMBIT_SIMULATE", kaia.gateway.base());
        command.envs(TOKENS.map(|name| (name, format!("planted-{name}-Zx81kqW0"))));
        command
    };
    let mut told = String::new();
    let mut run = |arguments: &[&str]| {
        let child = with_tokens(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let id = child.id();
        let seen = std::thread::spawn(move || {
            let mut lines = command_lines();
            while std::path::Path::new(&format!("/proc/{id}/cmdline")).exists() {
                lines.push_str(&command_lines());
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            lines
        });
        let output = child.wait_with_output().unwrap();
        told += &String::from_utf8_lossy(&output.stdout);
        told += &String::from_utf8_lossy(&output.stderr);
        told += &seen.join().unwrap();
        output.status.code()
    };
    assert_eq!(run(&["plan", "--only", AROUND, "--out", "kaia.plan"]), Some(2));
    // One service fails in the middle: errors hold nothing either.
    kaia.gateway.fail_after(60, Fault::Status(403));
    assert_ne!(run(&["apply", "kaia.plan", "--yes"]), Some(0));
    kaia.gateway.forget_faults();
    assert_eq!(run(&["apply", "--only", AROUND, "--yes", "--json"]), Some(0));
    assert_eq!(run(&["plan", "--only", AROUND, "--json"]), Some(0));
    kaia.is_at_github();
    told += &std::fs::read_to_string(kaia.project.join("kaia.plan")).unwrap();
    told += &kaia.ok(&["log", "--json", "-n", "500"]);

    let mut planted: Vec<String> = TOKENS.iter().map(|name| format!("planted-{name}-Zx81kqW0")).collect();
    kaia.around.railway.as_ref().unwrap().by_hand(|world| {
        planted.extend(world.projects.iter().flat_map(|p| &p.tokens).map(|token| token[3].clone()));
    });
    let values = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../script/kaia/prod.env");
    let values = std::fs::read_to_string(values).unwrap();
    let values = values.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| !name.starts_with('#'));
    planted.extend(values.map(|(_, value)| value.to_owned()));
    assert!(planted.len() > 12, "{planted:?}");
    for secret in &planted {
        assert!(!told.contains(secret.as_str()), "{secret} was told");
        for folder in [kaia.machine.folder.path().join("home"), kaia.project.clone()] {
            let found = std::process::Command::new("grep").args(["-rlaF", secret]).arg(&folder).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&found.stdout), "", "{secret} lies in a file");
        }
    }
}

#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "the published contracts are not here: script/contracts")]
fn killed_in_the_middle_again_and_again_the_next_apply_does_the_rest_and_nothing_twice() {
    let Some(kaia) = Kaia::new() else { return };
    // Each service's own tests break it off at every request; here it is killed across all of them.
    for fault in [Fault::Hang, Fault::HangAfter].into_iter().cycle().take(12) {
        let before = kaia.gateway.accepted().len();
        assert_ne!(kaia.plan().1["changes"], 0, "there is nothing left to be killed in");
        let reads = kaia.gateway.accepted().len() - before;
        // Both the one who shows the plan and the one who carries it out look first.
        kaia.gateway.fail_after(2 * reads + 1, fault);
        kaia.apply_until_it_hangs();
        kaia.gateway.forget_faults();
    }
    let output = kaia.apply();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    kaia.is_whole_and_nothing_is_doubled();
}
