//! Kaia's sites as people meet them: in Chromium, served by the real proxy, against the real backend of their environment.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may panic, and says where it is skipped.

#[path = "support/browser.rs"]
mod browser;
#[path = "support/kaia.rs"]
mod kaia;
mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use ambit_simulators::apk::{Apk, Key};
use browser::{Browser, Look};
use kaia::{ADMINISTRATOR, Kaia, PASSWORD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{git, until};

const LOOKS: [Look; 4] = [
    Look { dark: false, width: 1280 },
    Look { dark: true, width: 1280 },
    Look { dark: false, width: 320 },
    Look { dark: true, width: 320 },
];
const GUIDES: [&str; 6] = ["guia-desarrollo", "guia-qa", "guia-lider", "guide-developers", "guide-qa", "guide-lead"];
const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E007}";

/// What must hold of a page in whatever state it is: nobody is kept out, nothing is cut off, nothing went wrong.
fn is_sound(browser: &Browser, state: &str) {
    for look in LOOKS {
        browser.look(look);
        assert_eq!(browser.violations(), [""; 0], "{state}, {look:?}");
        assert!(!browser.is_too_wide(), "{state}, {look:?}: a person has to scroll sideways");
    }
    assert_eq!(browser.console(), [""; 0], "{state}");
}

fn log_in(browser: &Browser, email: &str, password: &str) {
    browser.fill("#email", email);
    browser.fill("#password", password);
    browser.click("#login button");
}

#[test]
fn every_page_is_open_to_everybody_and_says_its_environment_unless_it_is_production() {
    let Some(browser) = Browser::start() else { return };
    let kaia = Kaia::new(&["test", "prod"]);
    kaia.begin();
    for environment in ["test", "prod"] {
        let pages = ["web", "downloads", "docs", "admin"].map(|site| (kaia.url(environment, site), site));
        for (url, site) in pages {
            let state = format!("{site} of {environment}");
            browser.open(&url);
            browser.until_text("footer [role=status]", "API en línea");
            if site == "downloads" {
                browser.until_text("#content", "Todavía no hay ninguna versión");
                let said = browser.console();
                assert!(said.iter().all(|line| line.contains("builds/index.json") && line.contains("404")), "{said:?}");
            }
            if site == "docs" {
                browser.until_text("#content h1", "Kaia");
            }
            assert_eq!(browser.text(".banner").contains("test"), environment == "test", "{state}");
            assert_eq!(
                browser.title().starts_with("[test] Kaia"),
                environment == "test",
                "{state}: {}",
                browser.title()
            );
            assert_eq!(browser.text("footer").contains("Ambiente: test"), environment == "test", "{state}");
            assert!(browser.text("footer").contains(&kaia.url(environment, "backend")), "{state}");
            is_sound(&browser, &state);
        }
    }

    browser.open(&kaia.url("test", "web"));
    browser.press(TAB);
    browser.press(ENTER);
    let focus = browser.script("return document.activeElement.id", &json!([]));
    assert_eq!(focus, "main", "the first stop of the keyboard leads to the content");
    for (link, there) in [("Descargas", "downloads"), ("Documentación", "docs")] {
        let script = "return [...document.querySelectorAll('.top a')].find((a) => a.innerText === arguments[0]).href";
        let leads = browser.script(script, &json!([link]));
        assert_eq!(leads.as_str().unwrap().trim_end_matches('/'), kaia.url("test", there));
    }
}

