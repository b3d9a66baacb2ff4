//! The backend's process.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{Answer, Request, Servers, Simulator, free_port, until};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_kaia-backend");
pub const PASSWORD: &str = "una contraseña larga";

pub struct Kaia {
    pub port: u16,
    pub process: Child,
    pub servers: Arc<Servers>,
    pub database: String,
    pub simulator: Simulator,
    pub variables: Vec<(String, String)>,
    log: PathBuf,
}

/// One that runs as in test, with these variables besides. `None` where there is no database to be had.
pub fn kaia(variables: &[(&str, &str)]) -> Option<Kaia> {
    Some(Kaia::start(Servers::shared()?, variables))
}

impl Kaia {
    pub fn start(servers: Arc<Servers>, variables: &[(&str, &str)]) -> Self {
        let (database, number) = servers.database();
        let simulator = Simulator::start();
        let (port, url) = (free_port(), simulator.url());
        let mut all: Vec<(String, String)> = [
            ("NODE_ENV", "staging"),
            ("HOST", "127.0.0.1"),
            ("PORT", &port.to_string()),
            ("DATABASE_URL", &format!("postgresql://kaia@127.0.0.1:{}/{database}", servers.postgres_port)),
            ("REDIS_URL", &format!("redis://127.0.0.1:{}/{number}", servers.redis_port)),
            ("JWT_SECRET", "a secret of the tests, long enough for production"),
            ("JWT_REFRESH_SECRET", "another secret of the tests, long enough as well"),
            ("JWT_EXPIRES_IN", "7d"),
            ("JWT_REFRESH_EXPIRES_IN", "30d"),
            ("FRONTEND_URL", "https://test.kaia.ai"),
            ("API_URL", "https://api-test.kaia.ai"),
            ("CORS_ORIGIN", "https://test.kaia.ai"),
            ("RATE_LIMIT_ENABLED", "false"),
            ("LOG_LEVEL", "info"),
            ("SENDGRID_API_KEY", "SG.test.key"),
            ("SENDGRID_API_URL", &url),
            ("TWILIO_ACCOUNT_SID", "AC0123456789abcdef0123456789abcdef"),
            ("TWILIO_AUTH_TOKEN", "token"),
            ("TWILIO_API_URL", &url),
            ("GOOGLE_MAPS_API_KEY", "AIza-test"),
            ("GOOGLE_MAPS_API_URL", &url),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        for (name, value) in variables {
            let value = value.replace("{simulator}", &url).replace("{dsn}", &simulator.dsn());
            all.retain(|(n, _)| n != name);
            all.push(((*name).to_owned(), value));
        }
        let log = std::env::temp_dir().join(format!("kaia-tests-{}-{port}.log", std::process::id()));
        let run = |arguments: &[&str]| {
            let file = fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log");
            let mut command = Command::new(PROGRAM);
            command.args(arguments).env_clear().envs(all.iter().map(|(n, v)| (n, v))).stdin(Stdio::null());
            command.stdout(file.try_clone().expect("a log")).stderr(file);
            command
        };
        assert!(
            run(&["migrate"]).status().expect("it runs").success(),
            "{}",
            fs::read_to_string(&log).unwrap_or_default()
        );
        let process = run(&[]).spawn().expect("it starts");
        let mut kaia = Self { port, process, servers, database, simulator, variables: all, log };
        kaia.wait();
        kaia
    }

    fn wait(&mut self) {
        until("Kaia answers", || {
            if let Ok(Some(status)) = self.process.try_wait() {
                panic!("it ended with {status}: {}", self.log());
            }
            Request::new(self.port, "GET", "/health").try_send().ok()
        });
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A command beside the process, with the same variables.
    pub fn run(&self, arguments: &[&str]) -> std::process::Output {
        let variables = self.variables.iter().map(|(n, v)| (n, v));
        Command::new(PROGRAM).args(arguments).env_clear().envs(variables).output().expect("it runs")
    }

    pub fn sql(&self, sql: &str) -> String {
        self.servers.sql(&self.database, sql)
    }

    pub fn get(&self, path: &str) -> Request {
        Request::new(self.port, "GET", &full(path))
    }

    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Request {
        Request::new(self.port, method, &full(path)).json(body)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, body).send()
    }

    /// A new account whose address is verified; its tokens.
    pub fn account(&self, email: &str) -> Tokens {
        self.post("/auth/register", &json!({ "email": email, "name": "Ana", "password": PASSWORD })).expect(202);
        let token = self.simulator.secret(email, 1, "verify");
        Tokens::of(&self.post("/auth/verify", &json!({ "token": token })).expect(200))
    }

    pub fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/auth/login", &json!({ "email": email, "password": password }))
    }

    pub fn event(&self, token: &str, title: &str, start: &str, end: &str) -> Value {
        let event = json!({ "title": title, "start_time": start, "end_time": end });
        self.ask("POST", "/events", &event).bearer(token).send().expect(201).json()
    }

    pub fn signal(&self, signal: &str) {
        let _ = Command::new("kill").args([signal, &self.process.id().to_string()]).status();
    }
}

impl Drop for Kaia {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("its log:\n{}", self.log());
        }
        let _ = fs::remove_file(&self.log);
    }
}

fn full(path: &str) -> String {
    if ["/health", "/ready", "/", "/openapi.json"].contains(&path) { path.to_owned() } else { format!("/api/v1{path}") }
}

pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    pub fn of(answer: &Answer) -> Self {
        let json = answer.json();
        let text = |name: &str| json[name].as_str().unwrap_or_else(|| panic!("no {name}: {json}")).to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}
