//! Backups, drills and restores with a real PostgreSQL, Redis and pgBackRest.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use support::{Machine, until};

/// Where there is no pgBackRest, only what is said about that can be tested.
#[allow(clippy::print_stderr)] // Whoever reads the output of a test wants to know.
fn engine() -> bool {
    let there = Command::new("pgbackrest").arg("version").output().is_ok_and(|o| o.status.success());
    if !there {
        eprintln!("skipped: there is no pgbackrest (apt-get install pgbackrest)");
    }
    there
}

/// A shop with a production that is backed up, up and with one proven backup.
struct Shop {
    machine: Machine,
    project: PathBuf,
}

impl Shop {
    fn new(backup: &str, more: &str) -> Self {
        Self::on(Machine::new(), backup, more)
    }

    fn on(mut machine: Machine, backup: &str, more: &str) -> Self {
        let project = machine.project("shop", &["prod"]);
        std::fs::create_dir(project.join("web")).unwrap();
        std::fs::write(project.join("web/index.html"), "<p>shop</p>").unwrap();
        let text = format!(
            "project = \"shop\"\n[environments.prod]\nbackup = {{ {backup} }}\n[services.postgres]\n{more}\
             [services.pages]\nstatic = \"web\"\nurl = {{ prod = \"@\" }}\n"
        );
        std::fs::write(project.join("ambit.toml"), text).unwrap();
        machine.up(&project);
        let shop = Self { machine, project };
        shop.sql("CREATE TABLE orders (id bigint PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 500)");
        shop
    }

    fn ok(&self, arguments: &[&str]) -> String {
        self.machine.ok(&self.project, arguments)
    }

    /// Exit code and everything that was said.
    fn fails(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.machine.ambit(&self.project, arguments);
        let said = [output.stdout, output.stderr].map(|o| String::from_utf8_lossy(&o).into_owned()).join("\n");
        assert!(!output.status.success(), "ambit {arguments:?} did not fail:\n{said}");
        (output.status.code(), said)
    }

    fn sql(&self, statement: &str) -> String {
        self.ok(&["psql", "-e", "prod", "--", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement]).trim().to_owned()
    }

