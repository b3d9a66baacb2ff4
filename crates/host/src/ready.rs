//! Whether a started app is ready, and if it never will be, why.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use ambit_domain::{Failure, FailureKind, InstanceId, provider::Readiness};
use ambit_keeper::{Exit, Phase, client};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{Host, ports};

/// How long a worker has to stay up to count as started.
const STAYS: Duration = Duration::from_millis(1500);
/// Between two questions whose answers count in a row.
const BETWEEN: Duration = Duration::from_millis(50);
/// How long a declared health check may take.
const HEALTH_PATIENCE: Duration = Duration::from_secs(5);
/// How long the first answer of an app without one may take: some compile their pages when they are asked for.
const FIRST_PATIENCE: Duration = Duration::from_secs(30);
/// How long an answer is listened to after its first line.
const FAREWELL: Duration = Duration::from_millis(250);
/// An app that ended this often while it should start will not.
const TRIES: u32 = 3;

impl Host {
    pub(crate) async fn ready(&self, id: &InstanceId, readiness: &Readiness) -> Result<(), Failure> {
        let record = self.home.keeper(id);
        let begin = Instant::now();
        let wanted = readiness.health.as_ref().map_or(1, |h| h.successes);
        let mut successes = 0;
        let mut last = "it does not listen".to_owned();
        loop {
            let state = client::state(&record).ok().flatten();
            let restarts = state.as_ref().map_or(0, |s| s.restarts);
            if restarts >= TRIES {
                let exit = state.and_then(|s| s.last_exit);
                let hint = (exit == Some(Exit::Code(0)))
                    .then_some("it has to stay in the foreground, and not end or fork itself away");
                let exit = exit.map_or_else(|| "ended".to_owned(), |e| e.to_string());
                let failure = with_log(
                    Failure::new(FailureKind::App, format!("{} does not stay up: it {exit}", id.service)),
                    &record,
                );
                let by_hand = format!("try it by hand: ambit run -e {} -- COMMAND", id.environment.environment);
                return Err(failure.hint_if(hint).hint(by_hand));
            }
            match readiness.port {
                None => {
                    let up = state.as_ref().is_some_and(|s| s.phase == Phase::Running);
                    if up && restarts == 0 && begin.elapsed() >= STAYS {
                        return Ok(());
                    }
                }
                Some(port) => match ask(port, readiness).await {
                    Ok(()) => {
                        successes += 1;
                        if successes >= wanted {
                            return Ok(());
                        }
                        tokio::time::sleep(BETWEEN).await;
                    }
                    Err(why) => {
                        successes = 0;
                        last = why;
                    }
                },
            }
            if begin.elapsed() > readiness.deadline {
                return Err(self.never_ready(id, readiness, &last, state.and_then(|s| s.held).map(|h| h.pid)));
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    fn never_ready(&self, id: &InstanceId, readiness: &Readiness, last: &str, pid: Option<u32>) -> Failure {
        let seconds = readiness.deadline.as_secs();
        let failure = Failure::new(FailureKind::App, format!("{} did not become ready within {seconds} s", id.service))
            .because(last.to_owned());
        let failure = with_log(failure, &self.home.keeper(id));
        let elsewhere: Vec<u16> =
            pid.map(ports::of_session).unwrap_or_default().into_iter().filter(|p| Some(*p) != readiness.port).collect();
        let Some(port) = readiness.port else { return failure };
        match elsewhere.first() {
            _ if !ports::is_free(port) => failure.hint(format!("compare `health` in [services.{}]", id.service)),
            Some(other) => {
                failure.hint(format!("it listens on port {other}; it has to listen on PORT, which is {port}"))
            }
            None if ports::on_ipv6_alone(port) => failure
                .hint(format!("it listens on ::1 alone; it has to listen on 127.0.0.1 (given in HOST), port {port}")),
            None => failure.hint(format!("it has to listen on 127.0.0.1 and the port in PORT, which is {port}")),
        }
    }
}

fn with_log(failure: Failure, record: &Path) -> Failure {
    let (lines, _) = client::tail(record, 20);
    if lines.is_empty() {
        return failure.because("it printed nothing");
    }
    let text: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
    failure.because(text.join("\n"))
}

/// One question: does it answer, and as healthy where the declaration says what that is? That somebody listens proves
/// nothing: gunicorn does so before its workers find that the code cannot be loaded.
async fn ask(port: u16, readiness: &Readiness) -> Result<(), String> {
    let connect = timeout(Duration::from_secs(2), TcpStream::connect(("127.0.0.1", port))).await;
    let Ok(Ok(mut stream)) = connect else { return Err(format!("nothing listens on port {port}")) };
    let (path, patience) = match &readiness.health {
        Some(health) => (health.path.as_str(), HEALTH_PATIENCE),
        None => ("/", FIRST_PATIENCE),
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: ambit\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        readiness.host
    );
    let answer = timeout(patience, async {
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        // The status line is all that counts.
        while !head.contains(&b'\n') && head.len() < 1024 {
            if stream.read_buf(&mut head).await? == 0 {
                break;
            }
        }
        // The rest is read for the sake of servers that do not expect anybody to leave before the end.
        let rest = async { while stream.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {} };
        let _ = timeout(FAREWELL, rest).await;
        Ok::<_, std::io::Error>(head)
    })
    .await;
    let head = match answer {
        Ok(Ok(head)) => head,
        Ok(Err(error)) => return Err(format!("GET {path} broke off: {error}")),
        Err(_) => return Err(format!("GET {path} was not answered within {} s", patience.as_secs())),
    };
    let line = String::from_utf8_lossy(&head);
    let status = line.split_ascii_whitespace().nth(1).and_then(|s| s.parse::<u16>().ok());
    match (status, &readiness.health) {
        (Some(_), None) => Ok(()),
        (Some(status), Some(health)) if status == health.status => Ok(()),
        (Some(status), Some(health)) => Err(format!("GET {path} answered {status} instead of {}", health.status)),
        (None, _) => Err(format!("GET {path} was not answered in HTTP")),
    }
}
