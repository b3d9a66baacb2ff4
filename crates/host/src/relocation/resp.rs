//! Redis's protocol for values that may be anything (RESP2, redis.io/docs/reference/protocol-spec).

use std::{io, time::Duration};

use ambit_domain::relocation::Login;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

const CONNECTS_WITHIN: Duration = Duration::from_secs(20);
const ANSWERS_WITHIN: Duration = Duration::from_secs(120);
/// The largest value that Redis has.
const LARGEST: usize = 512 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Nothing,
    Number(i64),
    Bytes(Vec<u8>),
    All(Vec<Answer>),
    Refused(String),
}

impl Answer {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Number(number) => number.to_string(),
            _ => String::new(),
        }
    }
}

pub(super) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(super) async fn open(login: &Login) -> io::Result<Self> {
        let stream = timeout(CONNECTS_WITHIN, TcpStream::connect((login.host.as_str(), login.port))).await??;
        let mut connection = Self { stream: BufReader::new(stream) };
        connection.ask(&[b"AUTH", login.user.as_bytes(), login.password.as_bytes()]).await?;
        Ok(connection)
    }

    pub(super) async fn ask(&mut self, words: &[&[u8]]) -> io::Result<Answer> {
        let mut all = self.ask_all(&[words]).await?;
        match all.pop() {
            Some(Answer::Refused(why)) => Err(io::Error::other(why)),
            Some(answer) => Ok(answer),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Several at once; each has its own answer.
    pub(super) async fn ask_all(&mut self, commands: &[&[&[u8]]]) -> io::Result<Vec<Answer>> {
        let mut request = Vec::new();
        for words in commands {
            request.extend(format!("*{}\r\n", words.len()).as_bytes());
            for word in *words {
                request.extend(format!("${}\r\n", word.len()).as_bytes());
                request.extend(*word);
                request.extend(b"\r\n");
            }
        }
        timeout(ANSWERS_WITHIN, self.stream.write_all(&request)).await??;
        let mut answers = Vec::new();
        for _ in commands {
            answers.push(timeout(ANSWERS_WITHIN, self.answer()).await??);
        }
        Ok(answers)
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (sort, rest) = line.trim_end().split_at_checked(1).unwrap_or(("", ""));
        let length = || rest.parse::<i64>().map_err(io::Error::other);
        Ok(match sort {
            "+" => Answer::Bytes(rest.as_bytes().to_vec()),
            "-" => Answer::Refused(rest.to_owned()),
            ":" => Answer::Number(length()?),
            "$" => match usize::try_from(length()?) {
                Err(_) => Answer::Nothing,
                Ok(length) if length > LARGEST => return Err(io::Error::other("that value is too large")),
                Ok(length) => {
                    let mut bytes = vec![0; length + 2];
                    self.stream.read_exact(&mut bytes).await?;
                    bytes.truncate(length);
                    Answer::Bytes(bytes)
                }
            },
            "*" => {
                let mut all = Vec::new();
                for _ in 0..length()?.max(0) {
                    all.push(Box::pin(self.answer()).await?);
                }
                Answer::All(all)
            }
            _ => return Err(io::Error::other("this is not Redis")),
        })
    }
}
