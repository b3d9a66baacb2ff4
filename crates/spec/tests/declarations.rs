//! What a declaration means, and what is said when it is wrong.

#![allow(clippy::unwrap_used)]

use ambit_spec::{
    BackupPlace, Code, EnvironmentName, Inputs, Kind, MonitoringLevel, Occasion, Persistence, Project, Reference,
    ServerPart, UrlPart, check_secrets, parse, resolve,
};
use proptest::prelude::*;

const KAIA: &str = include_str!("../../../apps/kaia/ambit.toml");

fn kaia() -> Project {
    let parsed = parse(KAIA);
    parsed.project.unwrap_or_else(|| panic!("{:#?}", parsed.diagnostics))
}

fn environment<'p>(project: &'p Project, name: &str) -> &'p ambit_spec::Environment {
    &project.environments[&name.parse::<EnvironmentName>().unwrap()]
}

/// Every finding as `line:column message (label)`.
fn findings(text: &str) -> Vec<String> {
    parse(text)
        .diagnostics
        .iter()
        .map(|d| {
            let place = d.line_column(text).map_or("-".to_owned(), |(l, c)| format!("{l}:{c}"));
            let label = d.label.as_deref().map(|l| format!(" ({l})")).unwrap_or_default();
            format!("{place} {}{label}", d.message)
        })
        .collect()
}

