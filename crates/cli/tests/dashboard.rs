//! The dashboard as people use it, in Chromium: a push that is watched, approved and taken back; a restore to a moment; QA's
//! no. Every page is looked at in light and dark, wide and narrow; pictures of them lie in `target/dashboard`.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may panic, and says where it is skipped.

#[path = "support/browser.rs"]
mod browser;
#[path = "support/load.rs"]
mod load;
#[path = "support/shop.rs"]
mod shop;
mod support;
#[path = "support/visit.rs"]
mod visit;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use ambit_simulators::apk::{Apk, Key};
use browser::{Browser, Look};
use serde_json::{Value, json};
use shop::Shop;
use support::{git, until};

const LOOKS: [Look; 4] = [
    Look { dark: false, width: 1280 },
    Look { dark: true, width: 1280 },
    Look { dark: false, width: 320 },
    Look { dark: true, width: 320 },
];

/// A browser at the dashboard of a shop.
struct Desk<'a> {
    browser: Browser,
    shop: &'a Shop,
    base: String,
}

impl<'a> Desk<'a> {
    fn new(browser: Browser, shop: &'a Shop) -> Self {
        let base = shop.json(&["dashboard"])["url"].as_str().unwrap().to_owned();
        let desk = Self { browser, shop, base };
        desk.open("/sign-in");
        desk.browser.until_text("h1", "Sign in");
        desk.browser.click("form[action='/language'] button");
        desk.browser.until_text("h1", "Entrar");
        desk
    }

    fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.base));
    }

    /// By the link that `ambit login` prints on the machine.
    fn sign_in(&self, user: &str) {
        let link = self.shop.json(&["login", "--user", user]);
        self.browser.open(link["urls"][0].as_str().unwrap());
        self.browser.until_text("main", user);
        self.browser.click("main form button");
        self.browser.until_text("header .who", user);
    }

    /// Nobody is kept out, nothing is cut off, nothing went wrong.
    fn is_sound(&self, name: &str) {
        for look in LOOKS {
            self.browser.look(look);
            assert_eq!(self.browser.violations(), [""; 0], "{name}, {look:?}");
            assert!(!self.browser.is_too_wide(), "{name}, {look:?}: a person has to scroll sideways");
            let scheme = if look.dark { "dark" } else { "light" };
            self.browser.picture(&pictures().join(format!("{name}-{scheme}-{}.png", look.width)));
        }
        self.browser.look(LOOKS[0]);
        assert_eq!(self.browser.console(), [""; 0], "{name}");
    }

    /// Opens what is folded and sends the form below it.
    fn unfold_and_send(&self, details: &str, form: &str, fields: &[(&str, &str)]) {
        self.browser.click(&format!("{details} summary"));
        self.send(&format!("{details} {form}"), fields);
    }

    fn send(&self, form: &str, fields: &[(&str, &str)]) {
        for (name, text) in fields {
            self.browser.fill(&format!("{form} [name={name}]"), text);
        }
        self.browser.click(&format!("{form} button"));
    }
}

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../dashboard")
}

