//! The HTTP API and the dashboard as somebody meets them who means no good, and as programs do.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/load.rs"]
mod load;
#[path = "support/shop.rs"]
mod shop;
mod support;
#[path = "support/visit.rs"]
mod visit;

use std::io::Read;

use base64::Engine;

use serde_json::{Value, json};
use shop::{Shop, text};
use support::until;
use visit::Visitor;

const ROLES: [&str; 5] = ["viewer", "developer", "qa", "approver", "admin"];

/// A shop with a test and a prod that waits for a yes, one person of each role, and the project known.
fn team(more: &str) -> Shop {
    let toml = "[environments.test]\nkind = \"staging\"\nbranch = \"main\"\n\
                [environments.prod]\nbranch = \"main\"\napprovers = [\"approver@example.org\"]\ngates = [\"qa\"]\nsoak = \"1s\"\n";
    let shop = Shop::new(&["test", "prod"], &format!("{toml}{more}"));
    if more.contains("API_KEY") {
        shop.ok(&["secret", "key", "--add"]);
        for environment in ["test", "prod"] {
            shop.ok(&["secret", "set", "API_KEY", "-e", environment, "--generate"]);
        }
    }
    shop.version("one");
    shop.up();
    for role in ROLES {
        shop.ok(&["user", "add", &format!("{role}@example.org"), "--role", role]);
    }
    shop
}

/// What the daemon holds of the machine's memory, in KB.
fn memory(shop: &Shop) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", shop.machine.daemon().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn name(role: &str) -> String {
    format!("{role}@example.org")
}

#[test]
fn each_operation_of_the_document_takes_the_roles_that_it_names_and_refuses_all_others() {
    let shop = team("");
    let nobody = Visitor::nobody(&shop);
    let document = nobody.get("/api/v1/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let tokens = ROLES.map(|role| (role, Visitor::token(&shop, &[role, "--role", role, "--user", &name(role)])));
    let weaker = Visitor::token(&shop, &["weaker", "--role", "viewer", "--user", &name("admin")]);
    // What is asked for is nowhere, so that nothing is changed whoever asks.
    let values =
        json!({ "project": "shop", "environment": "nowhere", "number": 999_999, "gate": "none", "name": "none" });
    let mut tried = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let mut path = path.clone();
            for (field, value) in values.as_object().unwrap() {
                path = path.replace(&format!("{{{field}}}"), value.to_string().trim_matches('"'));
            }
            let query: Vec<String> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|p| p["in"] == "query" && p["required"] == true)
                .map(|p| format!("{}=nowhere", p["name"].as_str().unwrap()))
                .collect();
            if !query.is_empty() {
                path = format!("{path}?{}", query.join("&"));
            }
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let body: Value = required
                .iter()
                .map(|field| {
                    let field = field.as_str().unwrap();
                    let flag = schema["properties"][field]["type"] == "boolean";
                    (field.to_owned(), if flag { json!(true) } else { json!("nowhere") })
                })
                .collect::<serde_json::Map<_, _>>()
                .into();
            let ask = |visitor: &Visitor| visitor.api(&method.to_uppercase(), &path, &body).status;
            let what = operation["operationId"].as_str().unwrap();
            assert_eq!(ask(&nobody), 401, "{what} without a token");
            let roles = operation["x-roles"].as_array().unwrap();
            assert!(roles.contains(&json!("admin")), "{what}");
            for (role, visitor) in &tokens {
                let status = ask(visitor);
                let refused = status == 403 || status == 401;
                assert_eq!(refused, !roles.contains(&json!(role)), "{what} as {role}: {status}");
                tried += 1;
            }
            if !roles.contains(&json!("viewer")) {
                assert_eq!(ask(&weaker), 403, "{what} by an admin's token for a viewer");
            }
        }
    }
    assert!(tried >= 5 * 34, "{tried}");

    // A token of one project opens nothing of another, whether that is there or not.
    let other = shop.machine.folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("ambit.toml"), "project = \"other\"\n[environments.dev]\n").unwrap();
    shop.machine.ok(&other, &["up"]);
    let scoped = Visitor::token(&shop, &["scoped", "--role", "admin", "--project", "other", "--user", &name("admin")]);
    assert_eq!(scoped.api("GET", "/projects/other/status", &Value::Null).status, 200);
    for project in ["shop", "nothing", "..", "%2e%2e", "a%00b"] {
        let status = scoped.api("GET", &format!("/projects/{project}/status"), &Value::Null).status;
        assert!([403, 404].contains(&status), "{project}: {status}");
    }
    assert_eq!(scoped.api("GET", "/projects", &Value::Null).json(), json!(["other"]));
    // Prometheus is told of all projects or of none.
    assert_eq!((scoped.get("/metrics").status, Visitor::nobody(&shop).get("/metrics").status), (403, 401));
    let metrics = tokens[0].1.get("/metrics");
    assert!(metrics.status == 200 && metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    assert!(metrics.body.contains("# TYPE ambit_"), "{}", metrics.body);
    // A deployment of a project is not found in another one.
    let number = shop.newest("test");
    let admin = &tokens[4].1;
    assert_eq!(admin.api("GET", &format!("/projects/shop/deployments/{number}"), &Value::Null).status, 200);
    for way in ["", "/log"] {
        let path = format!("/projects/other/deployments/{number}{way}");
        assert_eq!(scoped.api("GET", &path, &Value::Null).status, 404);
    }
    let approve = format!("/projects/other/deployments/{number}/approve");
    assert_eq!(scoped.api("POST", &approve, &json!({ "reason": "x" })).status, 404);

    shop.ok(&["token", "revoke", "viewer"]);
    assert_eq!(tokens[0].1.api("GET", "/projects", &Value::Null).status, 401);
    shop.ok(&["user", "remove", &name("admin")]);
    assert_eq!(admin.api("GET", "/projects", &Value::Null).status, 401);
    shop.machine.ok(&other, &["destroy", "dev", "--confirm", "dev"]);
}

