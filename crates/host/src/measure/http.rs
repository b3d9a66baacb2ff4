//! A request through the proxy, as somebody on this machine would make it.
//!
//! Only the proxy's own address is ever dialled: whatever host a declared URL names, it is no more than the `Host` of the
//! request, and a redirect is an answer that is not followed. So no declaration makes this machine ask another one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::Instant};

use crate::{Host, measure::in_time};

/// More of a body than this is not read: that so much came proves enough.
const MOST: usize = 64 << 10;
/// A longer head is no answer.
const LONGEST_HEAD: usize = 16 << 10;

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Time to the head of the answer in milliseconds.
    pub millis: f64,
}

impl Host {
    /// Asks the proxy for a path of a host. With `whole`, the body has to come too, up to a bound.
    pub async fn ask_proxy(&self, proxy: SocketAddr, host: &str, path: &str, whole: bool) -> Result<Answer, String> {
        in_time(ask(on_this_machine(proxy), host, path, whole)).await
    }

    /// Whether something takes connections on a loopback port.
    pub async fn takes_connections(&self, port: u16) -> Result<(), String> {
        let connect = async { TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(|e| e.to_string()) };
        in_time(connect).await.map(drop).map_err(|why| format!("port {port}: {why}"))
    }

    /// Whether a name leads to an address. Nothing is asked at that address.
    pub async fn finds(&self, host: &str) -> Result<(), String> {
        in_time(async {
            let mut found = tokio::net::lookup_host((host, 443)).await.map_err(|e| e.to_string())?;
            found.next().map(drop).ok_or_else(|| "it has no address".to_owned())
        })
        .await
    }

    /// Whether the proxy that is told what to serve answers, and takes connections where it listens.
    pub async fn proxy_answers(&self, listen: SocketAddr) -> Result<(), String> {
        in_time(async {
            TcpStream::connect(on_this_machine(listen)).await.map_err(|e| format!("{listen}: {e}"))?;
            ambit_proxy::client::health(&self.home.proxy()).await.map(drop).map_err(|e| e.to_string())
        })
        .await
    }
}

/// An address that stands for all of this machine's is reached at the loopback one.
fn on_this_machine(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            IpAddr::V6(Ipv6Addr::LOCALHOST)
        });
    }
    address
}

async fn ask(proxy: SocketAddr, host: &str, path: &str, whole: bool) -> Result<Answer, String> {
    let begin = Instant::now();
    let stream = TcpStream::connect(proxy).await.map_err(|e| format!("the proxy does not answer: {e}"))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(LONGEST_HEAD)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(|e| e.to_string())?;
    let host = if proxy.port() == 80 { host.to_owned() } else { format!("{host}:{}", proxy.port()) };
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, "ambit")
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|e| e.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|e| format!("the answer broke off: {e}"))?;
        let answer = Answer { status: response.status().as_u16(), millis: begin.elapsed().as_secs_f64() * 1000.0 };
        if whole {
            read(response).await?;
        }
        Ok(answer)
    };
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // What it has read before its end is still to be handed over.
        _ = connection => exchange.await,
    }
}

async fn read(response: Response<Incoming>) -> Result<(), String> {
    let mut body = response.into_body();
    let mut length = 0;
    while length < MOST
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|e| format!("the body broke off: {e}"))?;
        length += frame.data_ref().map_or(0, Bytes::len);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A server that answers each connection so, and then keeps it open.
    async fn answers(text: &'static [u8], again: bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ = stream.read(&mut [0; 4096]).await;
                    while stream.write_all(text).await.is_ok() && again {}
                    if !text.is_empty() && !text.ends_with(b"end") {
                        let _ = stream.shutdown().await;
                    }
                    std::future::pending::<()>().await;
                });
            }
        });
        address
    }

    async fn asked(address: SocketAddr) -> Result<Answer, String> {
        in_time(ask(address, "api.kaia.localhost", "/ready", true)).await
    }

    #[tokio::test]
    async fn an_answer_is_its_status_whatever_it_is() {
        let ok = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false).await;
        assert_eq!(asked(ok).await.unwrap().status, 200);
        let away =
            answers(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", false);
        assert_eq!(asked(away.await).await.unwrap().status, 302, "a redirect is not followed");
    }

    #[tokio::test]
    async fn gigabytes_are_not_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sent = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut sent = 0_u64;
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n").await;
            while stream.write_all(&[b'x'; 65_536]).await.is_ok() {
                sent += 65_536;
            }
            sent
        });
        assert_eq!(asked(address).await.unwrap().status, 200);
        let sent = tokio::time::timeout(Duration::from_secs(5), sent).await.expect("the connection is closed").unwrap();
        assert!(sent < 64 << 20, "{sent} bytes were taken");
    }

    #[tokio::test]
    async fn a_head_without_end_and_a_body_that_breaks_off_are_no_answers() {
        assert!(asked(answers(b"HTTP/1.1 200 OK\r\nX-Long: yes\r\nX-Long: yes\r\n", true).await).await.is_err());
        let cut = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", false).await;
        let why = asked(cut).await.unwrap_err();
        assert!(why.contains("broke off"), "{why}");
        assert!(asked(answers(b"SSH-2.0-OpenSSH_9.2\r\n", false).await).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_left_after_a_while() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let why = asked(listener.local_addr().unwrap()).await.unwrap_err();
        assert!(why.contains("within 5 s"), "{why}");
    }

    #[test]
    fn an_address_for_everybody_is_asked_on_loopback() {
        let at = |text: &str| on_this_machine(text.parse().unwrap()).to_string();
        assert_eq!(at("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(at("[::]:80"), "[::1]:80");
        assert_eq!(at("127.0.0.1:8080"), "127.0.0.1:8080");
    }
}