#[test]
fn a_push_is_watched_approved_with_the_evidence_in_view_and_taken_back() {
    let Some(browser) = Browser::start() else { return };
    let toml = "[environments.test]\nkind = \"staging\"\nbranch = \"main\"\nsoak = \"1s\"\n\
                [environments.prod]\ntag = \"v*\"\napprovers = [\"lead@example.org\"]\ngates = [\"qa\", \"variables\"]\nsoak = \"2s\"\n\
                [costs]\nbudget = 20\n[costs.shared]\nexpo = [0, 0, 29]\n[costs.prod]\napp = [5, 10]\n[costs.host.prod]\nserver = 5\n\
                [costs.railway.prod]\nserver = 7\n[costs.stated]\nall = { minimum = 5, recommended = 15 }\n\
                [secrets]\nOPTIONAL = { required = false }\n[variables]\nGREETING = { test = \"hola\", prod = \"hello\" }\n";
    let shop = Shop::new(&["test", "prod"], toml);
    shop.version("one");
    git(&shop.project, &["tag", "v1.0.0"]);
    shop.up();
    shop.ok(&["remote", "add"]);
    shop.ok(&["user", "add", "lead@example.org", "--role", "approver"]);
    let desk = Desk::new(browser, &shop);
    let browser = &desk.browser;

    desk.open("/");
    browser.until_text("main", "ambit login");
    desk.is_sound("sign-in");
    desk.sign_in("lead@example.org");
    desk.open("/projects/shop");
    browser.until_text("#lane-test", "test");
    // A page that was loaded anew would not know this any more.
    browser.script("window.sameBefore = true", &json!([]));
    shop.version("two");
    let pushed = Command::new("git").args(["push", "ambit", "main"]).current_dir(&shop.project).spawn().unwrap();
    let mut pushed = pushed;
    browser.until_text("[data-part=lane-test]", "two");
    until("test serves it", || shop.body("test.shop.localhost") == "two");
    assert!(pushed.wait().unwrap().success());
    browser.until_text("[data-part=lane-prod] summary", "1 cambios");
    assert_eq!(browser.script("return window.sameBefore", &json!([])), true, "the page followed by itself");

    desk.send("form[action='/do/promote']", &[]);
    browser.until_text("h1", "→ prod");
    browser.until_text("[data-part=state]", "espera un sí");
    desk.is_sound("deployment");
    desk.open("/projects/shop");
    browser.until_text("[data-part=lane-prod] .gates", "qa");
    browser.until_text("[data-part=lane-prod] .gates", "pendiente");
    desk.unfold_and_send("#verdict-test", "form:first-of-type", &[("comment", "probado en tres teléfonos")]);
    browser.until_text("[data-part=lane-prod] .gates", "probado en tres teléfonos");
    desk.is_sound("pipeline");
    assert_eq!(shop.body("shop.localhost"), "one");
    let lane = "[data-part=lane-prod]";
    assert_eq!(
        browser.script(
            "return document.querySelectorAll(arguments[0]).length",
            &json!([format!("{lane} form[action='/do/approve']")])
        ),
        1
    );
    desk.send(&format!("{lane} form[action='/do/approve']"), &[("reason", "todo en orden")]);
    browser.until_text("h1", "→ prod");
    browser.until_text("[data-part=state]", "en observación");
    browser.until_text("[data-part=steps]", "hecho");
    browser.until_text("[data-part=state]", "con éxito");
    browser.until_text("[data-part=log]", "switch");
    assert_eq!(shop.body("shop.localhost"), "two");

    desk.open("/projects/shop");
    desk.unfold_and_send("#rollback-prod", "form", &[("reason", "se ve mal")]);
    browser.until_text("h1", "→ prod");
    browser.until_text("[data-part=state]", "con éxito");
    assert_eq!(shop.body("shop.localhost"), "one");

    for (path, name, text) in [
        ("/projects/shop/environments/test", "environment", "Registros"),
        ("/projects/shop/deployments", "deployments", "rollback"),
        ("/projects/shop/variables", "variables", "secreto, falta"),
        ("/projects/shop/audit", "audit", "deployment.approved"),
        ("/projects/shop/builds", "builds-none", "ninguna"),
        ("/projects/shop/data", "data-none", "No tiene copias"),
        ("/projects/shop/costs", "costs", "no coincide"),
        ("/projects/shop/incidents", "incidents-none", "No hubo ninguna"),
        ("/status/shop", "status", "Todo funciona"),
    ] {
        desk.open(path);
        browser.until_text("main", text);
        desk.is_sound(name);
    }
    let entries = shop.json(&["log", "-e", "prod"]);
    let approved = entries.as_array().unwrap().iter().find(|e| e["what"] == "deployment.approved").unwrap();
    assert_eq!((&approved["who"], &approved["from"]), (&json!("lead@example.org"), &json!("dashboard")));

    desk.open("/projects/shop/audit?environment=prod");
    browser.click("form[action='/language'] button");
    browser.until_text("header", "Sign out");
    browser.until_text("h1", "Audit");
    assert!(browser.script("return location.href", &json!([])).as_str().unwrap().ends_with("/audit?environment=prod"));
    browser.click("form[action='/sign-out'] button");
    browser.until_text("main", "ambit login");
    desk.open("/projects/shop");
    browser.until_text("main", "ambit login");
}