#[test]
fn the_docs_show_the_whole_api_and_every_guide() {
    let Some(browser) = Browser::start() else { return };
    let kaia = Kaia::new(&["test"]);
    kaia.begin();
    let docs = kaia.url("test", "docs");
    browser.open(&docs);
    let document = "return fetch(AMBIT.variables.API_URL + '/api/v1/openapi.json').then((answer) => answer.json())";
    let document = browser.script(document, &json!([]));
    let mut operations: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    browser.until_text("#content", "Esquemas");
    let shown = "return [...document.querySelectorAll('.operation .method')].map((m) => m.innerText + ' ' + m.nextSibling.innerText)";
    let mut shown: Vec<String> = serde_json::from_value(browser.script(shown, &json!([]))).unwrap();
    operations.sort();
    shown.sort();
    assert_eq!(shown, operations);
    browser.script("for (const one of document.querySelectorAll('details')) one.open = true", &json!([]));
    let text = browser.text("#content");
    for artefact in ["[object", "undefined", "null,", "NaN"] {
        assert!(!text.contains(artefact), "{artefact} is shown");
    }
    for schema in document["components"]["schemas"].as_object().unwrap().keys() {
        let place = format!("[id='api/schema/{schema}']");
        assert!(browser.text(&place).contains(schema), "{schema} has no place");
    }
    is_sound(&browser, "the reference, all of it open");

    for odd in ["%", "constructor", "api/schema/%3Cb%3E", "guia-nadie"] {
        browser.open("about:blank");
        browser.open(&format!("{docs}#{odd}"));
        browser.until_text("#content h1", "Kaia");
        assert_eq!(browser.console(), [""; 0], "{odd}");
    }
    for guide in GUIDES {
        browser.open(&format!("{docs}#{guide}"));
        let text = std::fs::read_to_string(kaia.project.join(format!("web/docs/guides/{guide}.md"))).unwrap();
        let mut in_code = false;
        let headings: Vec<&str> = text
            .lines()
            .filter(|line| {
                in_code ^= line.starts_with("```");
                !in_code && line.starts_with('#')
            })
            .map(|line| line.trim_start_matches('#').trim())
            .collect();
        browser.until_text("#content h1", headings[0]);
        let shown = "return [...document.querySelectorAll('#content :is(h1, h2, h3)')].map((h) => h.innerText)";
        assert_eq!(browser.script(shown, &json!([])), json!(headings));
        let text = browser.text("#content");
        for mark in ["`", "**", "](", "\n|"] {
            assert!(!text.contains(mark), "{guide} shows {mark:?} as it is written");
        }
        let language = browser.script("return document.querySelector('#content article').lang", &json!([]));
        assert_eq!(language, if guide.starts_with("guia") { "es" } else { "en" });
        is_sound(&browser, guide);
    }
}

