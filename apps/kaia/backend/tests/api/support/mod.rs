//! What the tests stand on.

mod client;
mod kaia;
mod servers;
mod simulator;

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

pub use client::{Answer, Request};
pub use kaia::{Kaia, PASSWORD, PROGRAM, Tokens, kaia};
pub use servers::Servers;
pub use simulator::Simulator;

/// A port that nobody uses at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}

/// Waits until something is so.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(40);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not happen in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}