#[test]
fn an_incident_is_told_to_the_world_and_ends() {
    let Some(browser) = Browser::start() else { return };
    let shop = Shop::new(&["test", "prod"], "[environments.test]\nkind = \"staging\"\n[environments.prod]\n");
    shop.version("one");
    shop.up();
    for (name, role) in [("lead", "approver"), ("eva", "developer")] {
        shop.ok(&["user", "add", name, "--role", role]);
    }
    let desk = Desk::new(browser, &shop);
    let browser = &desk.browser;
    desk.open("/status/shop");
    browser.until_text("main", "Todo funciona");
    browser.until_text("main", "Ninguna en los últimos 90 días");
    desk.sign_in("lead");
    desk.open("/projects/shop/incidents");
    browser.click("#open-incident summary");
    browser.fill("#open-incident [name=title]", "Los pagos <script>alert(1)</script> fallan");
    browser.fill("#open-incident [name=services]", "app");
    browser.fill("#open-incident [name=text]", "Desde las 10:02.\nLo miramos & avisamos.");
    desk.is_sound("incidents-form");
    browser.click("#open-incident button");
    browser.until_text(".incident h2", "<script>alert(1)</script>");
    desk.is_sound("incidents");
    let number = shop.json(&["incident"])["incidents"][0]["number"].to_string();
    shop.ok(&["incident", "update", &number, "--text", "Es el <b>disco</b>."]);
    browser.until_text(".incident", "Es el <b>disco</b>.");

    browser.click("form[action='/sign-out'] button");
    browser.until_text("main", "ambit login");
    desk.open("/status/shop");
    browser.until_text("main", "Algo no funciona");
    browser.until_text(".incident", "Los pagos <script>alert(1)</script> fallan");
    browser.until_text(".incident", "Lo miramos & avisamos.");
    assert!(!browser.text("main").contains("lead"), "who wrote it is nobody's business");
    desk.is_sound("status-incident");

    desk.sign_in("eva");
    desk.open("/projects/shop/incidents");
    browser.until_text(".incident", "disco");
    assert_eq!(
        browser.script("return document.querySelectorAll('main form').length", &json!([])),
        0,
        "a developer tells the world nothing"
    );
    desk.open("/status/shop");
    browser.until_text("[data-part=rest]", "test");
    shop.ok(&["incident", "resolve", &number, "--text", "Todo en orden."]);
    browser.until_text("[data-part=past]", "Todo en orden.");
    browser.until_text("[data-part=now]", "Todo funciona");
    desk.is_sound("status-past");
}

#[test]
fn a_passkey_signs_in_until_it_is_removed() {
    let Some(browser) = Browser::start() else { return };
    let shop = Shop::new(&["test"], "[environments.test]\nkind = \"staging\"\n");
    shop.version("one");
    shop.up();
    shop.ok(&["user", "add", "ana", "--role", "viewer"]);
    browser.add_passkey_device();
    let desk = Desk::new(browser, &shop);
    let browser = &desk.browser;
    let sign_in = "form[data-passkey=use] button";
    desk.open("/sign-in");
    browser.click(sign_in);
    browser.until_text("[data-passkey-failed]", "No se pudo usar");

    desk.sign_in("ana");
    desk.open("/passkeys");
    browser.until_text("main", "Aún no tienes ninguna");
    desk.send("form[data-passkey=make]", &[("name", "mi <b>portátil</b>")]);
    browser.until_text("[data-part=passkeys]", "mi <b>portátil</b>");
    browser.until_text("[data-part=passkeys]", "aún sin usar");
    desk.is_sound("passkeys");
    // A device keeps one for each person: it is not made twice.
    desk.send("form[data-passkey=make]", &[("name", "otra")]);
    browser.until_text("[data-passkey-failed]", "No se pudo crear");

    for _ in 0..2 {
        browser.click("form[action='/sign-out'] button");
        browser.until_text("main", "ambit login");
        browser.click(sign_in);
        browser.until_text("header .who", "ana");
    }
    desk.open("/passkeys");
    browser.until_text("[data-part=passkeys]", "usada por última vez");
    browser.click("form[action='/passkeys/remove'] button");
    browser.until_text("main", "Aún no tienes ninguna");
    browser.click("form[action='/sign-out'] button");
    browser.until_text("main", "ambit login");
    browser.click(sign_in);
    browser.until_text("main [role=alert]", "not known here");
    let what: Vec<String> =
        shop.json(&["log"]).as_array().unwrap().iter().map(|e| e["what"].as_str().unwrap().to_owned()).collect();
    for noted in ["passkey.added", "passkey.removed", "user.signed-in"] {
        assert!(what.iter().any(|what| what == noted), "{noted}: {what:?}");
    }
}

