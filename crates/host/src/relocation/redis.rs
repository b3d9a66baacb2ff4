//! The keys of one Redis into another one, value by value as the server itself writes them, with what is left of their time.

use std::io;

use ambit_domain::{
    Failure, FailureKind,
    relocation::{Keys, Login},
};

use super::resp::{Answer, Connection};
use crate::{Host, redis_wire::field};

/// How many keys are asked for, and carried, at once.
const AT_ONCE: &str = "200";

impl Host {
    /// Counts what a Redis holds.
    pub async fn keys(&self, login: &Login) -> Result<Keys, Failure> {
        let mut redis = Connection::open(login).await.map_err(|e| told(login, &e))?;
        keys(&mut redis).await.map_err(|e| told(login, &e))
    }

    /// Empties one Redis and fills it with what the other holds; returns how many keys there were. `output` is told how far it is.
    pub async fn carry_keys(&self, from: &Login, to: &Login, output: impl Fn(u64) + Send) -> Result<u64, Failure> {
        let mut source = Connection::open(from).await.map_err(|e| told(from, &e))?;
        let mut target = Connection::open(to).await.map_err(|e| told(to, &e))?;
        let work = async {
            let mut carried = 0;
            target.ask(&[b"FLUSHALL"]).await?;
            for database in keys(&mut source).await?.databases.into_keys() {
                let number = database.to_string();
                source.ask(&[b"SELECT", number.as_bytes()]).await?;
                target.ask(&[b"SELECT", number.as_bytes()]).await?;
                let mut cursor = b"0".to_vec();
                loop {
                    let answer = source.ask(&[b"SCAN", &cursor, b"COUNT", AT_ONCE.as_bytes()]).await?;
                    let Answer::All(parts) = answer else { return Err(io::Error::other("SCAN gave no keys")) };
                    let (Some(Answer::Bytes(next)), Some(Answer::All(names))) = (parts.first(), parts.get(1)) else {
                        return Err(io::Error::other("SCAN gave no keys"));
                    };
                    carried += some(&mut source, &mut target, names).await?;
                    output(carried);
                    cursor.clone_from(next);
                    if cursor == b"0" {
                        break;
                    }
                }
            }
            Ok(carried)
        };
        work.await.map_err(|error: io::Error| {
            Failure::new(FailureKind::Machine, "the keys of Redis could not be carried").because(error.to_string())
        })
    }
}

fn told(login: &Login, error: &io::Error) -> Failure {
    Failure::new(FailureKind::Machine, format!("Redis at {}:{} does not answer", login.host, login.port))
        .because(error.to_string())
}

async fn some(source: &mut Connection, target: &mut Connection, names: &[Answer]) -> io::Result<u64> {
    let names: Vec<&[u8]> =
        names.iter().filter_map(|n| if let Answer::Bytes(b) = n { Some(&b[..]) } else { None }).collect();
    let questions: Vec<[&[u8]; 2]> =
        names.iter().flat_map(|name| [[&b"PTTL"[..], name], [&b"DUMP"[..], name]]).collect();
    let questions: Vec<&[&[u8]]> = questions.iter().map(|words| &words[..]).collect();
    let answers = source.ask_all(&questions).await?;
    let mut values: Vec<(&[u8], String, &[u8])> = Vec::new();
    for (name, pair) in names.iter().zip(answers.chunks(2)) {
        match pair {
            // What has no end is put there without one; the last moment of a key is a moment.
            [Answer::Number(left), Answer::Bytes(value)] if *left != -2 => {
                let left = if *left == -1 { 0 } else { (*left).max(1) };
                values.push((name, left.to_string(), value));
            }
            // It expired since it was named.
            [Answer::Number(_), Answer::Nothing | Answer::Bytes(_)] => {}
            [.., Answer::Refused(why)] | [Answer::Refused(why), ..] => return Err(io::Error::other(why.clone())),
            _ => return Err(io::Error::other("a key has no value")),
        }
    }
    let commands: Vec<[&[u8]; 5]> =
        values.iter().map(|(name, left, value)| [&b"RESTORE"[..], name, left.as_bytes(), value, b"REPLACE"]).collect();
    let commands: Vec<&[&[u8]]> = commands.iter().map(|words| &words[..]).collect();
    for answer in target.ask_all(&commands).await? {
        if let Answer::Refused(why) = answer {
            return Err(io::Error::other(why));
        }
    }
    Ok(u64::try_from(values.len()).unwrap_or(u64::MAX))
}

async fn keys(redis: &mut Connection) -> io::Result<Keys> {
    let server = redis.ask(&[b"INFO", b"server"]).await?.text();
    let memory = redis.ask(&[b"INFO", b"memory"]).await?.text();
    let space = redis.ask(&[b"INFO", b"keyspace"]).await?.text();
    let version = field(&server, "redis_version").unwrap_or_default();
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let version = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let databases = space.lines().filter_map(|line| {
        // db0:keys=3,expires=1,avg_ttl=0
        let (name, figures) = line.trim().strip_prefix("db")?.split_once(':')?;
        let figure = |wanted: &str| {
            let of = figures.split(',').find_map(|f| f.strip_prefix(wanted)?.strip_prefix('='));
            of.and_then(|number| number.parse::<u64>().ok()).unwrap_or_default()
        };
        let ending = figure("expires");
        Some((name.parse().ok()?, (figure("keys").saturating_sub(ending), ending)))
    });
    let databases = databases.collect();
    let size = field(&memory, "used_memory").and_then(|n| n.parse().ok()).unwrap_or_default();
    Ok(Keys { version, size, databases })
}