    /// What the database answers; `None` where it does not.
    fn asks(&self, statement: &str) -> Option<String> {
        let arguments = ["psql", "-e", "prod", "--", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement];
        let output = self.machine.ambit(&self.project, &arguments);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A moment of the database's own clock with nothing of `before` after it and nothing of what follows before it.
    fn moment(&self) -> String {
        let sql = "SELECT pg_sleep(0.02); \
                   SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";
        let at = self.sql(sql);
        self.sql("SELECT pg_sleep(0.02)");
        at.lines().last().unwrap().to_owned()
    }

    fn backups(&self) -> serde_json::Value {
        serde_json::from_str(&self.ok(&["backup", "list", "-e", "prod", "--json"])).unwrap()
    }

    /// The newest backup's name and whether its drill succeeded.
    fn newest(&self) -> Option<(String, bool)> {
        let all = self.backups();
        let newest = all["backups"].as_array()?.first()?;
        let drill = newest["drill"].as_object()?;
        Some((newest["name"].as_str()?.to_owned(), drill["failure"].is_null()))
    }

    /// A backup that a drill restored, old enough that a moment after it is a moment after it.
    fn proven(&self) -> String {
        self.ok(&["backup", "now", "-e", "prod"]);
        let (name, proven) = self.newest().unwrap();
        assert!(proven);
        let ranges = self.backups()["ranges"].clone();
        let finished = ranges.as_array().unwrap().last().unwrap()["from"].as_i64().unwrap();
        until("the backup is two seconds old", || self.clock() > finished + 1);
        name
    }

    /// The database's own clock, in whole seconds.
    fn clock(&self) -> i64 {
        self.sql("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint").parse().unwrap()
    }

    fn environment(&self) -> PathBuf {
        self.machine.folder.path().join("home/environments/shop/prod")
    }

    fn repository(&self) -> PathBuf {
        self.machine.folder.path().join("home/backups/shop/prod/repository")
    }

    /// Names of what lies beside, by what it is.
    fn beside(&self) -> Vec<(String, String)> {
        let text = self.ok(&["restore", "list", "-e", "prod", "--json"]);
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
        all.as_array().unwrap().iter().map(|b| (text(&b["name"]), text(&b["state"]))).collect()
    }

    /// Whether a server of a copy beside has a process.
    fn copies_run(&self) -> bool {
        self.machine.instances().iter().any(|instance| instance.contains("/beside/"))
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

const PROD: &str = "every = \"6h\", keep = \"7d\", point-in-time = true";

#[test]
fn a_restore_to_a_moment_between_two_commits_returns_exactly_the_first() {
    if !engine() {
        return;
    }
    let smoke = format!("{PROD}, smoke = \"SELECT count(*) > 0 FROM orders\"");
    let shop = Shop::new(&smoke, "");
    // By itself, as soon as the environment is up.
    until("the first backup is made and drilled", || shop.newest().is_some());
    let first = shop.proven();
    assert!(shop.ok(&["status"]).contains("proven"));

    shop.sql("INSERT INTO orders VALUES (501)");
    let between = shop.moment();
    shop.sql("INSERT INTO orders VALUES (502)");
    shop.sql("DELETE FROM orders WHERE id <= 500");

    let text = shop.ok(&["restore", "-e", "prod", "--to", &between, "--into", "look", "--json"]);
    let restored: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (restored["backup"].as_str(), restored["tables"][0]["rows"].as_i64()),
        (Some(first.as_str()), Some(501))
    );
    let beside = ["psql", "-e", "prod", "--beside", "look", "--", "-qAtc", "SELECT count(*), max(id) FROM orders"];
    assert_eq!(shop.ok(&beside).trim(), "501|501");
    assert_eq!(shop.sql("SELECT count(*) FROM orders"), "2", "what serves was not touched");

    let (code, said) = shop.fails(&["restore", "-e", "prod", "--to", "2026-01-01T00:00:00Z", "--yes"]);
    assert!(code == Some(1) && said.contains("cannot be restored to") && said.contains("restorable: "), "{said}");
    let (_, said) = shop.fails(&["restore", "-e", "prod", "--to", "2126-01-01T00:00:00Z", "--yes"]);
    assert!(said.contains("has not come yet"), "{said}");
    assert_eq!(shop.beside(), [("look".to_owned(), "restored".to_owned())]);

    shop.ok(&["restore", "-e", "prod", "--to", &between, "--yes"]);
    assert_eq!(shop.sql("SELECT count(*), max(id) FROM orders"), "501|501");
    let kept: Vec<String> =
        shop.beside().into_iter().filter(|(_, state)| state == "replaced").map(|(n, _)| n).collect();
    assert_eq!(kept.len(), 1, "what was replaced is kept");

    // What is written from now on is archived, and backed up by a full backup of its own.
    shop.sql("INSERT INTO orders VALUES (503)");
    until("a new full backup is proven", || shop.newest().is_some_and(|(name, proven)| name != first && proven));
    assert!(shop.newest().unwrap().0.ends_with('F'));

    shop.ok(&["restore", "remove", &kept[0], "-e", "prod"]);
    shop.ok(&["restore", "remove", "look", "-e", "prod"]);
    assert!(shop.beside().is_empty());
    until("no copy runs", || !shop.copies_run());
    shop.ok(&["log", "--verify"]);

    // With a proven backup production may go; the backups stay, and a new production begins with its own.
    shop.ok(&["destroy", "prod", "--confirm", "prod"]);
    assert!(!shop.environment().exists() && shop.repository().exists());
    let last = shop.newest().unwrap().0;
    shop.machine.up(&shop.project);
    shop.sql("CREATE TABLE orders (id bigint)");
    shop.sql("INSERT INTO orders VALUES (1)");
    // The old ones do not stand for what it holds now, however young they are.
    until("the new cluster is backed up by itself", || {
        shop.newest().is_some_and(|(name, proven)| name != last && name.ends_with('F') && proven)
    });
    shop.proven();
    // The two clusters count their logs alike; moments of each are told apart, and nothing is missing.
    let ranges = shop.backups()["ranges"].clone();
    let ranges = ranges.as_array().unwrap();
    assert!(ranges.iter().all(|r| r["missing"].is_null()), "{ranges:?}");
    let open: Vec<bool> = ranges.iter().map(|r| r["open"].as_bool().unwrap()).collect();
    assert!(open.len() >= 2 && open.iter().filter(|o| **o).count() == 1 && open[open.len() - 1], "{ranges:?}");
    shop.ok(&["restore", "-e", "prod", "--backup", &first, "--into", "old"]);
    let beside = ["psql", "-e", "prod", "--beside", "old", "--", "-qAtc", "SELECT count(*) FROM orders"];
    assert_eq!(shop.ok(&beside).trim(), "500");
}

#[test]
fn a_backup_of_a_database_that_never_rests_is_proven() {
    if !engine() {
        return;
    }
    let shop = Shop::new(PROD, "");
    // One transaction after the other, each with rows that come and rows that go; the first 500 stay.
    let writes = "DO $$ DECLARE stop timestamptz := clock_timestamp() + interval '300 s'; n bigint := 1000; BEGIN \
                  WHILE clock_timestamp() < stop LOOP INSERT INTO orders SELECT generate_series(n, n + 9); \
                  DELETE FROM orders WHERE id >= 1000 AND id < n - 50; COMMIT; n := n + 10; END LOOP; END $$";
    let mut writer = shop.machine.command(&shop.project, &["psql", "-e", "prod", "--", "-qc", writes]).spawn().unwrap();
    until("somebody writes", || shop.sql("SELECT count(*) FROM orders") != "500");
    shop.ok(&["backup", "now", "-e", "prod"]);
    let (name, proven) = shop.newest().unwrap();
    let shown = shop.ok(&["backup", "show", &name, "-e", "prod"]);
    assert!(writer.try_wait().unwrap().is_none(), "it was written to until now");
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert!(proven && shown.contains("at least"), "{shown}");
    let text = shop.ok(&["backup", "show", &name, "-e", "prod", "--json"]);
    let backup: serde_json::Value = serde_json::from_str(&text).unwrap();
    let counted = backup["postgres"]["count"]["tables"][0]["rows"].as_i64().unwrap();
    assert!((500..600).contains(&counted), "{counted}");
}

#[test]
fn a_flipped_byte_in_the_repository_is_told_by_the_drill_and_by_verify() {
    if !engine() {
        return;
    }
    let shop = Shop::new(PROD, "");
    let name = shop.proven();
    shop.ok(&["backup", "verify", "-e", "prod"]);
    let folder = shop.repository().join("backup/shop-prod").join(&name);
    let largest = files_below(&folder).into_iter().max_by_key(|f| f.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&largest, bytes).unwrap();

    let (code, said) = shop.fails(&["backup", "drill", &name, "-e", "prod"]);
    assert!(code == Some(3) && said.contains("was not proven"), "{said}");
    let list = shop.ok(&["backup", "list", "-e", "prod"]);
    assert!(list.contains("failed"), "{list}");
    let (_, said) = shop.fails(&["backup", "verify", "-e", "prod"]);
    assert!(said.contains("damaged"), "{said}");
    assert!(shop.ok(&["log", "-e", "prod", "--json"]).contains("backup.failed"));
    assert!(shop.ok(&["status"]).contains("cannot be restored"));
    let (_, said) = shop.fails(&["destroy", "prod", "--confirm", "prod"]);
    assert!(said.contains("no backup of what it holds that a drill restored"), "{said}");
    assert!(shop.beside().is_empty() && !shop.copies_run(), "the drill leaves nothing");

    // Nothing is built on it: the next one is whole by itself.
    let whole = shop.proven();
    assert!(whole.ends_with('F') && whole != name);
    assert_eq!(shop.sql("SELECT count(*) FROM orders"), "500");
}

#[test]
fn a_missing_segment_of_the_log_shrinks_what_can_be_restored_and_harms_nothing() {
    if !engine() {
        return;
    }
    let shop = Shop::new(PROD, "");
    let name = shop.proven();
    // Three segments of the log after the backup, each with an order of its own.
    let mut moments = Vec::new();
    for id in [501, 502, 503] {
        shop.sql(&format!("INSERT INTO orders VALUES ({id})"));
        moments.push(shop.moment());
        // Segments are known to the second.
        let second = shop.clock();
        until("another second begins", || shop.clock() > second);
        let segments = || files_below(&shop.repository().join("archive/shop-prod")).len();
        let before = segments();
        shop.ok(&["restore", "-e", "prod", "--to", &moments[moments.len() - 1], "--into", "look"]);
        shop.ok(&["restore", "remove", "look", "-e", "prod"]);
        assert!(segments() > before, "what was committed is archived before it is asked for");
    }
    let mut segments = files_below(&shop.repository().join("archive/shop-prod"));
    segments.retain(|f| f.extension().is_some_and(|e| e == "zst"));
    segments.sort();
    // The last but one holds the last order but one.
    std::fs::remove_file(&segments[segments.len() - 2]).unwrap();

    let ranges = shop.backups()["ranges"].clone();
    assert_eq!((ranges.as_array().unwrap().len(), ranges[0]["open"].as_bool()), (1, Some(false)), "{ranges}");
    assert!(shop.ok(&["backup", "list", "-e", "prod"]).contains("a segment of the log is missing"));
    let (_, said) = shop.fails(&["restore", "-e", "prod", "--to", &moments[2], "--yes"]);
    assert!(said.contains("restorable: ") && said.contains("missing"), "{said}");
    assert_eq!(shop.sql("SELECT count(*) FROM orders"), "503");

    // A moment before it still can be reached, and a new backup opens a new range.
    shop.ok(&["restore", "-e", "prod", "--to", &moments[0], "--into", "look"]);
    let beside = ["psql", "-e", "prod", "--beside", "look", "--", "-qAtc", "SELECT max(id) FROM orders"];
    assert_eq!(shop.ok(&beside).trim(), "501");
    shop.ok(&["backup", "now", "-e", "prod"]);
    let ranges = shop.backups()["ranges"].clone();
    assert_eq!((ranges.as_array().unwrap().len(), ranges[1]["open"].as_bool()), (2, Some(true)), "{name}: {ranges}");
}

#[test]
fn whatever_is_killed_in_the_middle_of_a_restore_either_the_old_or_the_new_data_serves() {
    if !engine() {
        return;
    }
    let shop = Shop::new(PROD, "");
    shop.proven();
    let before = shop.moment();
    shop.sql("INSERT INTO orders VALUES (501)");
    // Moments spread over the whole of a restore, in an order that mixes them; what is killed takes turns.
    let mut replaced = 0;
    for round in 0..20u64 {
        let after = Duration::from_millis(round * 7919 % 20 * 130);
        let mut restore = shop
            .machine
            .command(&shop.project, &["restore", "-e", "prod", "--to", &before, "--yes"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        sleep(after);
        match round % 4 {
            0 | 1 => shop.machine.kill_daemon(),
            2 => drop(restore.kill()),
            _ => kill_one(&shop, "/beside/"),
        }
        restore.wait().unwrap();
        if round % 2 == 0 {
            shop.machine.kill_daemon();
        }
        if !shop.machine.daemon_lives() {
            shop.machine.start_daemon(&shop.project);
        }
        until("the database answers", || shop.asks("SELECT 1").is_some());
        let orders = shop.sql("SELECT count(*) FROM orders");
        assert!(orders == "500" || orders == "501", "round {round}: {orders} orders");
        let settled = || shop.beside().iter().all(|(_, state)| state == "replaced") && !shop.copies_run();
        let stuck = |shop: &Shop| {
            let copies: Vec<String> = shop.machine.instances().into_iter().filter(|i| i.contains("/beside/")).collect();
            format!("nothing unfinished is left in round {round}: {:?}, running {copies:?}", shop.beside())
        };
        let end = std::time::Instant::now() + Duration::from_secs(120);
        while !settled() {
            assert!(std::time::Instant::now() < end, "{}", stuck(&shop));
            sleep(Duration::from_millis(10));
        }
        let now = shop.beside().len();
        if orders == "500" {
            assert!(now > replaced, "round {round}: what was replaced is kept");
            // Back to where it was, for the next round.
            shop.sql("INSERT INTO orders VALUES (501)");
        }
        replaced = now;
    }
}

/// Kills a process whose instance is marked so, where there is one.
fn kill_one(shop: &Shop, mark: &str) {
    let home = format!("AMBIT_INSTANCE={}:", shop.machine.folder.path().join("home").display());
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Ok(environ) = std::fs::read(entry.path().join("environ")) else { continue };
        let text = String::from_utf8_lossy(&environ);
        let ours = text.split('\0').any(|v| v.strip_prefix(&home).is_some_and(|instance| instance.contains(mark)));
        if ours && let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
            return;
        }
    }
}

#[test]
fn a_disk_that_is_full_stops_a_backup_and_not_what_serves_and_the_next_one_is_whole() {
    let mut machine = Machine::new();
    if !engine() || !machine.mount_disk(600) {
        return eprintln!("skipped: this machine mounts no disk for a test");
    }
    let shop = Shop::on(machine, "every = \"6h\"", "");
    let first = shop.proven();
    let disk = shop.machine.disk.as_ref().unwrap();
    disk.fill();
    let (_, said) = shop.fails(&["backup", "now", "-e", "prod"]);
    assert!(said.contains("No space left") || said.contains("full"), "{said}");
    assert_eq!(shop.sql("SELECT count(*) FROM orders"), "500");
    disk.free();
    shop.sql("INSERT INTO orders VALUES (501)");
    let second = shop.proven();
    assert_ne!(first, second);
    shop.ok(&["restore", "-e", "prod", "--backup", &second, "--into", "look"]);
    let beside = ["psql", "-e", "prod", "--beside", "look", "--", "-qAtc", "SELECT count(*) FROM orders"];
    assert_eq!(shop.ok(&beside).trim(), "501");
    shop.ok(&["backup", "verify", "-e", "prod"]);
}

#[test]
fn a_repository_whose_making_was_interrupted_is_made_anew_and_one_with_backups_is_not() {
    if !engine() {
        return;
    }
    let shop = Shop::new(PROD, "");
    until("a first backup is there", || shop.newest().is_some());
    let stanza = shop.repository().join("backup/shop-prod");
    // The two files that `stanza-create` writes last.
    for name in ["backup.info", "backup.info.copy"] {
        std::fs::remove_file(stanza.join(name)).unwrap();
    }
    let (_, said) = shop.fails(&["backup", "now", "-e", "prod"]);
    assert!(said.contains("backup.info is missing"), "a repository that holds a backup is left as it is: {said}");
    assert!(stanza.read_dir().unwrap().count() > 0);

    std::fs::remove_dir_all(&stanza).unwrap();
    shop.proven();
    shop.ok(&["backup", "verify", "-e", "prod"]);
}

#[test]
fn redis_is_copied_as_it_persists_and_put_back() {
    if !engine() {
        return;
    }
    let shop = Shop::new(PROD, "[services.redis]\npersist = \"append-only\"\n");
    let redis = |words: &[&str]| {
        let mut all = vec!["redis", "-e", "prod", "--"];
        all.extend(words);
        shop.ok(&all).trim().to_owned()
    };
    redis(&["SET", "cart:1", "apples"]);
    redis(&["RPUSH", "queue", "a", "b", "c"]);
    let name = shop.proven();
    let shown = shop.ok(&["backup", "show", &name, "-e", "prod"]);
    assert!(shown.contains("append-only files") && shown.contains("2 keys"), "{shown}");
    redis(&["SET", "cart:1", "pears"]);
    redis(&["DEL", "queue"]);
    shop.ok(&["restore", "-e", "prod", "--backup", &name, "--redis", "--yes"]);
    assert_eq!(redis(&["GET", "cart:1"]), "apples");
    assert_eq!(redis(&["LLEN", "queue"]), "3");
    assert!(shop.beside().iter().any(|(n, state)| n.starts_with("redis-") && state == "replaced"));
    // It goes on as it was declared, also after a restart.
    redis(&["SET", "cart:2", "plums"]);
    shop.ok(&["down"]);
    shop.machine.up(&shop.project);
    assert_eq!(redis(&["GET", "cart:2"]), "plums");
    assert_eq!(shop.sql("SELECT count(*) FROM orders"), "500");

    let copy = shop.machine.folder.path().join("home/backups/shop/prod/redis").join(&name);
    let file = files_below(&copy).into_iter().max_by_key(|f| f.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (_, said) = shop.fails(&["restore", "-e", "prod", "--backup", &name, "--redis", "--yes"]);
    assert!(said.contains("damaged"), "{said}");
    assert_eq!(redis(&["GET", "cart:2"]), "plums", "nothing was changed");
}

#[test]
fn without_pgbackrest_everything_works_but_backups_and_that_is_said() {
    let mut machine = Machine::new();
    let project = machine.project("shop", &["dev", "prod"]);
    std::fs::create_dir(project.join("web")).unwrap();
    std::fs::write(project.join("web/index.html"), "<p>shop</p>").unwrap();
    let text = format!(
        "project = \"shop\"\n[environments.dev]\n[environments.prod]\nbackup = {{ {PROD} }}\n[services.postgres]\n\
         [services.pages]\nstatic = \"web\"\nurl = {{ dev = \"dev.@\", prod = \"@\" }}\n"
    );
    std::fs::write(project.join("ambit.toml"), text).unwrap();
    // Programs that the machine has, but for one.
    let path = machine.folder.path().join("bin");
    std::fs::create_dir(&path).unwrap();
    for folder in ["/usr/bin", "/usr/sbin"] {
        for program in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            let name = program.file_name().unwrap();
            if name != "pgbackrest" {
                // Where both folders have one, the first counts.
                let _ = symlink(&program, path.join(name));
            }
        }
    }
    let run = |arguments: &[&str]| {
        let output = machine.command(&project, arguments).env("PATH", &path).output().unwrap();
        let said = [output.stdout, output.stderr].map(|o| String::from_utf8_lossy(&o).into_owned()).join("\n");
        (output.status.code(), said)
    };
    let (code, said) = run(&["up", "--listen", &format!("127.0.0.1:{}", machine.port)]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no pgBackRest") && said.contains("apt-get install pgbackrest"), "{said}");
    let (code, said) = run(&["backup", "now", "-e", "prod"]);
    assert!(code == Some(3) && said.contains("apt-get install pgbackrest"), "{said}");
    let (code, said) = run(&["backup", "now", "-e", "dev"]);
    assert!(code == Some(1) && said.contains("dev is not backed up"), "{said}");
    until("status says it", || run(&["status"]).1.contains("no pgBackRest"));
    let (code, said) = run(&["psql", "-e", "dev", "--", "-qAtc", "SELECT 1"]);
    assert!(code == Some(0) && said.trim() == "1", "{said}");
}