#[test]
fn a_release_goes_from_a_commit_to_production_and_back_over_the_api_and_the_record_names_the_people() {
    let shop = team(
        "[secrets]\nAPI_KEY = {}\nOPTIONAL = { required = false }\n[variables]\nGREETING = \"<script>alert(1)</script>\"\nDB = \"${API_KEY}-x\"\n",
    );
    let token = |role: &str| Visitor::token(&shop, &[role, "--role", role, "--user", &name(role)]);
    let (developer, qa, approver) = (token("developer"), token("qa"), token("approver"));
    let get = |path: &str| {
        let answer = developer.api("GET", &format!("/projects/shop{path}"), &Value::Null);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    };
    let until_state = |number: &Value, wanted: &str| {
        until(&format!("deployment {number} is {wanted}"), || {
            get(&format!("/deployments/{number}"))["state"] == wanted
        });
    };
    let commit = shop.version("two");
    let queued = developer.api("POST", "/projects/shop/environments/test/deploy", &json!({ "reason": "a try" }));
    assert_eq!(queued.status, 200, "{}", queued.body);
    let number = queued.json()["number"].clone();
    until_state(&number, "succeeded");
    let shown = get(&format!("/deployments/{number}"));
    assert_eq!((&shown["commit"]["id"], &shown["reason"]), (&json!(commit), &json!("a try")));
    assert_eq!(shown.get("work"), None, "what is for the engine alone is not told");
    assert!(get(&format!("/deployments/{number}/log"))["events"].as_array().unwrap().len() > 3);
    assert_eq!(shop.body("test.shop.localhost"), "two");

    let word = json!({ "environment": "test", "yes": true, "comment": "tried on three phones" });
    assert_eq!(qa.api("POST", "/projects/shop/verdicts", &word).status, 200);
    let promote = json!({ "from": "test" });
    let promoted = developer.api("POST", "/projects/shop/environments/prod/promote", &promote).json();
    until_state(&promoted["number"], "waiting");
    let gates = get("/environments/prod/gates");
    assert_eq!(gates["approvers"], json!(["approver@example.org"]));
    let approve = format!("/projects/shop/deployments/{}/approve", promoted["number"]);
    let no_reason = approver.api("POST", &approve, &json!({}));
    assert_eq!(no_reason.status, 400, "{}", no_reason.body);
    assert!(no_reason.json()["error"]["message"].as_str().unwrap().contains("reason"), "{}", no_reason.body);
    let said = approver.api("POST", &approve, &json!({ "reason": "good" }));
    assert_eq!(said.status, 200, "{}", said.body);
    until_state(&promoted["number"], "succeeded");
    assert_eq!(shop.body("shop.localhost"), "two");

    let preview = get("/environments/prod/rollback");
    assert_eq!(preview["from"], promoted["version"]);
    let back = developer.api("POST", "/projects/shop/environments/prod/rollback", &Value::Null).json();
    until_state(&back["number"], "succeeded");
    assert_eq!(shop.body("shop.localhost"), "one");

    let lines = get("/environments/test/logs?service=app&lines=5");
    assert!(lines.is_array(), "{lines}");
    let status = get("/status");
    assert_eq!(status["environments"].as_array().unwrap().len(), 2);
    let variables = get("/variables");
    let row = |name: &str| {
        let rows = variables["rows"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{variables}"))["cells"][0].clone()
    };
    assert_eq!((&row("API_KEY"), &row("OPTIONAL")), (&json!({ "is": "set" }), &json!({ "is": "missing" })));
    assert_eq!(row("DB")["is"], "given", "what is made of a secret is not shown");
    assert_eq!(row("GREETING"), json!({ "is": "plain", "value": "<script>alert(1)</script>" }));

    let entries = get("/audit?limit=1000");
    let who = |what: &str| {
        let entry = entries.as_array().unwrap().iter().rev().find(|entry| entry["what"] == what);
        let entry = entry.unwrap_or_else(|| panic!("{what}: {entries}"));
        (entry["who"].as_str().unwrap().to_owned(), entry["from"].as_str().unwrap().to_owned())
    };
    assert_eq!(who("deployment.approved"), (name("approver"), "token approver".into()));
    assert_eq!(who("qa.approved"), (name("qa"), "token qa".into()));
    assert!(who("user.added").1.starts_with("cli uid "));
    let verified = shop.ambit(&["log", "--verify"]);
    assert!(verified.status.success(), "{}", text(&verified));
}

#[test]
fn a_session_begins_by_a_link_alone_and_nothing_forged_is_taken_for_one() {
    let shop = team("");
    let nobody = Visitor::nobody(&shop);
    for path in ["/", "/projects/shop", "/projects/shop/audit", "/projects/shop/data"] {
        let answer = nobody.get(path);
        assert_eq!((answer.status, answer.header("location")), (303, "/sign-in"), "{path}");
    }
    for forged in ["", "ambit_session=", "ambit_session=x", "ambit_session=%00", "ambit_session=../../etc/passwd"] {
        assert_eq!(nobody.with(&format!("Cookie: {forged}")).get("/projects/shop").status, 303, "{forged}");
    }
    assert_eq!(nobody.get("/projects/shop/live").status, 401);
    assert_eq!(nobody.get("/projects/shop/environments/test/logs/live").status, 401);

    let link = shop.json(&["login", "--user", &name("viewer")]);
    let code = link["urls"][0].as_str().unwrap().split("code=").nth(1).unwrap().to_owned();
    let shown = nobody.get(&format!("/sign-in?code={code}"));
    assert!(shown.status == 200 && shown.body.contains("viewer@example.org"), "{}", shown.body);
    let elsewhere = nobody.with("Origin: http://evil.example").post("/sign-in", &[("code", &code)]);
    assert_eq!(elsewhere.status, 403);
    let signed = nobody.post("/sign-in", &[("code", &code)]);
    let cookie = signed.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/"), "{cookie}");
    let secure = Visitor::signed_in(&shop, &name("viewer"));
    assert!(secure.get("/projects/shop").status == 200);
    assert_eq!(nobody.post("/sign-in", &[("code", &code)]).status, 400, "it works once");
    assert_eq!(nobody.get(&format!("/sign-in?code={code}")).status, 400);

    // Whoever guesses is made to wait; who is signed in is not.
    let statuses: Vec<u16> = (0..15).map(|n| nobody.post("/sign-in", &[("code", &n.to_string())]).status).collect();
    assert_eq!((statuses[0], statuses[14]), (400, 429), "{statuses:?}");
    assert_eq!(secure.get("/projects/shop").status, 200);

    let out = secure.submit("/projects/shop", "sign-out", &[]);
    assert_eq!(out.status, 404, "an operation of that name there is none");
    let token = secure.get("/projects/shop").field("form");
    assert_eq!(secure.post("/sign-out", &[("form", "x")]).status, 403);
    assert_eq!(secure.post("/sign-out", &[("form", &token)]).status, 303);
    assert_eq!(secure.get("/projects/shop").status, 303);
}

#[test]
fn a_form_is_ours_the_persons_and_theirs_to_send_or_nothing_happens() {
    let shop = team("");
    let developer = Visitor::signed_in(&shop, &name("developer"));
    let viewer = Visitor::signed_in(&shop, &name("viewer"));
    let before = shop.newest("test");
    let fields = [("project", "shop"), ("environment", "test")];
    let token = developer.get("/projects/shop").field("form");
    let with = |token: &str| {
        [&fields[..], &[("form", token)]]
            .concat()
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect::<Vec<_>>()
    };
    let send = |visitor: &Visitor, fields: &[(String, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        visitor.post("/do/deploy", &fields).status
    };
    let others = viewer.get("/projects/shop").field("form");
    for forged in ["", "0", &"0".repeat(64), &others] {
        assert_eq!(send(&developer, &with(forged)), 403, "{forged}");
    }
    for line in
        ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"]
    {
        assert_eq!(send(&developer.with(line), &with(&token)), 403, "{line}");
    }
    assert_eq!(send(&viewer, &with(&others)), 403, "it is not a viewer's to deploy");
    assert!(!viewer.get("/projects/shop").body.contains("/do/deploy"), "and nothing offers it");
    assert_eq!(shop.newest("test"), before);
    for (operation, more) in [
        ("status", ("", "")),
        ("nothing", ("", "")),
        ("deploy", ("actor", "lead")),
        ("deploy", ("reference", "--upload-pack=x")),
    ] {
        let fields = [&fields[..], &[more]].concat();
        let fields: Vec<_> = fields.into_iter().filter(|(name, _)| !name.is_empty()).collect();
        let status = developer.submit("/projects/shop", operation, &fields).status;
        assert!([400, 404].contains(&status), "{operation} {more:?}: {status}");
    }
    assert_eq!(shop.newest("test"), before);
    let sent = developer.submit("/projects/shop", "deploy", &fields);
    assert_eq!(sent.status, 303, "{}", sent.body);
    assert_eq!(sent.header("location"), format!("/projects/shop/deployments/{}", shop.newest("test")));
    // A session does not open the API: a page elsewhere could send its cookie along.
    assert_eq!(developer.api("GET", "/projects", &Value::Null).status, 401);
}

#[test]
fn pages_cannot_be_framed_scripted_or_led_astray() {
    let shop = team("[variables]\nGREETING = \"<script>alert('variable')</script>\"\n");
    let begin = "print('<script>alert(1)</script><img src=x onerror=alert(2)>', flush=True)";
    shop.write("app.py", &shop::app("three", begin, ""));
    shop.run("git", &["checkout", "-q", "-b", "x/<script>alert(3)</script>"]);
    shop.commit("<script>alert('message')</script>");
    let admin = Visitor::signed_in(&shop, &name("admin"));
    let branch = "x/<script>alert(3)</script>";
    let sent = admin.submit(
        "/projects/shop",
        "deploy",
        &[
            ("project", "shop"),
            ("environment", "test"),
            ("reference", branch),
            ("reason", "<script>alert('reason')</script>"),
        ],
    );
    assert_eq!(sent.status, 303, "{}", sent.body);
    let number = shop.newest("test");
    until("it is deployed", || ["succeeded", "watching"].contains(&shop.state(number).as_str()));
    let pages = [
        "/projects/shop".to_owned(),
        "/projects/shop/deployments".to_owned(),
        format!("/projects/shop/deployments/{number}"),
        "/projects/shop/environments/test".to_owned(),
        "/projects/shop/environments/test?search=%3Cscript%3E".to_owned(),
        "/projects/shop/variables".to_owned(),
        "/projects/shop/data".to_owned(),
        "/projects/shop/builds".to_owned(),
        "/projects/shop/audit".to_owned(),
        "/projects/shop/environments/test?level=%3Cscript%3E&since=%3Cscript%3E&hours=%3Cscript%3E".to_owned(),
        "/projects/shop/costs".to_owned(),
        "/projects/shop/incidents".to_owned(),
        "/status/shop".to_owned(),
    ];
    for path in &pages {
        let answer = admin.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let scripts: Vec<&str> =
            answer.body.match_indices("<script").map(|(at, _)| &answer.body[at..at + 21]).collect();
        assert_eq!(scripts, ["<script src=\"/assets/"], "{path}");
        assert!(!answer.body.contains("<img") && !answer.body.contains(" style="), "{path}");
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let printed = admin.get("/projects/shop/environments/test").body;
    assert!(printed.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{printed}");

    // Another name that leads here is not served.
    let rebound = Visitor { host: "evil.example".into(), ..admin.clone() };
    assert_eq!(rebound.get("/projects/shop").status, 421);
    for path in [
        "/assets/../Cargo.toml",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/assets/",
        "/projects/..",
        "/projects/%2e%2e/data",
        "/status/..%2fshop",
        "/projects/shop/environments/..%2f..",
        "/projects/shop/deployments/-1",
        "/%00",
    ] {
        let status = admin.get(path).status;
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
    for back in ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let answer = admin.post("/language", &[("language", "es"), ("back", back)]);
        assert_eq!((answer.status, answer.header("location")), (303, "/"), "{back}");
    }
    let large = "x".repeat(100_000);
    assert_eq!(admin.post("/do/deploy", &[("reason", &large)]).status, 413);
}

#[test]
fn nothing_forged_is_taken_for_a_passkey() {
    let shop = team("");
    let nobody = Visitor::nobody(&shop);
    let challenge = || nobody.get("/sign-in").field("challenge");
    let encoded = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let client = |challenge: &str| {
        encoded(&format!(r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"http://{}"}}"#, nobody.host))
    };
    let send = |visitor: &Visitor, challenge: &str| {
        let fields = [
            ("challenge", challenge),
            ("id", "AAAA"),
            ("client", &client(challenge)),
            ("authenticator", "AAAA"),
            ("signature", "AAAA"),
        ];
        visitor.post("/sign-in/passkey", &fields)
    };
    let unknown = send(&nobody, &challenge());
    assert!(unknown.status == 400 && unknown.body.contains("not known here"), "{}", unknown.body);
    assert_eq!(unknown.header("set-cookie"), "");
    let elsewhere = nobody.with("Origin: http://evil.example");
    assert_eq!(send(&elsewhere, &challenge()).status, 403);
    let once = challenge();
    send(&nobody, &once);
    assert!(send(&nobody, &once).body.contains("out of date"), "a challenge is good once");

    let viewer = Visitor::signed_in(&shop, &name("viewer"));
    let page = viewer.get("/passkeys");
    let (form, make) = (page.field("form"), page.field("challenge"));
    let add = |visitor: &Visitor, form: &str, challenge: &str| {
        visitor.post("/passkeys/add", &[("form", form), ("challenge", challenge), ("name", "x"), ("id", "AAAA")])
    };
    assert_eq!(add(&nobody, &form, &make).status, 303, "nobody adds one to nobody");
    assert_eq!(add(&viewer, "x", &make).status, 403);
    let other = Visitor::signed_in(&shop, &name("qa"));
    let theirs = other.get("/passkeys").field("form");
    assert!(add(&other, &theirs, &make).body.contains("out of date"), "a challenge is its session's");
    assert_eq!(add(&viewer, &form, &make).status, 400);
    assert_eq!(viewer.post("/passkeys/remove", &[("form", &form), ("id", "../x")]).status, 404);
    // Whoever guesses is made to wait.
    let statuses: Vec<u16> = (0..15).map(|_| send(&nobody, "x").status).collect();
    assert_eq!(statuses[14], 429, "{statuses:?}");
}

#[test]
fn who_follows_a_flood_of_lines_and_reads_none_is_cut_off_and_costs_no_memory() {
    let shop = team("");
    let flood = "def flood():\n    while True:\n        print('x' * 400 + '\\n' * 1 + ('y' * 400 + '\\n') * 400, flush=True); time.sleep(0.05)\n\
                 threading.Thread(target=flood, daemon=True).start()";
    shop.write("app.py", &shop::app("flood", flood, ""));
    shop.commit("flood");
    shop.ok(&["deploy", "-e", "test"]);
    let viewer = Visitor::signed_in(&shop, &name("viewer"));
    let page = viewer.get("/projects/shop/environments/test?lines=5000");
    assert!(page.status == 200 && page.body.len() < 2 << 20, "{} bytes", page.body.len());
    let search = viewer.get("/projects/shop/environments/test?search=never&since=1h");
    assert!(search.status == 200 && search.body.len() < 100_000, "{} bytes", search.body.len());
    let before = memory(&shop);
    let stuck: Vec<_> = (0..20)
        .map(|_| viewer.stream("GET", "/projects/shop/environments/test/logs/live?lines=5000", "", ""))
        .collect();
    until("all are cut off", || {
        // What is written to a connection that the other end gave up fails, at the latest the second time.
        stuck.iter().all(|mut stream| std::io::Write::write_all(&mut stream, b"\r\n").is_err())
    });
    let grown = memory(&shop).saturating_sub(before);
    // Two gigabytes were printed for them meanwhile.
    assert!(grown < 200 << 10, "the daemon grew by {grown} KB");
    assert_eq!(viewer.get("/projects/shop").status, 200);
}

#[test]
fn a_hundred_who_look_on_and_one_who_reads_slowly_hear_of_a_change() {
    let shop = team("");
    let developer = Visitor::signed_in(&shop, &name("developer"));
    let live = |visitor: &Visitor| visitor.stream("GET", "/projects/shop/live", "", "");
    // One that is never read.
    let _slow = live(&developer);
    let before = memory(&shop);
    let mut all: Vec<_> = (0..100).map(|_| live(&developer)).collect();
    let sent = developer.submit("/projects/shop", "deploy", &[("project", "shop"), ("environment", "test")]);
    assert_eq!(sent.status, 303, "{}", sent.body);
    for (n, stream) in all.iter_mut().enumerate() {
        let (mut heard, mut part) = (String::new(), [0; 4096]);
        while !heard.contains("event: changed") {
            let count = stream.read(&mut part).unwrap();
            assert!(count > 0, "browser {n} was cut off: {heard}");
            heard.push_str(&String::from_utf8_lossy(&part[..count]));
        }
    }
    let grown = memory(&shop).saturating_sub(before);
    assert!(grown < 30 << 10, "the daemon grew by {grown} KB for a hundred browsers");
    // Who signs out hears no more.
    let other = Visitor::signed_in(&shop, &name("qa"));
    let mut stream = live(&other);
    let token = other.get("/projects/shop").field("form");
    assert_eq!(other.post("/sign-out", &[("form", &token)]).status, 303);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
}

#[test]
fn the_command_line_drives_a_daemon_elsewhere_with_a_token() {
    let shop = team("");
    let url = shop.json(&["dashboard"])["url"].as_str().unwrap().to_owned();
    let elsewhere = tempfile::tempdir().unwrap();
    let token = |role: &str| {
        let made = shop.json(&["token", "create", role, "--role", role, "--user", &name(role)]);
        made["secret"].as_str().unwrap().to_owned()
    };
    let (developer, approver) = (token("developer"), token("approver"));
    // Another machine: its own state folder, where no daemon runs and none is started.
    let run = |token: &str, arguments: &[&str]| {
        let arguments = [&["--remote", &url], arguments].concat();
        let mut command = shop.machine.command(&shop.project, &arguments);
        command.env("AMBIT_HOME", elsewhere.path()).env("AMBIT_TOKEN", token).output().unwrap()
    };
    let ok = |token: &str, arguments: &[&str]| {
        let output = run(token, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        text(&output)
    };
    assert!(ok(&developer, &["status"]).contains("prod"));
    shop.version("two");
    let said = ok(&developer, &["deploy", "-e", "test", "--reason", "a try"]);
    assert!(said.contains("is live in test"), "{said}");
    assert_eq!(shop.body("test.shop.localhost"), "two");
    shop.ok(&["qa", "approve", "-e", "test", "--note", "good"]);
    let said = ok(&developer, &["promote", "test", "prod"]);
    assert!(said.contains("waits for a yes"), "{said}");
    let number = shop.newest("prod").to_string();
    assert!(ok(&developer, &["gates", "prod"]).contains("qa"));
    let refused = run(&developer, &["approve", &number, "--reason", "mine"]);
    assert!(!refused.status.success() && text(&refused).contains("approver"), "{}", text(&refused));
    let said = ok(&approver, &["approve", &number, "--reason", "good", "--wait"]);
    assert!(said.contains("is live in prod"), "{said}");
    assert!(ok(&developer, &["deployments", "-e", "prod"]).contains("succeeded"));
    assert!(ok(&developer, &["rollback", "prod"]).contains("is live in prod"));
    assert_eq!(shop.body("shop.localhost"), "one");
    assert!(ok(&developer, &["logs", "-e", "test", "--since", "1h"]).contains("[ambit]"));
    for nothing in [["--level", "error"], ["--release", "xyz"], ["--until", "1d"]] {
        assert_eq!(ok(&developer, &[&["logs", "-e", "test"], &nothing[..]].concat()), "", "{nothing:?}");
    }
    for bad in [&["destroy", "prod"][..], &["logs", "-f"], &["logs", "--grep", "x"], &["backup", "now", "-e", "prod"]] {
        let output = run(&approver, bad);
        assert!(!output.status.success() && text(&output).contains("not supported yet"), "{}", text(&output));
    }
    assert!(text(&run("ambit_wrong", &["status"])).contains("not good"));
    assert!(text(&run("", &["status"])).contains("AMBIT_TOKEN"));
    assert!(!elsewhere.path().join("run/daemon.lock").exists());
}