#[test]
fn logs_are_searched_and_followed() {
    let Some(browser) = Browser::start() else { return };
    let shop = Shop::new(&["test"], "[environments.test]\nkind = \"staging\"\nbranch = \"main\"\n");
    shop.write(
        "app.py",
        &shop::app(
            "one",
            "print('<b>began</b>', flush=True); print('WARN </pre><script>alert(1)</script> is near', flush=True)",
            "print('asked', self.path, flush=True)",
        ),
    );
    shop.commit("one");
    shop.up();
    shop.ok(&["user", "add", "ana", "--role", "viewer"]);
    let desk = Desk::new(browser, &shop);
    let browser = &desk.browser;
    desk.sign_in("ana");
    desk.open("/projects/shop/environments/test");
    browser.until_text("#lines", "<b>began</b>");
    browser.fill("[name=search]", "BEGAN");
    browser.click(".filter button:not([type=button])");
    browser.until_text("#lines", "<b>began</b>");
    assert!(!browser.text("#lines").contains("asked"), "{}", browser.text("#lines"));
    let only = |query: &str, wanted: &str| {
        desk.open(&format!("/projects/shop/environments/test?{query}#logs"));
        browser.until_text("#lines", wanted);
        browser.text("#lines")
    };
    let grave = only("level=warn", "</pre><script>alert(1)</script> is near");
    assert!(!grave.contains("began"), "{grave}");
    assert!(only("since=1h&search=began", "began").contains("began"));
    let release = browser.text("[data-part=services] tbody td:nth-of-type(2)");
    let release = release.split_whitespace().next().unwrap();
    assert!(only(&format!("release={release}"), "began").contains("near"));
    desk.open("/projects/shop/environments/test?until=1h");
    browser.until_text("main", "No hay tal línea");
    desk.open("/projects/shop/environments/test?since=yesterday");
    browser.until_text("main [role=alert]", "since");
    desk.open("/projects/shop/environments/test");
    browser.fill("[name=search]", "/new");
    browser.click("[data-follow]");
    shop.machine.get("test.shop.localhost", "/new");
    browser.until_text("#lines", "asked /new");
    assert!(!browser.text("#lines").contains("began"));
    desk.is_sound("logs");
    assert!(!browser.text("main").contains("Desplegar"), "a viewer is offered nothing to do");
}

#[test]
fn what_was_measured_is_drawn_and_said() {
    let Some(browser) = Browser::start() else { return };
    let shop = Shop::new(&["prod"], "[environments.prod]\n");
    shop.version("one");
    shop.up();
    shop.ok(&["user", "add", "ana", "--role", "viewer"]);
    let desk = Desk::new(browser, &shop);
    let browser = &desk.browser;
    desk.sign_in("ana");
    desk.open("/projects/shop/environments/prod");
    browser.until_text("[data-part=measured]", "No se midió nada");
    // Half an hour, as the monitor writes it; with an outage of ten minutes.
    let metrics = rusqlite::Connection::open(shop.machine.folder.path().join("home/metrics.db")).unwrap();
    let minute = i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs())
        .unwrap()
        / 60;
    for (series, value) in [
        ("cpu/app", 0.25),
        ("memory/app", 64.0 * 1024.0 * 1024.0),
        ("restarts/app", 0.0),
        ("requests/app", 41.5),
        ("p50/app", 3.0),
        ("p95/app", 12.25),
        ("uptime/app http://shop.localhost", 1.0),
    ] {
        let add = "INSERT INTO series (project, environment, name) VALUES ('shop', 'prod', ?1)";
        metrics.execute(add, [series]).unwrap();
        let number = metrics.last_insert_rowid();
        for n in 0..30 {
            let down = series.starts_with("uptime") && n < 10;
            let value = if down { 0.0 } else { value };
            metrics
                .execute("INSERT INTO minute VALUES (?1, ?2, ?3)", rusqlite::params![number, minute - 30 + n, value])
                .unwrap();
        }
    }
    desk.open("/projects/shop/environments/prod?hours=1");
    browser.until_text("[data-part=measured]", "ahora 25.0 %");
    browser.until_text("[data-part=measured]", "64 MB");
    browser.until_text("[data-part=measured]", "p95: ahora 12.2 ms");
    browser.until_text("[data-part=measured]", "41.50");
    let drawn = "return [...document.querySelectorAll('.chart svg')].map((one) => one.getAttribute('aria-label'))";
    assert_eq!(browser.script(drawn, &json!([])).as_array().unwrap().len(), 5);
    desk.is_sound("measured");
    desk.open("/status/shop");
    browser.until_text("[data-part=services]", "66.66 %");
    assert!(!browser.text("main").contains("shop.localhost"), "hosts are nobody's business");
    browser.click("[data-part=services] summary");
    desk.is_sound("status-uptime");
}

