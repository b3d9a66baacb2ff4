//! The configuration of pgBackRest for one environment (https://pgbackrest.org/configuration.html).

use std::path::Path;

use ambit_domain::{backup::days, provider::Repository, spec::BackupPlace};

/// The whole file. `own` is the repository where it is a folder, `folder` is where pgBackRest keeps its own files.
pub(super) fn configuration(
    repository: &Repository,
    own: &Path,
    folder: &Path,
    stanza: &str,
    data: &Path,
    port: u16,
) -> String {
    let mut text = "# Written by ambit at every start.\n[global]\n".to_owned();
    let mut set = |name: &str, value: &str| {
        // A value ends with its line.
        text.push_str(&format!("{name}={}\n", value.replace(['\n', '\r', '\0'], " ")));
    };
    let secret = |n: usize| repository.secrets.get(n).map_or("", String::as_str);
    let below = |path: &str| format!("{}/{stanza}", path.trim_end_matches('/'));
    match &repository.place {
        None | Some(BackupPlace::Folder(_)) => set("repo1-path", &own.to_string_lossy()),
        Some(BackupPlace::S3 { bucket, path, endpoint, region, .. }) => {
            set("repo1-type", "s3");
            set("repo1-path", &below(path));
            set("repo1-s3-bucket", bucket);
            set("repo1-s3-endpoint", endpoint);
            set("repo1-s3-region", region);
            set("repo1-s3-key", secret(0));
            set("repo1-s3-key-secret", secret(1));
            // Stores that speak like S3 seldom have a host name for each bucket.
            set("repo1-s3-uri-style", if endpoint.ends_with(".amazonaws.com") { "host" } else { "path" });
        }
        Some(BackupPlace::Sftp { user, host, port, path, host_key, .. }) => {
            set("repo1-type", "sftp");
            set("repo1-path", &below(path));
            set("repo1-sftp-host", host);
            set("repo1-sftp-host-port", &port.to_string());
            set("repo1-sftp-host-user", user);
            set("repo1-sftp-private-key-file", &folder.join("sftp.key").to_string_lossy());
            set("repo1-sftp-host-key-check-type", "fingerprint");
            set("repo1-sftp-host-key-hash-type", "sha256");
            set("repo1-sftp-host-fingerprint", host_key);
        }
    }
    set("repo1-cipher-type", "aes-256-cbc");
    set("repo1-cipher-pass", &repository.passphrase);
    set("repo1-bundle", "y");
    set("repo1-retention-full-type", "time");
    set("repo1-retention-full", &days(repository.keep).to_string());
    if !repository.point_in_time {
        // Of the log only what backups need to be consistent, and what came after the newest.
        set("repo1-retention-archive-type", "full");
        set("repo1-retention-archive", "1");
    }
    set("compress-type", "zst");
    set("start-fast", "y");
    set("archive-timeout", "120");
    set("log-level-console", "warn");
    set("log-level-stderr", "off");
    set("log-level-file", "detail");
    for (name, place) in [("log-path", "log"), ("lock-path", "lock"), ("spool-path", "spool")] {
        set(name, &folder.join(place).to_string_lossy());
    }
    text.push_str(&format!("[{stanza}]\n"));
    let mut set = |name: &str, value: &str| text.push_str(&format!("{name}={}\n", value.replace(['\n', '\r'], " ")));
    set("pg1-path", &data.to_string_lossy());
    set("pg1-port", &port.to_string());
    set("pg1-user", "postgres");
    set("pg1-database", "postgres");
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn written(place: Option<BackupPlace>, point_in_time: bool) -> String {
        let repository = Repository {
            place,
            secrets: vec!["one\nrepo1-path=/etc".into(), "two".into()],
            passphrase: "three".into(),
            keep: Duration::from_secs(7 * 86_400),
            point_in_time,
        };
        let folder = Path::new("/home/backups/kaia/prod");
        configuration(&repository, &folder.join("repository"), folder, "kaia-prod", Path::new("/data"), 15_432)
    }

    fn line(text: &str, line: &str) -> bool {
        text.lines().any(|l| l == line)
    }

    #[test]
    fn everything_is_encrypted_and_stays_for_as_long_as_declared() {
        let text = written(None, true);
        for wanted in [
            "repo1-path=/home/backups/kaia/prod/repository",
            "repo1-cipher-type=aes-256-cbc",
            "repo1-cipher-pass=three",
            "repo1-retention-full-type=time",
            "repo1-retention-full=7",
            "pg1-port=15432",
        ] {
            assert!(line(&text, wanted), "{wanted} is missing in\n{text}");
        }
        assert!(!text.contains("retention-archive"), "every moment stays");
        assert!(written(None, false).contains("repo1-retention-archive=1\n"));
    }

    #[test]
    fn a_bucket_is_reached_by_its_keys_and_a_secret_cannot_leave_its_line() {
        let s3 = |endpoint: &str| BackupPlace::S3 {
            bucket: "b".into(),
            path: "/kaia".into(),
            endpoint: endpoint.into(),
            region: "eu-west-1".into(),
            key: "K".into(),
            key_secret: "S".into(),
        };
        let text = written(Some(s3("s3.eu-west-1.amazonaws.com")), true);
        assert!(line(&text, "repo1-type=s3") && line(&text, "repo1-path=/kaia/kaia-prod"));
        assert!(line(&text, "repo1-s3-key=one repo1-path=/etc") && line(&text, "repo1-s3-key-secret=two"));
        assert!(line(&text, "repo1-s3-uri-style=host"));
        assert!(line(&written(Some(s3("minio.example.org")), true), "repo1-s3-uri-style=path"));
    }

    #[test]
    fn the_key_of_another_machine_is_checked() {
        let sftp = BackupPlace::Sftp {
            user: "ambit".into(),
            host: "backup.example.org".into(),
            port: 2222,
            path: "/".into(),
            key: "K".into(),
            host_key: "ab".repeat(32),
        };
        let text = written(Some(sftp), true);
        assert!(line(&text, "repo1-path=/kaia-prod") && line(&text, "repo1-sftp-host-port=2222"));
        assert!(line(&text, &format!("repo1-sftp-host-fingerprint={}", "ab".repeat(32))));
        assert!(line(&text, "repo1-sftp-private-key-file=/home/backups/kaia/prod/sftp.key"));
    }
}