struct Example(&'static [(&'static str, &'static str)]);

impl Inputs for Example {
    fn reference(&self, reference: &Reference) -> Option<String> {
        Some(match reference {
            Reference::Postgres(ServerPart::Url) => "postgresql://db".into(),
            Reference::Redis(ServerPart::Url) => "redis://cache".into(),
            Reference::Service(name, UrlPart::Url) => format!("https://{name}"),
            _ => return None,
        })
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    fn generated(&self, _: &str) -> Option<String> {
        None
    }
}

#[test]
fn kaias_file_states_the_whole_picture() {
    let project = kaia();
    let (dev, test, prod) =
        (environment(&project, "dev"), environment(&project, "test"), environment(&project, "prod"));
    assert_eq!((dev.kind, test.kind, prod.kind), (Kind::Development, Kind::Staging, Kind::Production));
    assert_eq!(dev.code, Code::Branch("develop".into()));
    assert_eq!(prod.code, Code::Tag { pattern: "v*".into(), branch: "main".into() });
    assert!(dev.auto_deploy && test.auto_deploy && !prod.auto_deploy);
    assert_eq!(prod.redis.as_ref().unwrap().persist, Persistence::AppendOnly);
    let urls: Vec<String> = project
        .environments
        .values()
        .flat_map(|e| e.services.values().filter_map(|s| s.urls.first()))
        .map(|u| format!("{}{}", u.host, u.path.trim_end_matches('/')))
        .collect();
    assert_eq!(
        urls,
        [
            "api-dev.kaia.ai",
            "dev.kaia.ai",
            "dev.kaia.ai/downloads",
            "dev.kaia.ai/docs",
            "admin-dev.kaia.ai",
            "api-test.kaia.ai",
            "test.kaia.ai",
            "downloads-test.kaia.ai",
            "test.kaia.ai/docs",
            "admin-test.kaia.ai",
            "api.kaia.ai",
            "kaia.ai",
            "downloads.kaia.ai",
            "docs.kaia.ai",
            "admin.kaia.ai",
        ]
    );
}

#[test]
fn five_different_mistakes_are_five_located_findings() {
    let text = r#"project = "shop"
[environments.dev]
brnch = "develop"
[environments.prod]
[services.web]
static = "web"
url = { dev = "dev.@", production = "@" }
[services.api]
instances = "two"
[variables]
A = "${B}"
B = "${A}"
C = "${postgress.url}"
"#;
    assert_eq!(
        findings(text),
        [
            "3:1 unknown key `brnch` in [environments.dev] (did you mean `branch`?)",
            "7:24 unknown environment `production` (not declared; did you mean `prod`?)",
            "9:13 `instances` takes a whole number, not text (a whole number expected)",
            "11:5 `A` refers to itself (A → B → A)",
            "13:6 `C` refers to what dev does not have (there is no service `postgress`)",
            "13:6 `C` refers to what prod does not have (there is no service `postgress`)",
        ]
    );
}

#[test]
fn mistakes_of_syntax_and_of_sense_are_told_together() {
    let found = findings("project = \"shop\"\n[environments.dev]\nkind = \"developmnt\"\nbranch = = \n");
    assert!(found.iter().any(|f| f.contains("this is not TOML")), "{found:?}");
    assert!(found.iter().any(|f| f.contains("did you mean `development`?")), "{found:?}");
}

#[test]
fn a_place_or_a_port_belongs_to_one_service() {
    let found = findings(
        "project = \"p\"\n[environments.dev]\n[environments.test]\n[services.a]\nurl = \"a.@\"\nport = 4000\n[services.b]\nport = 4000\n",
    );
    assert!(
        found.iter().any(|f| f.contains("a.p.localhost is declared twice (a in dev is reached there too)")),
        "{found:#?}"
    );
    assert!(found.iter().any(|f| f.contains("port 4000 is declared twice")), "{found:#?}");
}

#[test]
fn production_is_never_seeded_reset_or_copied_into() {
    let found = findings(
        "project = \"p\"\n[environments.dev]\n[environments.prod]\nseed = true\nclean = \"weekly\"\ndata = { from = \"dev\" }\n",
    );
    assert_eq!(
        found,
        [
            "4:8 production is never seeded",
            "5:9 production is never reset",
            "6:8 nothing is ever copied into production"
        ]
    );
}

#[test]
fn a_seed_is_a_command_or_a_file_within_its_app() {
    use std::path::Path;
    for (seed, file) in [("seeds/dev.sql", true), ("./a.sql", true), ("psql -f a.sql", false), ("bin/seed", false)] {
        assert_eq!(ambit_spec::seed_file(seed), file.then_some(Path::new(seed)), "{seed}");
    }
    for outside in ["../other/dev.sql", "/etc/dev.sql"] {
        let text = format!("project = \"p\"\n[environments.dev]\n[services.a]\nrun = \"x\"\nseed = \"{outside}\"\n");
        assert_eq!(findings(&text), ["5:8 the seed is a file outside the app's folder"], "{outside}");
    }
}

#[test]
fn no_secret_reaches_a_page() {
    let found = findings(
        "project = \"p\"\n[environments.dev]\n[services.postgres]\n[services.web]\nstatic = \"w\"\nexpose = [\"DB\", \"KEY\"]\n[variables]\nDB = \"x${postgres.url}\"\n[secrets]\nKEY = {}\n",
    );
    assert_eq!(found.iter().filter(|f| f.contains("holds a secret")).count(), 2, "{found:#?}");
}

#[test]
fn a_secret_with_its_value_in_the_file_is_refused() {
    let found = findings("project = \"p\"\n[environments.dev]\n[secrets]\nKEY = \"abc\"\n");
    assert!(found[0].starts_with("4:7 the secret `KEY` has its value in the file"), "{found:#?}");
}

#[test]
fn paths_stay_within_the_project() {
    for bad in ["../x", "/etc", "a/../../b"] {
        let found = findings(&format!("project = \"p\"\n[environments.dev]\n[services.a]\nsource = \"{bad}\"\n"));
        assert!(found.iter().any(|f| f.contains("leaves the project")), "{bad}: {found:?}");
    }
}

#[test]
fn the_variables_of_the_plan_come_out_with_their_values() {
    let project = kaia();
    let secrets = Example(&[
        ("JWT_SECRET", "dev-secret-not-secure-ok"),
        ("JWT_REFRESH_SECRET", "dev-refresh-secret"),
        ("SENDGRID_API_KEY", "SG.dev-key"),
        ("TWILIO_ACCOUNT_SID", "dev-account"),
        ("TWILIO_AUTH_TOKEN", "dev-token"),
        ("GOOGLE_MAPS_API_KEY", "dev-maps-key"),
    ]);
    let resolved = resolve(environment(&project, "dev"), &secrets).unwrap_or_else(|e| panic!("{e:?}"));
    let get = |name: &str| resolved.iter().find(|v| v.name == name).map(|v| v.value.as_str());
    assert_eq!(get("NODE_ENV"), Some("development"));
    assert_eq!(get("PORT"), Some("3001"));
    assert_eq!(get("CORS_ORIGIN"), Some("https://web,http://localhost:8081"));
    assert_eq!(get("RATE_LIMIT_ENABLED"), Some("false"));
    assert_eq!(get("APM_ENABLED"), None);
    assert_eq!(get("SENTRY_DSN"), None);
    assert!(resolved.iter().find(|v| v.name == "DATABASE_URL").unwrap().secret);
}

#[test]
fn every_missing_secret_is_told_at_once_with_its_command() {
    let project = kaia();
    let found = resolve(environment(&project, "prod"), &Example(&[])).err().unwrap();
    assert_eq!(found.len(), 7);
    assert_eq!(found[0].message, "the secret JWT_SECRET is not set in prod");
    assert_eq!(found[0].help.as_deref(), Some("ambit secret set JWT_SECRET -e prod"));
}

#[test]
fn productions_secrets_are_strong_and_its_own() {
    let project = kaia();
    let told = |dev: &'static str, prod: &'static str| -> Vec<String> {
        let value = |environment: &EnvironmentName, name: &str| match (environment.as_str(), name) {
            ("dev", "JWT_SECRET") => Some(dev.to_owned()),
            ("prod", "JWT_SECRET") => Some(prod.to_owned()),
            _ => None,
        };
        check_secrets(&project, &value).into_iter().map(|d| d.message).collect()
    };
    assert_eq!(told("short", "too-short-for-prod"), ["JWT_SECRET in prod is 18 characters long; 32 are required"]);
    assert_eq!(told("short", "changeme-changeme-changeme-changeme"), ["JWT_SECRET in prod is a placeholder"]);
    let same = "x9Kd02mfx9Kd02mfx9Kd02mfx9Kd02mf";
    assert_eq!(told(same, same), ["JWT_SECRET is the same in dev and prod"]);
    assert!(told("dev-secret-not-secure-ok", "ultra-secure-production-secret-min-32-chars").is_empty());
}

const TOLD: &str = r#"project = "shop"
domain = "shop.example"
[environments.dev]
[environments.prod]
[services.web]
static = "web"
url = { dev = "dev.@", prod = "@" }
[notifications]
slack = "SLACK_WEBHOOK"
email = { prod = ["lead@shop.example", "qa@shop.example"] }
from = "ambit@shop.example"
smtp = "SMTP_URL"
webhook = { prod = "https://hooks.shop.example/ambit" }
webhook-secret = "WEBHOOK_SECRET"
events = { dev = ["failed"] }
language = "es"
[notifications.templates]
deployed = """
{project}: {version} en {environment}
{{ok}} {url}"""
[secrets]
SLACK_WEBHOOK = {}
SMTP_URL = { only = ["prod"] }
WEBHOOK_SECRET = { only = ["prod"] }
API_KEY = {}
"#;

#[test]
fn who_is_told_of_what_is_complete_in_each_environment() {
    let parsed = parse(TOLD);
    let project = parsed.project.unwrap_or_else(|| panic!("{:#?}", parsed.diagnostics));
    let (dev, prod) = (&environment(&project, "dev").notifications, &environment(&project, "prod").notifications);
    assert_eq!(dev.events, [Occasion::Failed]);
    assert_eq!(prod.events, Occasion::ALL);
    assert!(dev.email.is_none() && dev.webhook.is_none());
    assert_eq!(prod.email.as_ref().unwrap().to, ["lead@shop.example", "qa@shop.example"]);
    assert_eq!(prod.secrets().collect::<Vec<_>>(), ["SLACK_WEBHOOK", "SMTP_URL", "WEBHOOK_SECRET"]);
    assert_eq!(prod.templates[&Occasion::Deployed].lines.len(), 2);
}

#[test]
fn no_process_is_given_what_only_notifications_need() {
    let project = parse(TOLD).project.unwrap();
    let resolved = resolve(environment(&project, "prod"), &Example(&[("API_KEY", "x")])).unwrap();
    assert_eq!(resolved.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["API_KEY"]);
    let asked_for = TOLD.replace("SLACK_WEBHOOK = {}", "SLACK_WEBHOOK = { services = [\"web\"] }");
    let project = parse(&asked_for).project.unwrap();
    let missing = resolve(environment(&project, "prod"), &Example(&[("API_KEY", "x")])).err().unwrap();
    assert_eq!(missing[0].message, "the secret SLACK_WEBHOOK is not set in prod", "unless it says so itself");
}

#[test]
fn mistakes_in_notifications_are_told_with_their_places() {
    let text = r#"project = "shop"
[environments.prod]
[notifications]
slack = "SLACK_WEBHOK"
email = ["lead@shop.example", "not an address"]
webhook = "ftp://x"
events = ["deployd"]
[notifications.templates]
deployed = "{enviroment} {"
failed = "{reson} in {environment}"
waiting = "a } b"
deploy = ""
[secrets]
SLACK_WEBHOOK = {}
"#;
    assert_eq!(
        findings(text),
        [
            "4:9 `slack` names the secret `SLACK_WEBHOK`, which prod does not have (did you mean `SLACK_WEBHOOK`?)",
            "5:9 `email` needs `from` in [notifications]",
            "5:9 `email` needs `smtp` in [notifications]",
            "5:31 `not an address` is not an e-mail address",
            "6:11 `ftp://x` is not a URL that can be called",
            "6:11 `webhook` needs `webhook-secret` in [notifications]",
            "7:11 unknown event `deployd` (did you mean `deployed`?)",
            "9:13 unknown placeholder `enviroment` (did you mean `environment`?)",
            "10:11 unknown placeholder `reson` (did you mean `reason`?)",
            "11:14 `waiting`: `}` closes nothing; `}}` writes it as it is",
            "12:1 unknown key `deploy` in [notifications.templates] (did you mean `deployed`?)",
        ]
    );
}

#[test]
fn a_mobile_app_names_packages_services_and_a_secret_that_are_there() {
    let text = r#"project = "shop"
[environments.test]
[services.api]
run = "./serve"
url = "api.@"
[services.files]
static = "files"
url = "files.@"
[secrets]
EXPO_TOKEN = {}
[mobile]
package = "not a package"
name = "Shop"
"#;
    assert_eq!(findings(text), ["12:11 `not a package` is not the name of a package, such as com.example.app"]);
    let sound = text.replace("not a package", "com.example.shop");
    assert!(findings(&sound).is_empty());
    let keys =
        "api = \"files\"\ndownloads = \"api\"\nkeep = 0\ntoken = \"EXPO_TOKN\"\nprofiles = { preview = \"test\" }\n";
    assert_eq!(
        findings(&format!("{sound}{keys}")),
        [
            "14:7 `api` names `files`, which is no app with a URL in test",
            "15:13 `downloads` names `api`, which is no site with a URL in test",
            "16:8 `keep` takes a whole number from 1 to 1000",
            "17:9 `token` names the secret `EXPO_TOKN`, which test does not have (did you mean `EXPO_TOKEN`?)",
        ]
    );
    let keys =
        "api = \"api\"\ndownloads = \"files\"\nkeep = 5\ntoken = \"EXPO_TOKEN\"\nprofiles = { preview = \"test\" }\n";
    let whole = format!("{sound}{keys}");
    assert!(findings(&whole).is_empty());
    let project = parse(&whole).project.unwrap();
    assert!(resolve(environment(&project, "test"), &Example(&[])).unwrap().is_empty(), "no app is given the token");
}

#[test]
fn an_editors_schema_knows_every_key_that_the_file_uses() {
    let schema = ambit_spec::schema();
    for section in ["environments", "services", "variables", "secrets", "mobile", "monitoring", "costs", "providers"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
    assert_eq!(schema["properties"]["services"]["properties"]["redis"]["additionalProperties"], false);
}

#[test]
fn the_reference_explains_every_key() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ambit-toml.md");
    let text = std::fs::read_to_string(page).unwrap();
    assert!(
        text.contains(&ambit_spec::reference()),
        "run: cargo run -p ambit-spec --example reference, and put it there"
    );
}

/// Reads the plan beside this repository; where it is not there, there is nothing to compare with.
#[test]
#[cfg_attr(not(feature = "contracts"), ignore = "../shared/SEED.md is read, which is not here")]
fn the_three_env_files_of_the_plan_come_out_as_they_stand_there() {
    let plan = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/SEED.md");
    let Ok(plan) = std::fs::read_to_string(plan) else {
        eprintln!("skipped: ../shared is not here");
        return;
    };
    struct Plan(Vec<(String, String)>, Project, &'static str);
    impl Inputs for Plan {
        fn reference(&self, reference: &Reference) -> Option<String> {
            match reference {
                Reference::Service(name, UrlPart::Url) => {
                    let url = environment(&self.1, self.2).services[name].urls.first()?;
                    Some(format!("https://{}{}", url.host, url.path.trim_end_matches('/')))
                }
                _ => Some("HOST".into()),
            }
        }
        fn secret(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
        }
        fn generated(&self, _: &str) -> Option<String> {
            None
        }
    }
    for (file, name) in [(".env.development", "dev"), (".env.test", "test"), (".env.production", "prod")] {
        let block = plan.split(&format!("({file}):\n```bash\n")).nth(1).unwrap().split("```").next().unwrap();
        let wanted: Vec<(String, String)> = block
            .lines()
            .filter(|l| !l.starts_with('#'))
            .filter_map(|l| l.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let inputs = Plan(wanted.clone(), kaia(), name);
        let resolved = resolve(environment(&inputs.1, name), &inputs).unwrap_or_else(|e| panic!("{e:?}"));
        for (key, value) in wanted.iter().filter(|(k, _)| k != "DATABASE_URL" && k != "REDIS_URL") {
            let found = resolved.iter().find(|v| v.name == *key).map(|v| v.value.as_str());
            assert_eq!(found, Some(value.as_str()), "{key} of {file}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn no_mutation_of_a_valid_file_makes_it_panic(at in 0..KAIA.len(), with in "[\\[\\]{}=\"'$.\na-z0-9@/]{0,6}", cut in 0usize..40) {
        let start = (0..=at).rev().find(|n| KAIA.is_char_boundary(*n)).unwrap();
        let end = (start + cut..=KAIA.len()).find(|n| KAIA.is_char_boundary(*n)).unwrap_or(KAIA.len());
        let text = format!("{}{with}{}", &KAIA[..start], &KAIA[end.max(start)..]);
        let parsed = parse(&text);
        let failed = parsed.diagnostics.iter().any(|d| d.severity == ambit_spec::Severity::Error);
        prop_assert_eq!(parsed.project.is_none(), failed);
        for diagnostic in &parsed.diagnostics {
            prop_assert!(diagnostic.span.is_none() || diagnostic.line_column(&text).is_some());
        }
    }
}

fn with_tls(lines: &str) -> String {
    format!("project = \"p\"\n[environments.dev]\n[tls]\n{lines}")
}

#[test]
fn an_authority_for_certificates_is_an_address_and_where_it_is() {
    let acme = |lines: &str| parse(&with_tls(lines)).project.unwrap().acme;
    assert_eq!(acme(""), None);
    let plain = acme("acme = \"mailto:lead@kaia.ai\"").unwrap();
    assert_eq!((plain.contact.as_str(), plain.directory, plain.ca), ("lead@kaia.ai", None, None));
    let private =
        acme("acme = \"a.b+c@kaia.ai\"\ndirectory = \"https://ca.local:14000/dir\"\nca = \"tls/root.pem\"").unwrap();
    assert_eq!(private.directory.as_deref(), Some("https://ca.local:14000/dir"));
    assert_eq!(private.ca.as_deref(), Some(std::path::Path::new("tls/root.pem")));
}

#[test]
fn what_is_wrong_with_an_authority_is_told_where_it_stands() {
    for bad in ["", "lead", "@kaia.ai", "lead@", "lead@kaia", "a b@kaia.ai", "a@b@kaia.ai", "a,b@kaia.ai", "ñ@kaia.ai"]
    {
        let found = findings(&with_tls(&format!("acme = \"{bad}\"")));
        assert!(matches!(&found[..], [one] if one.starts_with("4:8 ")), "{bad}: {found:?}");
    }
    for bad in ["http://a.org", "ftp://a.org", "https://", "https://a b", "https://a.org:x/", "a.org"] {
        let found = findings(&with_tls(&format!("acme = \"a@b.org\"\ndirectory = \"{bad}\"")));
        assert!(matches!(&found[..], [one] if one.starts_with("5:13 ")), "{bad}: {found:?}");
    }
    assert_eq!(findings(&with_tls("ca = \"x.pem\"")), ["4:6 `ca` is of no use without `acme`"]);
    assert_eq!(findings(&with_tls("acme = \"a@b.org\"\nca = \"../x\"")), ["5:6 `ca` leaves the project: `../x`"]);
    assert!(findings(&with_tls("acmee = \"a@b.org\""))[0].contains("unknown key `acmee`"));
}

#[test]
fn where_backups_go_is_complete_with_the_secrets_that_open_it() {
    let with = |backup: &str| {
        format!(
            "project = \"shop\"\n[environments.prod]\nbackup = {{ every = \"6h\", {backup} }}\n[secrets]\nBACKUP_KEY = {{}}\n\
             BACKUP_SECRET = {{}}\n"
        )
    };
    let place = |backup: &str| {
        let parsed = parse(&with(backup));
        let project = parsed.project.unwrap_or_else(|| panic!("{:#?}", parsed.diagnostics));
        environment(&project, "prod").backup.clone().unwrap().to
    };
    assert_eq!(place("keep = \"7d\""), None);
    assert_eq!(place("to = \"/mnt/backups\""), Some(BackupPlace::Folder("/mnt/backups".into())));
    let s3 = place(
        "to = \"s3://kaia/ambit/\", region = \"eu-west-1\", key = \"BACKUP_KEY\", key-secret = \"BACKUP_SECRET\"",
    );
    let Some(BackupPlace::S3 { bucket, path, endpoint, .. }) = &s3 else { panic!("{s3:?}") };
    assert_eq!((bucket.as_str(), path.as_str(), endpoint.as_str()), ("kaia", "/ambit", "s3.eu-west-1.amazonaws.com"));
    assert_eq!(s3.as_ref().unwrap().secrets().collect::<Vec<_>>(), ["BACKUP_KEY", "BACKUP_SECRET"]);
    let sftp = format!("to = \"sftp://u@h.example:2222/b\", key = \"BACKUP_KEY\", host-key = \"{}\"", "aB".repeat(32));
    let Some(BackupPlace::Sftp { user, port, host_key, .. }) = place(&sftp) else { panic!("no place") };
    assert_eq!((user.as_str(), port, host_key), ("u", 2222, "ab".repeat(32)));

    for (wrong, told) in [
        ("to = \"backups\"", "backups cannot go to `backups`"),
        ("to = \"/mnt/../etc\"", "backups cannot go to `/mnt/../etc`"),
        ("to = \"ftp://x\"", "backups cannot go to `ftp://x`"),
        ("to = \"s3://\"", "is no bucket"),
        ("to = \"s3://kaia\"", "`to` needs `region`"),
        ("to = \"sftp://h/b\"", "is no place of SFTP"),
        ("to = \"sftp://u@h/b\", key = \"BACKUP_KEY\", host-key = \"12\"", "64 hexadecimal digits"),
        ("to = \"/mnt/b\", region = \"x\"", "`region` says nothing to a folder"),
        (
            "to = \"s3://b\", region = \"r\", key = \"BACKUP_KEI\", key-secret = \"BACKUP_SECRET\"",
            "names the secret `BACKUP_KEI`, which prod does not have (did you mean `BACKUP_KEY`?)",
        ),
    ] {
        let found = findings(&with(wrong));
        assert!(found.iter().any(|f| f.contains(told)), "{wrong}: {found:?}");
    }
    // What opens the place is given to no app.
    let text = with("to = \"s3://b\", region = \"r\", key = \"BACKUP_KEY\", key-secret = \"BACKUP_SECRET\"");
    let project = parse(&text).project.unwrap();
    assert!(resolve(environment(&project, "prod"), &Example(&[])).unwrap().is_empty());
}

#[test]
fn a_repository_says_how_workflows_reach_the_machine_and_the_key_for_it_is_for_no_app() {
    let text = "project = \"kaia\"\n[environments.test]\n[environments.prod]\n[services.api]\nrun = \"x\"\n[secrets]\nSSH = {}\n\
                [providers.github]\nrepository = \"kaia/kaia\"\nssh-key = \"SSH\"\nhost-key = \"ssh-ed25519 AAAA\"\n\
                host = { prod = \"ambit@203.0.113.7:2222\" }\n";
    let parsed = ambit_spec::parse(text);
    let project = parsed.project.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    let github = project.providers.github.as_ref().unwrap();
    assert_eq!((github.hosts.len(), github.host_keys.len(), github.ssh_key.as_deref()), (1, 2, Some("SSH")));
    assert_eq!(github.hosts[0], "ambit@203.0.113.7:2222");
    assert!(resolve(environment(&project, "prod"), &Example(&[])).unwrap().is_empty());
    for (wrong, said) in [
        (text.replace("ambit@203.0.113.7:2222", "203.0.113.7"), "no place that SSH reaches"),
        (text.replace("ambit@203.0.113.7:2222", "-oProxyCommand=x@h"), "no place that SSH reaches"),
        (text.replace("ssh-ed25519 AAAA", "AAAA"), "is no public key"),
        (text.replace("kaia/kaia", "kaia"), "OWNER/NAME"),
    ] {
        let told = ambit_spec::parse(&wrong);
        let found = told.diagnostics.iter().any(|d| d.message.contains(said));
        assert!(told.project.is_none() && found, "{:?}", told.diagnostics);
    }
}

#[test]
fn a_zone_has_addresses_for_each_environment_and_its_token_is_for_no_app() {
    let text = "project = \"kaia\"\ndomain = \"kaia.ai\"\n[environments.test]\n[environments.prod]\n[services.api]\nrun = \"x\"\n\
                [secrets]\nCF = {}\n[providers.cloudflare]\nzone = \"Kaia.AI.\"\ntoken = \"CF\"\n\
                address = { test = \"203.0.113.7\", prod = \"203.0.113.8, 2001:db8::8\" }\n";
    let parsed = ambit_spec::parse(text);
    let project = parsed.project.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    let cloudflare = project.providers.cloudflare.as_ref().unwrap();
    assert_eq!((cloudflare.zone.as_str(), cloudflare.access.token.as_str()), ("kaia.ai", "CF"));
    assert_eq!(cloudflare.addresses[1].len(), 2);
    assert_eq!(project.environments[1].provider_tokens, ["CF"]);
    for (wrong, said) in [
        (text.replace("203.0.113.7", "203.0.113"), "no IP address"),
        (text.replace("zone = \"Kaia.AI.\"\n", ""), "`zone` is missing"),
        (text.replace("Kaia.AI.", "kaia ai"), "is not a host name"),
    ] {
        let told = ambit_spec::parse(&wrong);
        assert!(
            told.project.is_none() && told.diagnostics.iter().any(|d| d.message.contains(said)),
            "{:?}",
            told.diagnostics
        );
    }
}

#[test]
fn monitoring_says_for_each_environment_how_much_and_who_is_told_when() {
    let with = |monitoring: &str| {
        format!(
            "project = \"kaia\"\n[environments.test]\n[environments.prod]\n[services.api]\nrun = \"x\"\n[secrets]\nS = {{}}\n\
             [notifications]\nslack = \"S\"\nsmtp = \"S\"\nfrom = \"ambit@kaia.ai\"\nemail = {{ prod = [\"a@kaia.ai\"] }}\n\
             [monitoring]\n{monitoring}\n"
        )
    };
    let text = with(
        "level = { test = \"basic\", prod = \"full\" }\nalert = { prod = [\"slack\", \"email\"] }\nquiet = { test = \"22:00 - 07:00\" }\n\
         escalate = { prod = { after = \"15m\", to = [\"lead@kaia.ai\"] } }",
    );
    let project = ambit_spec::parse(&text).project.unwrap();
    let (test, prod) = (&environment(&project, "test").monitoring, &environment(&project, "prod").monitoring);
    assert_eq!((test.level, prod.level), (MonitoringLevel::Basic, MonitoringLevel::Full));
    assert!(test.quiet.is_some() && test.escalate.is_none() && prod.quiet.is_none());
    assert_eq!(prod.escalate.as_ref().map(|e| e.to.as_slice()), Some(&["lead@kaia.ai".to_owned()][..]));
    assert_eq!(prod.alert, ["slack", "email"]);
    for (wrong, said) in [
        ("alert = [\"pager\"]", "alerts cannot go to `pager`"),
        ("quiet = \"at night\"", "are not hours of the day"),
        ("escalate = { after = \"15m\" }", "after how long, and to whom"),
        ("escalate = { after = \"15m\", to = [\"lead\"] }", "is not an e-mail address"),
        ("escalate = { after = \"15m\", to = [\"lead@kaia.ai\"] }", "writes e-mail, which test does not declare"),
    ] {
        let told = ambit_spec::parse(&with(wrong));
        let messages: Vec<_> = told.diagnostics.iter().map(|d| d.message.as_str()).collect();
        assert!(told.project.is_none() && messages.iter().any(|m| m.contains(said)), "{wrong}: {messages:?}");
    }
    let told = ambit_spec::parse(&with("alert = [\"email\"]"));
    assert!(told.project.is_some(), "a place that is missing stops nothing");
    assert!(told.diagnostics.iter().any(|d| d.message.contains("alerts of test do not get to email")));
}

#[test]
fn costs_that_say_nothing_sensible_are_told_with_their_places() {
    let text = "project = \"shop\"\n[environments.prod]\n[costs]\nbudget = -1\n[costs.pord]\napi = 5\n[costs.prod]\n\
                api = [10, 5]\nredis = \"5\"\nmail = [1, 2, 3, 4]\nname = { yearly = -25 }\nhuge = 1e300\nnan = nan\n\
                [costs.shared]\nexpo = [0, 0, 29]\n[costs.host]\nprod = 5\n\
                [costs.stated]\na = { of = \"exp\", minimum = [2, 1] }\nb = { minimun = 2 }\n";
    assert_eq!(
        findings(text),
        [
            "4:10 `budget` takes US dollars a month",
            "5:8 unknown environment `pord` (not declared; did you mean `prod`?)",
            "8:7 `api` takes [minimum, recommended]",
            "9:9 `redis` takes [minimum, recommended]",
            "10:8 `mail` takes [minimum, recommended]",
            "11:8 `name` takes [minimum, recommended]",
            "12:8 `huge` takes [minimum, recommended]",
            "13:7 `nan` takes [minimum, recommended]",
            "17:8 [costs.host.prod] takes line items, not a number",
            "19:12 `exp` is neither an environment nor a shared item (did you mean `expo`?)",
            "19:29 `minimum` takes US dollars: an amount, or [from, to]",
            "20:7 unknown key `minimun` in [costs.stated.b] (did you mean `minimum`?)",
        ]
    );
}
