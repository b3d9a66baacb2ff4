//! A file that lies elsewhere. Its address is as good as a secret: whoever knows it gets the file, so no error names more of it than its
//! host.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    time::Duration,
};

use ambit_domain::{Failure, FailureKind};
use http_body_util::BodyExt;
use hyper::{Response, StatusCode, Uri, body::Incoming, header};

use crate::http::{Http, HttpError, private};

/// How often one is sent elsewhere.
const HOPS: usize = 5;
/// How long nothing may come.
const IDLE: Duration = Duration::from_secs(60);
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// What came of a try.
enum Trouble {
    /// Another may go through.
    Passing(String),
    Final(Failure),
}

impl From<HttpError> for Trouble {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::NoRoots => Self::Final(Failure::from_error(FailureKind::Machine, &error)),
            error => Self::Passing(error.to_string()),
        }
    }
}

/// Writes what lies at a URL into an empty file and gives its size back. It is fetched over TLS, wherever it is sent to; from this machine
/// without it too. More than `most` bytes are refused. `told` hears how many came, and of how many.
pub async fn download(
    url: &str,
    to: &mut File,
    most: u64,
    told: &(dyn Fn(u64, Option<u64>) + Sync),
) -> Result<u64, Failure> {
    let http = Http::new().map_err(|e| Failure::from_error(FailureKind::Machine, &e))?;
    let mut last = String::new();
    for attempt in 1..=TRIES {
        match fetch(&http, url, to, most, told).await {
            Ok(size) => return Ok(size),
            Err(Trouble::Final(failure)) => return Err(failure),
            Err(Trouble::Passing(why)) => {
                last = why;
                if attempt < TRIES {
                    tokio::time::sleep(PAUSE * attempt).await;
                }
            }
        }
        to.set_len(0).and_then(|()| to.seek(SeekFrom::Start(0))).map_err(|e| unwritable(&e))?;
    }
    Err(Failure::new(FailureKind::Machine, "the file could not be fetched")
        .because(last)
        .hint("repeat the command later"))
}

async fn fetch(
    http: &Http,
    url: &str,
    to: &mut File,
    most: u64,
    told: &(dyn Fn(u64, Option<u64>) + Sync),
) -> Result<u64, Trouble> {
    let answer = follow(http, url).await?;
    let said: Option<u64> = answer.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    let too_much = || {
        let what = format!("the file is larger than {} MB", most >> 20);
        Trouble::Final(Failure::new(FailureKind::User, what))
    };
    if said.is_some_and(|size| size > most) {
        return Err(too_much());
    }
    let mut body = answer.into_body();
    let mut size = 0;
    loop {
        let frame = tokio::time::timeout(IDLE, body.frame()).await;
        let frame = frame.map_err(|_| Trouble::Passing(format!("nothing came for {} s", IDLE.as_secs())))?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|e| Trouble::Passing(e.to_string()))?;
        let Ok(bytes) = frame.into_data() else { continue };
        size += bytes.len() as u64;
        if size > most {
            return Err(too_much());
        }
        to.write_all(&bytes).map_err(|e| Trouble::Final(unwritable(&e)))?;
        told(size, said);
    }
    match said {
        Some(said) if said != size => Err(Trouble::Passing(format!("it broke off after {size} of {said} bytes"))),
        _ => Ok(size),
    }
}

/// The answer at the end of the way.
async fn follow(http: &Http, url: &str) -> Result<Response<Incoming>, Trouble> {
    let refused = |what: &str| Trouble::Final(Failure::new(FailureKind::Machine, what.to_owned()));
    let mut at = private(url).ok_or_else(|| refused("the address of the file is no https:// URL"))?;
    for _ in 0..=HOPS {
        let host = at.host().unwrap_or_default().to_owned();
        let answer = http.open(&at).await?;
        match answer.status() {
            StatusCode::OK => return Ok(answer),
            status if status.is_redirection() => {
                let next = answer.headers().get(header::LOCATION).and_then(|v| next(&at, v.to_str().ok()?));
                at = next.ok_or_else(|| refused(&format!("{host} sends to an address that is no https:// URL")))?;
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Trouble::Passing(format!("{host} answered {}", status.as_u16())));
            }
            status => {
                let failure = Failure::new(FailureKind::NotFound, format!("{host} answered {}", status.as_u16()));
                return Err(Trouble::Final(failure.hint("the file may have expired")));
            }
        }
    }
    Err(refused("the file is sent for from one place to the next without an end"))
}

/// Where one is sent from an address. Whoever began with TLS stays with it, also on this machine: what listens here is not for others
/// to choose.
fn next(from: &Uri, to: &str) -> Option<Uri> {
    let from_text = from.to_string();
    let joined = url::Url::parse(&from_text).ok()?.join(to).ok()?;
    let next = private(joined.as_str())?;
    (from.scheme_str() != Some("https") || next.scheme_str() == Some("https")).then_some(next)
}

fn unwritable(error: &io::Error) -> Failure {
    let full = error.kind() == io::ErrorKind::StorageFull;
    Failure::new(FailureKind::Machine, "what was fetched cannot be kept")
        .because(error.to_string())
        .hint_if(full.then_some("make room on the disk, or set TMPDIR to a folder that has some"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_is_sent_on_over_tls_only() {
        let next = |from: &str, to: &str| super::next(&from.parse().unwrap(), to).map(|uri| uri.to_string());
        assert_eq!(next("https://expo.dev/a/b", "/c").as_deref(), Some("https://expo.dev/c"));
        assert_eq!(next("https://expo.dev/a", "https://x.example/c?s=1").as_deref(), Some("https://x.example/c?s=1"));
        assert_eq!(next("http://localhost:1/a", "/c").as_deref(), Some("http://localhost:1/c"));
        assert_eq!(next("http://localhost:1/a", "https://x.example/").as_deref(), Some("https://x.example/"));
        for (from, to) in [
            ("https://expo.dev/", "http://x.example/"),
            ("https://expo.dev/", "http://127.0.0.1:9/"),
            ("http://localhost:1/", "http://x.example/"),
            ("https://expo.dev/", "file:///etc/passwd"),
        ] {
            assert_eq!(next(from, to), None, "{from} → {to}");
        }
    }
}
