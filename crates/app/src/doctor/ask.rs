//! One question in HTTP, bounded in time and size.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The largest head of an answer.
const LARGEST: usize = 64 << 10;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
}

impl Answer {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let values = self.head.lines().filter_map(|line| line.split_once(':'));
        values.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

/// Whether somebody listens at an address.
pub(super) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    timeout(CONNECT, TcpStream::connect(address)).await?
}

/// Asks; `headers` are whole lines without their ends.
pub(super) async fn ask(
    address: SocketAddr,
    method: &str,
    host: &str,
    path: &str,
    headers: &[String],
) -> Result<Answer, String> {
    let mut stream = connect(address).await.map_err(|error| format!("nothing answers at {address}: {error}"))?;
    let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ambit\r\nAccept: */*\r\n{more}Connection: close\r\n\r\n"
    );
    let answered = async {
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < LARGEST {
            if stream.read_buf(&mut head).await? == 0 {
                break;
            }
        }
        Ok::<_, io::Error>(head)
    };
    let head = match timeout(PATIENCE, answered).await {
        Ok(Ok(head)) => String::from_utf8_lossy(&head).into_owned(),
        Ok(Err(error)) => return Err(format!("{method} {path} broke off: {error}")),
        Err(_) => return Err(format!("{method} {path} was not answered within {} s", PATIENCE.as_secs())),
    };
    let status = head.split_ascii_whitespace().nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("{method} {path} was not answered in HTTP"))?;
    Ok(Answer { status, head })
}
