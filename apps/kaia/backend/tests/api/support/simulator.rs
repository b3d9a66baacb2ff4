//! SendGrid, Twilio, Google, Sentry and a collector of traces in one: it answers as they do and remembers what it was sent.
//! Whether each request keeps to the services' published schemas, script/kaia/contracts looks at.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::until;

#[derive(Debug, Clone)]
pub struct Recorded {
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Recorded {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

struct State {
    requests: Mutex<Vec<Recorded>>,
    /// So many requests to come to a path are answered 500.
    failing: Mutex<(&'static str, u32)>,
    stopped: AtomicBool,
}

pub struct Simulator {
    port: u16,
    state: Arc<State>,
}

impl Simulator {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(State {
            requests: Mutex::default(),
            failing: Mutex::new(("", 0)),
            stopped: AtomicBool::new(false),
        });
        let answering = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if answering.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&answering);
                std::thread::spawn(move || {
                    // What becomes of a connection is the client's to tell.
                    let _ = serve(&state, stream);
                });
            }
        });
        Self { port, state }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn dsn(&self) -> String {
        format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{}/42", self.port)
    }

    pub fn fail(&self, path: &'static str, count: u32) {
        *self.state.failing.lock().unwrap_or_else(PoisonError::into_inner) = (path, count);
    }

    /// What came to a path.
    pub fn requests(&self, path: &str) -> Vec<Recorded> {
        let all = self.state.requests.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|r| r.path.starts_with(path)).cloned().collect()
    }

    /// The mail that came last to an address, once there are so many.
    pub fn mail(&self, to: &str, count: usize) -> serde_json::Value {
        until(&format!("mail {count} to {to}"), || {
            let mails = self.requests("/v3/mail/send").into_iter().map(|r| r.json());
            let mut mails: Vec<_> = mails.filter(|m| m["personalizations"][0]["to"][0]["email"] == to).collect();
            (mails.len() >= count).then(|| mails.pop())?
        })
    }

    /// The secret in the link of a mail.
    pub fn secret(&self, to: &str, count: usize, kind: &str) -> String {
        let text = self.mail(to, count)["content"][0]["value"].as_str().unwrap_or_default().to_owned();
        let (_, rest) = text.split_once(&format!("/#{kind}=")).unwrap_or_else(|| panic!("no link: {text}"));
        rest.split_whitespace().next().unwrap_or_default().to_owned()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(state: &State, stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let failing = {
            let mut failing = state.failing.lock().unwrap_or_else(PoisonError::into_inner);
            let fails = failing.1 > 0 && path.starts_with(failing.0);
            failing.1 -= u32::from(fails);
            fails
        };
        let (status, text) = match path.as_str() {
            _ if failing => ("500 Internal Server Error", ""),
            "/v3/mail/send" => ("202 Accepted", ""),
            "/v1/places:searchText" => ("200 OK", PLACES),
            p if p.ends_with("/Messages.json") => ("201 Created", r#"{"status":"queued"}"#),
            _ => ("200 OK", "{}"),
        };
        if !failing {
            let body = String::from_utf8_lossy(&body).into_owned();
            let recorded = Recorded { path, headers, body };
            state.requests.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
        }
        // In one piece: the second of two would wait for a delayed acknowledgement.
        writer.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{text}", text.len()).as_bytes())?;
    }
}

const PLACES: &str = r#"{"places":[{"id":"ChIJ1","displayName":{"text":"Plaza Mayor","languageCode":"es"},
    "formattedAddress":"Plaza Mayor, 28012 Madrid","location":{"latitude":40.4155,"longitude":-3.7074}}]}"#;
