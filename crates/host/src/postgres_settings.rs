//! The server settings of a cluster, by what its environment is for. Names and meanings: PostgreSQL manual, chapter 20.

use ambit_domain::{provider::PostgresServer, spec::Kind};

/// After how many seconds a segment of the log is archived that is not full: with the time that storing it takes, no more than a
/// minute of work is lost with the machine.
const ARCHIVE_TIMEOUT: &str = "45";

/// The whole configuration file. `archive` is the command that archives a segment of the log, where something does.
pub(crate) fn configuration(server: &PostgresServer, name: &str, archive: Option<&str>) -> String {
    let mut settings: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| settings.push((name.to_owned(), value.to_owned()));
    set("listen_addresses", "127.0.0.1");
    set("unix_socket_directories", "");
    set("cluster_name", name);
    set("password_encryption", "scram-sha-256");
    set("timezone", "UTC");
    set("log_timezone", "UTC");
    set("log_line_prefix", "[%p] %q%u@%d ");
    set("log_min_duration_statement", "1s");
    set("max_connections", if server.kind == Kind::Development { "50" } else { "100" });
    let memory = server.memory.unwrap_or(match server.kind {
        Kind::Development => 128 << 20,
        Kind::Staging => 256 << 20,
        Kind::Production => 1 << 30,
    });
    // A quarter for shared buffers, three quarters expected in the system's cache: the manual's starting point (20.4.1).
    set("shared_buffers", &format!("{}MB", (memory >> 22).clamp(16, 16 << 10)));
    set("effective_cache_size", &format!("{}MB", (memory >> 20) * 3 / 4));
    match server.kind {
        Kind::Development => {
            // A crash of the machine may cost this data; a crash of the server does not.
            set("fsync", "off");
            set("synchronous_commit", "off");
            set("full_page_writes", "off");
            // A backup needs the whole log.
            set("wal_level", if archive.is_some() { "replica" } else { "minimal" });
            set("max_wal_senders", "0");
            set("max_wal_size", "128MB");
        }
        Kind::Staging => {
            set("wal_level", "replica");
            set("max_wal_size", "256MB");
        }
        Kind::Production => {
            set("fsync", "on");
            set("full_page_writes", "on");
            set("wal_level", "replica");
            set("max_wal_senders", "10");
            // Changing archive_mode needs a restart, changing the command does not: backups that begin later only have to set
            // the command. Until then every segment counts as archived, or they would fill the disk.
            set("archive_mode", "on");
            set("archive_command", "/bin/true");
            set("max_wal_size", "1GB");
        }
    }
    if let Some(archive) = archive {
        set("archive_mode", "on");
        set("archive_command", archive);
        if server.backup.as_ref().is_some_and(|b| b.point_in_time) {
            set("archive_timeout", ARCHIVE_TIMEOUT);
        }
    }
    settings.extend(server.settings.iter().map(|(k, v)| (k.clone(), v.clone())));
    settings.push(("port".to_owned(), server.port.to_string()));
    let mut text =
        "# Written by ambit at every start; set `settings` in [services.postgres] of ambit.toml instead.\n".to_owned();
    for (name, value) in settings {
        text.push_str(&format!("{name} = '{}'\n", quote(&value)));
    }
    text
}

/// Within single quotes of a configuration file a quote is doubled and a backslash escapes (manual, 20.1.2).
fn quote(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\'', "''").replace(['\n', '\r', '\0'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(kind: Kind) -> PostgresServer {
        PostgresServer {
            kind,
            version: None,
            port: 15_432,
            database: "kaia-dev".into(),
            role: "kaia".into(),
            role_password: String::new(),
            admin_password: String::new(),
            memory: None,
            backup: None,
            settings: [("application_name".to_owned(), "o'\\b\nport = 1".to_owned())].into_iter().collect(),
        }
    }

    #[test]
    fn only_development_gives_up_durability() {
        assert!(configuration(&server(Kind::Development), "x", None).contains("fsync = 'off'"));
        assert!(!configuration(&server(Kind::Staging), "x", None).contains("fsync = 'off'"));
        assert!(configuration(&server(Kind::Production), "x", None).contains("archive_mode = 'on'"));
    }

    #[test]
    fn what_is_backed_up_archives_its_log_whatever_it_is_for() {
        for kind in [Kind::Development, Kind::Staging, Kind::Production] {
            let text = configuration(&server(kind), "x", Some("archive '%p'"));
            let last = |name: &str| text.lines().rev().find_map(|l| l.strip_prefix(name)).unwrap().to_owned();
            assert_eq!(last("archive_mode = "), "'on'");
            assert_eq!(last("archive_command = "), "'archive ''%p'''");
            assert_eq!(last("wal_level = "), "'replica'");
        }
        assert!(!configuration(&server(Kind::Staging), "x", None).contains("archive_mode"));
        assert!(configuration(&server(Kind::Production), "x", None).contains("archive_command = '/bin/true'"));
    }

    #[test]
    fn a_setting_cannot_leave_its_line() {
        let text = configuration(&server(Kind::Staging), "x", None);
        assert!(text.contains("application_name = 'o''\\\\b port = 1'\n"));
    }
}