#[test]
fn a_database_is_restored_to_a_moment_that_was_picked() {
    let Some(browser) = Browser::start() else { return };
    if Command::new("pgbackrest").arg("version").output().is_err() {
        eprintln!("skipped: there is no pgbackrest (apt-get install pgbackrest)");
        return;
    }
    let toml =
        "[environments.prod]\nbackup = { every = \"6h\", keep = \"7d\", point-in-time = true }\n[services.postgres]\n";
    let shop = Shop::new(&["prod"], toml);
    shop.commit("one");
    shop.up();
    let sql = |statement: &str| {
        shop.ok(&["psql", "-e", "prod", "--", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement]).trim().to_owned()
    };
    sql("CREATE TABLE orders (id bigint PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 500)");
    shop.ok(&["backup", "now", "-e", "prod"]);
    shop.ok(&["user", "add", "root@example.org", "--role", "admin"]);
    // The moment is picked to the second: the first is over when the second begins.
    let second = || sql("SELECT extract(epoch FROM now())::bigint");
    let good = second();
    until("a second is over", || second() != good);
    let between = sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')");
    let then = second();
    until("another is over", || second() != then);
    sql("DELETE FROM orders WHERE id > 10");
    assert_eq!(sql("SELECT count(*) FROM orders"), "10");

    let desk = Desk::new(browser, &shop);
    let browser = &desk.browser;
    desk.sign_in("root@example.org");
    desk.open("/projects/shop/data");
    browser.until_text("[data-part=backups-prod]", "probada");
    browser.until_text("[data-part=backups-prod]", "Se puede restaurar cualquier momento");
    desk.is_sound("data");
    let form = "form[action='/do/restore']";
    let pick =
        "const field = document.querySelector(arguments[0]); field.value = arguments[1]; return field.validity.valid;";
    assert_eq!(browser.script(pick, &json!([format!("{form} [name=moment]"), between])), true);
    browser.click(&format!("{form} button"));
    browser.until_text("[data-part=works-prod]", "orders: 500");
    assert_eq!(sql("SELECT count(*) FROM orders"), "10", "nothing is replaced before a yes");
    desk.is_sound("data-restored");
    let place = "form[action='/do/put-in-place']";
    desk.send(place, &[("confirm", "production")]);
    browser.until_text("main", "nothing was changed");
    desk.open("/projects/shop/data");
    desk.send(place, &[("confirm", "prod")]);
    until("it is in place", || {
        let output = shop.ambit(&["psql", "-e", "prod", "--", "-qAt", "-c", "SELECT count(*) FROM orders"]);
        String::from_utf8_lossy(&output.stdout).trim() == "500"
    });
    browser.until_text("[data-part=works-prod]", "estuvo en servicio hasta una restauración");
    let entries = shop.json(&["log", "-e", "prod"]);
    let placed = entries.as_array().unwrap().iter().find(|e| e["what"] == "restore.in-place").unwrap();
    assert_eq!(placed["who"], "root@example.org");
}