#[test]
fn an_administrator_sees_who_is_there_and_what_they_planned() {
    let Some(browser) = Browser::start() else { return };
    let kaia = Kaia::new(&["test"]);
    kaia.begin();
    kaia.ambit(&["seed", "-e", "test"]);
    let many = "INSERT INTO users (email, name, password_hash) \
                SELECT 'p' || n || '@example.org', '<b>Persona</b> ' || n, 'x' FROM generate_series(1, 60) n";
    kaia.ambit(&["psql", "-e", "test", "--", "-qc", many]);
    let known = kaia.ambit(&["psql", "-e", "test", "--", "-Atc", "SELECT count(*) FROM users"]);

    // By the keyboard alone.
    browser.open(&kaia.url("test", "admin"));
    browser.until_text("#login h1", "Entrar");
    is_sound(&browser, "the form");
    browser.script("document.getElementById('email').focus()", &json!([]));
    browser.press(&format!("{ADMINISTRATOR}{TAB}wrong{TAB}{ENTER}"));
    browser.until_text("#message", "El correo o la contraseña no son correctos");
    assert!(browser.console().iter().all(|line| line.contains("401")));
    is_sound(&browser, "the form with an error");
    log_in(&browser, "dev@kaia.ai", PASSWORD);
    browser.until_text("#message", "no tiene permisos");
    assert_eq!(browser.script("return sessionStorage.length", &json!([])), 0, "nothing of the session is left");

    log_in(&browser, ADMINISTRATOR, PASSWORD);
    browser.until_text("#section-name", "Usuarios");
    browser.until_text("#inside", "25 en la lista");
    assert!(browser.text(".tiles").contains(known.trim()), "{}", browser.text(".tiles"));
    let kept = browser.script("return [localStorage.length, document.cookie, sessionStorage.length]", &json!([]));
    assert_eq!(kept, json!([0, "", 1]), "a session is this tab's alone");
    browser.console();
    is_sound(&browser, "users");

    let all: usize = known.trim().parse().unwrap();
    for wanted in [50, all] {
        browser.script(
            "[...document.querySelectorAll('button')].find((b) => b.innerText === 'Mostrar más').click()",
            &json!([]),
        );
        browser.until_text("#section [role=status]", &format!("{wanted} en la lista"));
    }
    let shown =
        "return new Set([...document.querySelectorAll('tbody td:nth-child(2)')].map((cell) => cell.innerText)).size";
    assert_eq!(browser.script(shown, &json!([])), all, "nobody is missing, nobody comes twice");
    browser.fill("#search", "Persona</b> 37");
    browser.press(ENTER);
    browser.until_text("#section [role=status]", "1 en la lista, son todos");
    assert!(browser.text("tbody").contains("<b>Persona</b> 37"), "a name is text");
    browser.fill("#search", "nobody is called this");
    browser.press(ENTER);
    browser.until_text("#section [role=status]", "No hay ninguno");
    is_sound(&browser, "a search that finds nobody");

    browser.click("#menu a[href='#eventos']");
    browser.until_text("tbody", "Testing session");
    is_sound(&browser, "events");
    browser.script("location.hash = 'constructor'", &json!([]));

    // The access token runs out: the session goes on, with other tokens. Those before are worth nothing any more.
    let tokens = "return JSON.parse(sessionStorage.getItem('kaia.session'))";
    let before = browser.script(tokens, &json!([]));
    let expire = "const kept = JSON.parse(sessionStorage.getItem('kaia.session'));\
                  sessionStorage.setItem('kaia.session', JSON.stringify({ ...kept, expires: 0 }))";
    browser.script(expire, &json!([]));
    browser.click("#menu a[href='#usuarios']");
    browser.until_text("#section-name", "Usuarios");
    browser.until_text("#section [role=status]", "25 en la lista");
    let after = browser.script(tokens, &json!([]));
    assert!(before["refresh"] != after["refresh"] && after["expires"].as_f64() > Some(0.0), "they were exchanged");
    browser.open(&kaia.url("test", "admin"));
    browser.until_text("#inside", "25 en la lista");

    browser.click("#logout");
    browser.until_text("#message", "Saliste");
    assert_eq!(browser.script("return sessionStorage.length", &json!([])), 0);
    let again = "return fetch(AMBIT.variables.API_URL + '/api/v1/auth/refresh', { method: 'POST', \
                 headers: { 'content-type': 'application/json' }, body: JSON.stringify({ refresh_token: arguments[0] }) })\
                 .then((answer) => answer.status)";
    assert_eq!(browser.script(again, &json!([after["refresh"]])), 401, "who leaves has left");

    // A session that ended elsewhere leads back to the form, with a word about it.
    log_in(&browser, ADMINISTRATOR, PASSWORD);
    browser.until_text("#inside", "25 en la lista");
    let spoil = "const kept = JSON.parse(sessionStorage.getItem('kaia.session'));\
                 sessionStorage.setItem('kaia.session', JSON.stringify({ ...kept, expires: 0, refresh: 'stolen' }))";
    browser.script(spoil, &json!([]));
    browser.click("#menu a[href='#eventos']");
    browser.until_text("#message", "Tu sesión terminó");
    assert_eq!(browser.text("#login h1"), "Entrar");
}

#[test]
fn the_administration_of_test_does_not_reach_production() {
    let Some(browser) = Browser::start() else { return };
    let kaia = Kaia::new(&["test", "prod"]);
    kaia.begin();
    kaia.ambit(&["seed", "-e", "test"]);
    let prod = format!("{}/api/v1/admin/counts", kaia.url("prod", "backend"));
    browser.open(&kaia.url("test", "admin"));
    log_in(&browser, ADMINISTRATOR, PASSWORD);
    browser.until_text("#section-name", "Usuarios");
    let token = browser.script("return JSON.parse(sessionStorage.getItem('kaia.session')).access", &json!([]));
    let fetch = "return fetch(arguments[0], { headers: { authorization: 'Bearer ' + arguments[1] } })\
                 .then((answer) => 'answered ' + answer.status, (error) => error.message)";
    let own = format!("{}/api/v1/admin/counts", kaia.url("test", "backend"));
    assert_eq!(browser.script(fetch, &json!([own, token])), "answered 200");
    browser.console();

    // The page itself may not ask …
    assert_eq!(browser.script(fetch, &json!([prod, token])), "Failed to fetch");
    let said = browser.console().join("\n");
    assert!(said.contains("Content Security Policy") && said.contains(&prod), "{said}");

    // … and without its policy the browser would not hand it the answer, since production does not name its origin …
    browser.ignore_policies();
    browser.open(&kaia.url("test", "admin"));
    assert_eq!(browser.script(fetch, &json!([prod, token])), "Failed to fetch");
    let said = browser.console().join("\n");
    assert!(said.contains("CORS policy") && said.contains(&prod), "{said}");

    // … and to whoever asks without a browser, a token of test is none.
    let refused = kaia.machine.get_with(
        "api.kaia.localhost",
        "/api/v1/admin/counts",
        &format!("Authorization: Bearer {}\r\n", token.as_str().unwrap()),
    );
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert!(!refused.to_lowercase().contains("access-control-allow-origin"), "{refused}");
}

