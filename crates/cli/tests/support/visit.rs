//! A visitor of the dashboard and of the HTTP API who is no browser: one request at a time, with a cookie or a token.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

use crate::shop::Shop;

/// Somebody with a cookie, a token, or neither.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) port: u16,
    pub(crate) host: String,
    /// Lines of the head that every request of theirs has.
    pub(crate) head: Vec<String>,
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The value of the first field of a name in a page's forms.
    pub(crate) fn field(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let rest = self.body.split(&mark).nth(1).unwrap_or_else(|| panic!("no field {name}: {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Visitor {
    /// Nobody whom anybody knows.
    pub(crate) fn nobody(shop: &Shop) -> Self {
        let port = u16::try_from(shop.json(&["dashboard"])["port"].as_u64().unwrap()).unwrap();
        Self { port, host: format!("ambit.localhost:{port}"), head: Vec::new() }
    }

    pub(crate) fn with(&self, line: &str) -> Self {
        let head = [self.head.clone(), vec![line.to_owned()]].concat();
        Self { head, ..self.clone() }
    }

    /// With a token that was just made.
    pub(crate) fn token(shop: &Shop, arguments: &[&str]) -> Self {
        let made = shop.json(&[&["token", "create"], arguments].concat());
        Self::nobody(shop).with(&format!("Authorization: Bearer {}", made["secret"].as_str().unwrap()))
    }

    /// Signed in by a link.
    pub(crate) fn signed_in(shop: &Shop, user: &str) -> Self {
        let nobody = Self::nobody(shop);
        let link = shop.json(&["login", "--user", user]);
        let code = link["urls"][0].as_str().unwrap().split("code=").nth(1).unwrap().to_owned();
        let answer = nobody.post("/sign-in", &[("code", &code)]);
        assert_eq!((answer.status, answer.header("location")), (303, "/"), "{answer:?}");
        nobody.with(&format!("Cookie: {}", answer.header("set-cookie").split(';').next().unwrap()))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", "")
    }

    /// Sends a form.
    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        self.send("POST", path, "application/x-www-form-urlencoded", &fields.join("&"))
    }

    /// Sends the form of an operation, as a page of this visitor's has it.
    pub(crate) fn submit(&self, page: &str, operation: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.get(page).field("form");
        self.post(&format!("/do/{operation}"), &[fields, &[("form", &token)]].concat())
    }

    pub(crate) fn api(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, &format!("/api/v1{path}"), "application/json", &body)
    }

    pub(crate) fn stream(&self, method: &str, path: &str, kind: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let head: String = self.head.iter().map(|line| format!("{line}\r\n")).collect();
        let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{head}{kind}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.host,
            body.len()
        )
        .unwrap();
        stream
    }

    fn send(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let mut reader = BufReader::new(self.stream(method, path, kind, body));
        let (mut status, mut headers, mut line) = (0, BTreeMap::new(), String::new());
        while reader.read_line(&mut line).unwrap() > 2 {
            match line.trim_end().split_once(": ") {
                Some((name, value)) => drop(headers.insert(name.to_lowercase(), value.to_owned())),
                None => status = line.split(' ').nth(1).unwrap().parse().unwrap(),
            }
            line.clear();
        }
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }
}

fn encoded(text: &str) -> String {
    let byte = |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(byte).collect()
}