#[test]
fn what_becomes_of_each_column_is_reviewed_and_a_copy_tells_what_it_found() {
    let Some(browser) = Browser::start() else { return };
    let toml = "[environments.test]\nkind = \"staging\"\n[environments.prod]\n[services.postgres]\n";
    let shop = Shop::new(&["test", "prod"], toml);
    shop.commit("one");
    shop.up();
    let sql = "CREATE TABLE people (id bigint PRIMARY KEY, email text, \"<script>alert(1)</script>\" text);\
               INSERT INTO people SELECT i, 'persona' || i || '@empresa.example', 'x' FROM generate_series(1, 50) i";
    shop.ok(&["psql", "-e", "prod", "--", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", sql]);
    shop.ok(&["user", "add", "ana", "--role", "viewer"]);
    let desk = Desk::new(browser, &shop);
    let browser = &desk.browser;
    desk.sign_in("ana");
    let review = "/projects/shop/environments/prod/classification";
    desk.open(review);
    browser.until_text("main", "antes no se hace ninguna copia enmascarada");
    let decided = "[public.people]\nemail = \"text -> email\"  # <b>addresses</b> of people\ngone = \"text -> keep\"\n";
    shop.write("masking.toml", decided);
    desk.open(review);
    browser.until_text("section[aria-labelledby=settled]", "<b>addresses</b> of people");
    browser.until_text("section[aria-labelledby=open]", "<script>alert(1)</script>");
    browser.until_text("section[aria-labelledby=open]", "public.people.gone");
    assert!(!browser.text("main").contains("persona7@"), "values are shown to nobody");
    desk.is_sound("classification");
    shop.write("masking.toml", "[public.people]\nemail = 5\n");
    desk.open(review);
    browser.until_text("main [role=alert]", "masking.toml is wrong");
    assert!(browser.console()[0].contains("422"), "a page that tells a failure is none that worked");
    shop.write("masking.toml", decided);
    shop.ok(&["data", "classify", "-e", "prod"]);
    shop.ok(&["data", "copy", "prod", "test"]);
    desk.open("/projects/shop/data");
    browser.until_text("[data-part=backups-test]", "sin fugas");
    browser.click("#leaks-test summary");
    browser.until_text("#leaks-test", "public.people: 50/50 filas");
    desk.is_sound("data-copied");
}

#[test]
fn qa_rejects_a_build_and_says_why() {
    let Some(browser) = Browser::start() else { return };
    let toml = "domain = \"shop.example\"\n[environments.test]\nkind = \"staging\"\nbranch = \"main\"\n\
                [services.downloads]\nstatic = \"web\"\nurl = { test = \"test.@/downloads\" }\n\
                [mobile]\napi = \"app\"\npackage = { test = \"com.example.shop.test\" }\nname = \"Shop\"\nprofiles = { preview-test = \"test\" }\n";
    let shop = Shop::new(&["test"], toml);
    shop.write("web/index.html", "downloads");
    shop.commit("one");
    shop.up();
    for (name, role) in [("ana", "qa"), ("eva", "developer")] {
        shop.ok(&["user", "add", name, "--role", role]);
    }
    let file = shop.machine.folder.path().join("app.apk");
    std::fs::write(&file, Apk::new("com.example.shop.test", 6, "1.2.0").signed(&Key::new())).unwrap();
    let build = shop.json(&["mobile", "publish", file.to_str().unwrap(), "-e", "test"]);
    let desk = Desk::new(browser, &shop);
    let browser = &desk.browser;
    desk.sign_in("ana");
    desk.open("/projects/shop/builds");
    browser.until_text(".build", "1.2.0");
    desk.is_sound("builds");
    let forms = "const forms = [...document.querySelectorAll(\"form[action='/do/verdict']\")];\
                 return forms.map((form) => form.elements.yes.value);";
    assert_eq!(browser.script(forms, &json!([])), json!(["true", "false"]));
    let no = ".build form:nth-of-type(2)";
    desk.send(no, &[("comment", "no se ve <b>el mapa</b>")]);
    browser.until_text(".build", "rechazada");
    browser.until_text(".build", "no se ve <b>el mapa</b>");
    let all = shop.json(&["mobile", "builds"]);
    let rejected: &Value = &all.as_array().unwrap()[0];
    assert_eq!(rejected["id"], build["build"]["id"].as_str().map_or_else(|| rejected["id"].clone(), |id| json!(id)));
    assert_eq!((&rejected["verdict"]["yes"], &rejected["verdict"]["actor"]["who"]), (&json!(false), &json!("ana")));

    browser.click("form[action='/sign-out'] button");
    desk.sign_in("eva");
    desk.open("/projects/shop/builds");
    browser.until_text(".build", "rechazada");
    assert_eq!(browser.script(forms, &json!([])), json!([]), "a developer does not speak for QA");
}