/// Takes mail as SendGrid does, and keeps its text.
fn mailbox() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&mails);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(told) = line.to_lowercase().strip_prefix("content-length:") {
                    length = told.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let mail: Value = serde_json::from_slice(&body).unwrap();
            kept.lock().unwrap().push(mail["content"][0]["value"].as_str().unwrap().to_owned());
            reader
                .get_mut()
                .write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .unwrap();
        }
    });
    (port, mails)
}

#[test]
fn the_links_in_mails_lead_to_a_page_that_does_what_they_say() {
    let Some(browser) = Browser::start() else { return };
    let kaia = Kaia::new(&["dev"]);
    let (port, mails) = mailbox();
    // Where the key has not the form of one, the mail is printed.
    kaia.secret("dev", "SENDGRID_API_KEY", "SG.made.up");
    kaia.declare("[variables]", &format!("SENDGRID_API_URL = \"http://127.0.0.1:{port}\""));
    kaia.begin();
    let home = kaia.url("dev", "web");
    let api = format!("{}/api/v1/auth", kaia.url("dev", "backend"));
    let post = "return fetch(arguments[0], { method: 'POST', headers: { 'content-type': 'application/json' }, \
                body: JSON.stringify(arguments[1]) }).then((answer) => answer.status)";
    let log_in = |password: &str| {
        let who = json!({ "email": "eva@example.org", "password": password });
        browser.script(post, &json!([format!("{api}/login"), who]))
    };
    let link = |number: usize| {
        until("the mail comes", || mails.lock().unwrap().len() >= number);
        let mail = mails.lock().unwrap()[number - 1].clone();
        mail.split_whitespace().find(|word| word.starts_with(&home)).unwrap_or_else(|| panic!("{mail}")).to_owned()
    };

    browser.open(&home);
    let newcomer = json!({ "email": "eva@example.org", "name": "Eva", "password": "the first of them" });
    assert_eq!(browser.script(post, &json!([format!("{api}/register"), newcomer])), 202);
    assert_eq!(log_in("the first of them"), 403);
    browser.console();
    // Only the part behind `#` differs: as in a mail program, it is a new page.
    let verify = link(1);
    browser.open("about:blank");
    browser.open(&verify);
    browser.until_text("#account-name", "Confirma tu correo");
    let address = browser.script("return location.href", &json!([]));
    assert_eq!(address, format!("{home}/"), "the token is not left in the address");
    is_sound(&browser, "a registration to confirm");
    browser.click("#account button");
    browser.until_text("#account", "Ya puedes entrar");
    assert_eq!(log_in("the first of them"), 200);
    browser.open("about:blank");
    browser.open(&verify);
    browser.click("#account button");
    browser.until_text("#account .error", "El enlace ya no vale");
    browser.console();
    is_sound(&browser, "a link that was used");

    browser.open(&home);
    browser.click("a[href='#olvide']");
    browser.until_text("#account-name", "Olvidé mi contraseña");
    browser.fill("#email", "eva@example.org");
    is_sound(&browser, "a forgotten password");
    browser.press(ENTER);
    browser.until_text("#account", "el enlace va en camino");
    let reset = link(2);
    browser.open("about:blank");
    browser.open(&reset);
    browser.fill("#password", "the second of them");
    is_sound(&browser, "another password to choose");
    browser.press(ENTER);
    browser.until_text("#account", "Tu contraseña cambió");
    assert_eq!([log_in("the first of them"), log_in("the second of them")], [401, 200]);
}

