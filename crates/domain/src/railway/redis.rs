//! What survives a restart of Redis, in the command that starts it.

use crate::spec::Persistence;

const SERVER: &str = "redis-server";

/// What a command says of persistence; `None` where it does not start Redis.
#[must_use]
pub fn persistence(command: &str) -> Option<Persistence> {
    let parts = Parts::of(command)?;
    let after = |option: &str| {
        let at = parts.options.iter().position(|word| *word == option)?;
        parts.options.get(at + 1).copied()
    };
    if after("--appendonly") == Some("yes") {
        return Some(Persistence::AppendOnly);
    }
    let saves = after("--save").is_none_or(|first| !["\"\"", "''"].contains(&first));
    Some(if saves { Persistence::Snapshot } else { Persistence::None })
}

/// The command with another persistence; `None` where it does not start Redis.
#[must_use]
pub fn command(command: &str, persist: Persistence) -> Option<String> {
    let parts = Parts::of(command)?;
    let mut all = Vec::new();
    let mut words = parts.options.into_iter().peekable();
    while let Some(word) = words.next() {
        match word {
            "--save" | "--appendonly" => while words.next_if(|next| !next.starts_with("--")).is_some() {},
            other => all.push(other),
        }
    }
    all.extend(match (persist, parts.quote) {
        (Persistence::None, "'") => ["--save", "\"\"", "--appendonly", "no"].as_slice(),
        (Persistence::None, _) => &["--save", "''", "--appendonly", "no"],
        (Persistence::Snapshot, _) => &["--save", "60", "1", "--appendonly", "no"],
        (Persistence::AppendOnly, _) => &["--appendonly", "yes"],
    });
    Some(format!("{}{SERVER} {}{}", parts.before, all.join(" "), parts.quote))
}

struct Parts<'a> {
    before: &'a str,
    options: Vec<&'a str>,
    /// What closes the text that a shell is given, where it is one.
    quote: &'a str,
}

impl<'a> Parts<'a> {
    fn of(command: &'a str) -> Option<Self> {
        let (before, rest) = command.split_once(SERVER)?;
        let rest = rest.trim_end();
        let quote = ["'", "\""].into_iter().find(|q| rest.ends_with(q) && before.matches(q).count() % 2 == 1);
        let (rest, quote) = rest.split_at(rest.len() - quote.map_or(0, str::len));
        Some(Self { before, options: rest.split_whitespace().collect(), quote })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persistence_is_read_and_written_in_plain_and_in_quoted_commands() {
        for there in [
            "exec docker-entrypoint.sh redis-server --requirepass $REDIS_PASSWORD --save 60 1 --dir /data",
            "/bin/sh -c \"rm -rf /data/lost+found && exec redis-server --save 60 1 --dir $RAILWAY_VOLUME_MOUNT_PATH\"",
            "sh -c \"redis-server --dir /data --save 60 1\"",
            "sh -c 'redis-server --save 60 1 300 100'",
            "redis-server",
        ] {
            assert_eq!(persistence(there), Some(Persistence::Snapshot), "{there}");
            for persist in [Persistence::None, Persistence::Snapshot, Persistence::AppendOnly] {
                let changed = command(there, persist).unwrap();
                assert_eq!(persistence(&changed), Some(persist), "{changed}");
                assert_eq!(command(&changed, persist).unwrap(), changed);
                let end = there.chars().last().filter(|c| !c.is_alphanumeric());
                assert!(
                    end.is_none_or(|end| changed.ends_with(end) && changed.matches(end).count() % 2 == 0),
                    "{changed}"
                );
            }
        }
        assert_eq!((persistence("valkey-server"), command("", Persistence::None)), (None, None));
    }
}
