//! What GitHub would send.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Machine;

pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect()
}

/// A request to a host of the machine's proxy.
pub struct Sent<'a> {
    pub host: &'a str,
    pub event: &'a str,
    pub id: &'a str,
    pub body: &'a [u8],
    /// Whole header lines beside the usual ones.
    pub headers: String,
}

impl Machine {
    /// Sends a request through the proxy; status and text of the answer.
    pub fn send(&self, method: &str, sent: &Sent<'_>) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head = format!(
            "{method} /github HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\nX-GitHub-Event: {}\r\n\
             X-GitHub-Delivery: {}\r\nContent-Length: {}\r\n{}\r\n",
            sent.host,
            self.port,
            sent.event,
            sent.id,
            sent.body.len(),
            sent.headers
        );
        stream.write_all(head.as_bytes()).unwrap();
        // One who is refused early may not read all of it.
        let _ = stream.write_all(sent.body);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        let text = answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned();
        (status, text)
    }

    /// A signed delivery.
    pub fn delivered(&self, host: &str, secret: &str, event: &str, id: &str, body: &[u8]) -> (u16, String) {
        let headers =
            format!("Content-Type: application/json\r\nX-Hub-Signature-256: sha256={}\r\n", sign(secret, body));
        self.send("POST", &Sent { host, event, id, body, headers })
    }
}