/// A list of builds as somebody might write it who means harm, and one that is as it should be.
fn builds() -> Value {
    let build = |id: &str, code: u64| {
        json!({
            "id": id, "name": "Kaia (Test)", "package": "com.adrianpuche.kaia.test", "version": format!("1.{code}.0"), "version_code": code,
            "commit": "9be17d0aa3c0ffee9be17d0aa3c0ffee9be17d0a", "published_at": "2025-10-23T15:04:00Z",
            "published_by": "dev@kaia.ai", "size": 3_812_345, "sha256": "ab".repeat(32),
            "file": format!("{id}/kaia.apk"), "qr": format!("{id}/qr.svg"), "changes": ["Los avisos llegan sin conexión"], "verdict": null,
        })
    };
    let mut rejected = build("two", 2);
    rejected["verdict"] = json!({ "state": "rejected", "by": "qa@kaia.ai", "note": "El aviso llega tarde", "at": "2025-10-22T18:00:00Z" });
    let mut hostile = build("<script>alert(1)</script>", 1);
    for (field, value) in [
        ("name", json!("<img src=x onerror=alert(1)>")),
        ("version", json!("</script><b>1")),
        ("file", json!("https://evil.example/kaia.apk")),
        ("qr", json!("../../secret.svg")),
        ("size", json!(-1)),
        ("sha256", json!("<i>")),
        ("changes", json!(["<svg onload=alert(1)>", 7, null])),
        ("verdict", json!({ "state": "<b>", "by": 3 })),
        ("published_at", json!("never")),
    ] {
        hostile[field] = value;
    }
    json!({ "project": "kaia", "environment": "test", "builds": [build("three", 3), rejected, hostile, 7, null, {}] })
}

#[test]
fn downloads_show_what_there_is_to_install_and_believe_nothing() {
    let Some(browser) = Browser::start() else { return };
    let kaia = Kaia::new(&["test"]);
    let folder = "web/downloads/builds";
    kaia.write(&format!("{folder}/index.json"), &builds().to_string());
    let qr = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 2 2'><path d='M0 0h1v1H0z'/></svg>";
    for build in ["two", "three"] {
        kaia.write(&format!("{folder}/{build}/qr.svg"), qr);
    }
    kaia.begin();
    let downloads = kaia.url("test", "downloads");
    browser.open(&downloads);
    browser.until_text("#content h2", "1.3.0 (3)");
    let text = browser.text("#content");
    for shown in [
        "3,8 MB",
        &"ab".repeat(32),
        "9be17d0aa3c0",
        "com.adrianpuche.kaia.test",
        "Los avisos llegan sin conexión",
        "Sin veredicto",
        "dev@kaia.ai",
    ] {
        assert!(text.contains(shown), "{shown} is not shown: {text}");
    }
    let file = browser.script("return document.querySelector('a.button').href", &json!([]));
    assert_eq!(file, format!("{downloads}/builds/three/kaia.apk"));
    let loaded = "const qr = document.querySelector('figure img'); return qr.decode().then(() => qr.naturalWidth > 0)";
    assert_eq!(browser.script(loaded, &json!([])), true);
    is_sound(&browser, "a list of builds");
    browser.script("for (const one of document.querySelectorAll('details')) one.open = true", &json!([]));
    is_sound(&browser, "a list of builds, all of it open");

    // The link of a notification.
    browser.open(&format!("{downloads}/#two"));
    browser.until_text("#content h1", "1.2.0 (2)");
    let text = browser.text("#content");
    for shown in ["Rechazada por QA", "El aviso llega tarde", "qa@kaia.ai", "Hay una versión más nueva"] {
        assert!(text.contains(shown), "{shown} is not shown: {text}");
    }
    is_sound(&browser, "one build");

    browser.open(&format!("{downloads}/#nobody"));
    browser.until_text("#content h1", "Esa versión no está");
    is_sound(&browser, "a build that is not there");

    browser.open(&format!("{downloads}/#%3Cscript%3Ealert(1)%3C%2Fscript%3E"));
    browser.until_text("#content h1", "<img src=x onerror=alert(1)> </script><b>1");
    let made = browser.script(
        "return [...document.querySelectorAll('#content :is(script, img, svg, b, i, [href^=javascript])')].length",
        &json!([]),
    );
    assert_eq!(made, 0, "what was said became markup");
    assert!(browser.text("#content").contains("no está disponible"));
    is_sound(&browser, "a hostile build");
}

