//! The few words of Redis's protocol that supervision needs (RESP2, redis.io/docs/reference/protocol-spec).

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// A connection of Ambit's own user.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
}

impl Wire {
    pub(crate) async fn open(port: u16, password: &str) -> io::Result<Self> {
        let stream = timeout(Duration::from_secs(2), TcpStream::connect(("127.0.0.1", port))).await??;
        let mut wire = Self { stream: BufReader::new(stream) };
        wire.ask(&["AUTH", "ambit", password]).await?;
        Ok(wire)
    }

    /// Asks and returns the answer's text; arrays come back as their lines.
    pub(crate) async fn ask(&mut self, words: &[&str]) -> io::Result<String> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        timeout(Duration::from_secs(10), async {
            self.stream.write_all(request.as_bytes()).await?;
            self.answer().await
        })
        .await?
    }

    async fn answer(&mut self) -> io::Result<String> {
        let mut pending = 1usize;
        let mut all = Vec::new();
        while pending > 0 {
            pending -= 1;
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            let (sort, rest) = line.split_at_checked(1).unwrap_or(("", ""));
            match sort {
                "+" | ":" => all.push(rest.to_owned()),
                "-" => return Err(io::Error::other(rest.to_owned())),
                "$" => {
                    let Ok(length) = rest.parse::<usize>() else { continue };
                    let mut bytes = vec![0; length + 2];
                    self.stream.read_exact(&mut bytes).await?;
                    bytes.truncate(length);
                    all.push(String::from_utf8_lossy(&bytes).into_owned());
                }
                "*" => pending += rest.parse::<usize>().unwrap_or(0),
                _ => return Err(io::Error::other("this is not Redis")),
            }
        }
        Ok(all.join("\n"))
    }
}

/// A field of `INFO`.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}
