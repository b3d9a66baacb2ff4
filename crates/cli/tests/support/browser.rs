//! Chromium, driven as WebDriver says (W3C): what a person sees, types and clicks.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::Engine;
use serde_json::{Value, json};

use crate::support::until;

/// Where WebDriver puts the name of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a profile of its own. It ends with the test.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    axe: String,
    /// Where Chromium has its profile and whatever else it forgets to delete.
    _folder: tempfile::TempDir,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) dark: bool,
    pub(crate) width: u32,
}

impl Browser {
    /// None, with a word about it, where there is no Chromium.
    pub(crate) fn start() -> Option<Self> {
        if !["chromium", "chromedriver"].iter().all(|program| on_path(program)) {
            eprintln!("skipped: there is no Chromium with its driver (script/install-needs --tests)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // Port 0: it chooses one and says which.
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            // A group of its own, so that Chromium ends with it whatever happens.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = said
            .find_map(|line| line.split(" successfully on port ").nth(1)?.trim_end_matches('.').parse().ok())
            .expect("chromedriver says its port");
        // What it says later has to be read, or it would wait for its reader.
        std::thread::spawn(move || said.for_each(drop));
        let mut browser = Self { driver, port, session: String::new(), axe: axe(), _folder: folder };
        // Without its sandbox, as it has to be where tests run as root; every page is our own.
        let options = json!({
            "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--lang=es"],
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            // A page that is on its way is waited for, as a person does.
            "timeouts": { "implicit": 20_000 },
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = browser.call("POST", "/session", &wanted);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        Some(browser)
    }

    pub(crate) fn open(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    /// What a script returns; a promise is waited for.
    pub(crate) fn script(&self, script: &str, arguments: &Value) -> Value {
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// The text that a person sees of the first element that a selector finds; empty where there is none.
    pub(crate) fn text(&self, selector: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        self.script(script, &json!([selector])).as_str().unwrap().to_owned()
    }

    pub(crate) fn until_text(&self, selector: &str, wanted: &str) {
        until(&format!("{selector} says {wanted:?}; the page: {}", self.text("body")), || {
            self.text(selector).contains(wanted)
        });
    }

    pub(crate) fn title(&self) -> String {
        self.ask("GET", "/title", &Value::Null).as_str().unwrap().to_owned()
    }

    pub(crate) fn click(&self, selector: &str) {
        self.ask("POST", &format!("/element/{}/click", self.element(selector)), &json!({}));
    }

    /// Types into a field, after what is in it was removed.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.ask("POST", &format!("/element/{element}/clear"), &json!({}));
        self.ask("POST", &format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Presses keys wherever the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })])
            .collect();
        let keyboard = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.ask("POST", "/actions", &keyboard);
    }

    pub(crate) fn look(&self, look: Look) {
        let scheme = if look.dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }));
        let metrics = json!({ "width": look.width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// What axe-core has to say against the page as it is now.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.script(&self.axe, &json!([]));
        // Colours that are on their way to others are not what a person reads.
        let run = "await Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {})));\
                   const result = await axe.run(document, { resultTypes: ['violations'] });\
                   if (result.passes.length < 5) return ['axe-core looked at nothing'];\
                   return result.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' | '));";
        serde_json::from_value(self.script(&format!("return (async () => {{ {run} }})()"), &json!([]))).unwrap()
    }

    /// A picture of the whole page, for people.
    pub(crate) fn picture(&self, path: &Path) {
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.devtools("Page.captureScreenshot", &whole);
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Whether a person has to scroll sideways.
    pub(crate) fn is_too_wide(&self) -> bool {
        self.script("return document.documentElement.scrollWidth > innerWidth", &json!([])) == true
    }

    /// What the console was told of errors and warnings since the last time.
    pub(crate) fn console(&self) -> Vec<String> {
        let log = self.ask("POST", "/se/log", &json!({ "type": "browser" }));
        let grave =
            log.as_array().unwrap().iter().filter(|entry| entry["level"] != "DEBUG" && entry["level"] != "INFO");
        grave.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Gives the browser a device that makes and uses passkeys for whoever asks (Web Authentication, §11).
    pub(crate) fn add_passkey_device(&self) {
        let device = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserVerified": true,
        });
        self.ask("POST", "/webauthn/authenticator", &device);
    }

    /// Loads what comes as if pages had no Content-Security-Policy.
    pub(crate) fn ignore_policies(&self) {
        self.devtools("Page.setBypassCSP", &json!({ "enabled": true }));
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.ask("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    fn element(&self, selector: &str) -> String {
        let found = self.ask("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call(method, &format!("/session/{}{path}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, value) = exchange(self.port, method, path, body).unwrap();
        assert!(status == 200, "{method} {path}: {value}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = exchange(self.port, "DELETE", &format!("/session/{}", self.session), &Value::Null);
        }
        let group = nix::unistd::Pid::from_raw(i32::try_from(self.driver.id()).unwrap());
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.driver.wait();
    }
}

fn exchange(port: u16, method: &str, path: &str, body: &Value) -> std::io::Result<(u16, Value)> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    // It keeps the connection open whatever it was asked, so the answer ends where its length says.
    let mut answer = BufReader::new(stream);
    let (mut line, mut status, mut length) = (String::new(), 0, 0);
    while answer.read_line(&mut line)? > 2 {
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
        } else if let Some(rest) = line.to_lowercase().strip_prefix("content-length:") {
            length = rest.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    Ok((status, serde_json::from_slice::<Value>(&body)?["value"].take()))
}

fn on_path(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(program).is_file())
}

/// axe-core's own text, from npm, which checks it against `tests/axe/package-lock.json`.
fn axe() -> String {
    static INSTALLED: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    let folder = INSTALLED.get_or_init(|| {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/axe");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe");
        std::fs::create_dir_all(&folder).unwrap();
        // Test programs run side by side: the second finds what the first installed.
        let lock = std::fs::File::create(folder.join("lock")).unwrap();
        let _lock = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
        let same = |name: &str| std::fs::read(from.join(name)).ok() == std::fs::read(folder.join(name)).ok();
        if !same("package-lock.json") || !folder.join("node_modules/axe-core/axe.min.js").exists() {
            for name in ["package.json", "package-lock.json"] {
                std::fs::copy(from.join(name), folder.join(name)).unwrap();
            }
            let npm = Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
                .current_dir(&folder)
                .output()
                .unwrap();
            assert!(npm.status.success(), "npm ci: {}", String::from_utf8_lossy(&npm.stderr));
        }
        folder
    });
    std::fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js")).unwrap()
}
