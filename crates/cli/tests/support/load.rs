//! Somebody who asks for pages all the while, over a connection that is kept and over new ones, and forgives nothing.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    collections::BTreeSet,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::support::Machine;

/// Requests without pause until [`Load::end`].
pub(crate) struct Load {
    seen: Arc<Seen>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    over: AtomicBool,
    requests: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Begins; each answer has to be 200 with one of the bodies.
    pub(crate) fn on(machine: &Machine, host: &str, bodies: &[&str]) -> Self {
        let seen = Arc::new(Seen::default());
        let bodies: BTreeSet<String> = bodies.iter().map(|b| (*b).to_owned()).collect();
        let threads = [true, false].map(|keep| {
            let (seen, bodies, host, port) = (Arc::clone(&seen), bodies.clone(), host.to_owned(), machine.port);
            std::thread::spawn(move || {
                let mut kept = None;
                while !seen.over.load(Ordering::Relaxed) {
                    let failure = match ask(&mut kept, port, &host, keep) {
                        Ok((200, body)) if bodies.contains(&body) => None,
                        Ok((status, body)) => Some(format!("{status} {body}")),
                        Err(error) => Some(error.to_string()),
                    };
                    seen.requests.fetch_add(1, Ordering::Relaxed);
                    if let Some(failure) = failure {
                        let how = if keep { "kept" } else { "new" };
                        seen.failures.lock().unwrap().push(format!("over a {how} connection: {failure}"));
                        kept = None;
                    }
                    // The machine has other things to do, too.
                    std::thread::sleep(Duration::from_millis(1));
                }
            })
        });
        Self { seen, threads: threads.into() }
    }

    /// Nothing failed so far.
    pub(crate) fn is_well(&self, when: &str) {
        let failures = self.seen.failures.lock().unwrap();
        assert!(failures.is_empty(), "{when}: {} requests failed: {:?}", failures.len(), failures.first());
    }

    /// How many requests were made.
    pub(crate) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::Relaxed)
    }

    /// Ends; nothing may have failed.
    pub(crate) fn end(mut self) {
        self.seen.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
        self.is_well("at the end");
        assert!(self.requests() > 50, "hardly anything was asked");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.seen.over.store(true, Ordering::Relaxed);
    }
}

/// One GET; the connection is taken and kept where that is wanted.
pub(crate) fn ask(
    kept: &mut Option<BufReader<TcpStream>>,
    port: u16,
    host: &str,
    keep: bool,
) -> io::Result<(u16, String)> {
    let mut stream = match kept.take().filter(|_| keep) {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            BufReader::new(stream)
        }
    };
    let connection = if keep { "keep-alive" } else { "close" };
    let request = format!("GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: {connection}\r\n\r\n");
    stream.get_mut().write_all(request.as_bytes())?;
    let mut line = String::new();
    let (mut status, mut length) = (None, 0);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer"));
        }
        let text = line.trim_end();
        if status.is_none() {
            status = text.split(' ').nth(1).and_then(|s| s.parse().ok());
        } else if text.is_empty() {
            break;
        } else if let Some((_, value)) = text.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case("content-length"))
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    if keep {
        *kept = Some(stream);
    }
    let status = status.ok_or_else(|| io::Error::other("no status"))?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