/// The text of the QR code that a page shows, read from its picture as a camera does.
fn scanned(browser: &Browser) -> String {
    let script = "const qr = document.querySelector('figure img'); await qr.decode();\
        const canvas = document.createElement('canvas'); const side = canvas.width = canvas.height = 400;\
        const context = canvas.getContext('2d'); context.fillStyle = 'white'; context.fillRect(0, 0, side, side);\
        context.drawImage(qr, 20, 20, side - 40, side - 40);\
        const pixels = context.getImageData(0, 0, side, side).data;\
        return Array.from({ length: side * side }, (_, n) => pixels[4 * n])";
    let grey: Vec<u8> =
        serde_json::from_value(browser.script(&format!("return (async () => {{ {script} }})()"), &json!([]))).unwrap();
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(400, 400, |x, y| grey[y * 400 + x]);
    let codes = picture.detect_grids();
    codes.first().expect("there is a QR code").decode().unwrap().1
}

#[test]
fn a_tester_goes_from_the_notification_to_a_verdict_that_production_sees() {
    let Some(browser) = Browser::start() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let slack = runtime.block_on(ambit_simulators::Slack::start(None, None));
    let kaia = Kaia::new(&["test", "prod"]);
    kaia.declare("[notifications]", "slack = { test = \"SLACK_WEBHOOK\" }");
    kaia.declare("[secrets]", "SLACK_WEBHOOK = { only = [\"test\"] }");
    kaia.secret("test", "SLACK_WEBHOOK", &slack.webhook());
    kaia.begin();
    kaia.write("web/home/news.txt", "new");
    kaia.write("CHANGELOG.md", "# Changelog\n\n## 1.1.0\n\n- Los avisos llegan sin conexión.\n");
    git(&kaia.project, &["checkout", "-q", "staging"]);
    git(&kaia.project, &["add", "-A"]);
    git(&kaia.project, &["commit", "-q", "-m", "avisos sin conexión"]);
    git(&kaia.project, &["branch", "-f", "main", "staging"]);
    git(&kaia.project, &["tag", "-a", "v1.1.0", "-m", "Release 1.1.0"]);
    kaia.ambit(&["deploy", "-e", "test"]);

    let apk = Apk::new("com.adrianpuche.kaia.test", 2, "1.1.0").signed(&Key::new());
    let sum: String = Sha256::digest(&apk).iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(kaia.project.join("app.apk"), &apk).unwrap();
    kaia.ambit(&["mobile", "publish", "app.apk", "-e", "test", "--from-changelog"]);
    let downloads = format!("{}/#", kaia.url("test", "downloads"));
    let link = || {
        let texts = slack.texts();
        texts
            .iter()
            .flat_map(|text| text.split(['<', '>', '|', '\n', ' ']))
            .find(|w| w.starts_with(&downloads))
            .map(str::to_owned)
    };
    until("QA is told where to look", || link().is_some());
    let link = link().unwrap();

    browser.open(&link);
    browser.until_text("#content h1", "1.1.0 (2)");
    let text = browser.text("#content");
    for shown in [sum.as_str(), "Los avisos llegan sin conexión", "Sin veredicto"] {
        assert!(text.contains(shown), "{shown} is not shown: {text}");
    }
    is_sound(&browser, "a published build");
    let file = browser.script("return document.querySelector('a.button').href", &json!([]));
    assert_eq!(scanned(&browser), file.as_str().unwrap(), "the QR code leads to what the button leads to");
    let load = "return fetch(arguments[0]).then((answer) => answer.arrayBuffer()).then((file) => crypto.subtle.digest('SHA-256', file))\
                .then((sum) => [...new Uint8Array(sum)].map((byte) => byte.toString(16).padStart(2, '0')).join(''))";
    assert_eq!(browser.script(load, &json!([file])), sum);

    kaia.ambit(&["deploy", "-e", "prod", "--detach"]);
    let id = link.trim_start_matches(&downloads);
    let why = "el aviso llega una hora tarde";
    kaia.ambit(&["qa", "reject", id, "--note", why]);
    browser.open("about:blank");
    browser.open(&link);
    browser.until_text("#content .badge", "Rechazada por QA");
    assert!(browser.text("#content").contains(why));
    is_sound(&browser, "a rejected build");
    let gates = || {
        let output = kaia.machine.ambit(&kaia.project, &["gates", "prod"]);
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat()
    };
    // The deployment was only handed over: its release may still be looked for.
    until(&format!("the deployment waits: {}", gates()), || gates().contains(" qa "));
    let gates = gates();
    let qa = gates.lines().find(|line| line.contains(" qa ")).unwrap();
    assert!(qa.contains('✗') && qa.contains(id) && qa.contains(why), "{gates}");
}
