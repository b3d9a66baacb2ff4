#!/usr/bin/env python3
"""The masked copy beside a plain dump and restore, and beside other maskers: seconds, ratios, memory.

    cargo build --release -p ambit-data --example copy
    bench/masked-copy/run.py [--users 550000] [--rounds 3] [--peers] [--json FILE]

Makes two clusters of its own on free ports of loopback in a temporary folder, fills one with tables like Kaia's (ten rows a
user: 550,000 users are 5.5 million rows, over 2 GB), and measures in turn, each into a database that did not exist:
`pg_dump -Fc -Z0 | pg_restore`, `pg_dump -Fd -Z0 -j2` with `pg_restore -j2`, and Ambit's engine, whose report says what of its time
the leak check took. With --peers also pganonymize and pynonymizer, from PyPI, on a copy of a tenth of the data, since they take so
long; their time is compared with Ambit's on the same tenth. Everything is removed at the end.
"""

import argparse, json, os, pathlib, pwd, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PASSWORD = "bench"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Cluster:
    """A PostgreSQL of its own; as root it belongs to the user `postgres` that Debian's package makes."""

    def __init__(self, folder, programs, wal_level):
        self.port, self.programs = free_port(), programs
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self.data = folder / f"data-{self.port}"
        self.data.mkdir()
        if self.user:
            os.chown(self.data, self.user.pw_uid, self.user.pw_gid)
        secret = folder / f"password-{self.port}"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self.run("initdb", "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C.UTF-8", "-D", str(self.data))
        with open(self.data / "postgresql.conf", "a") as f:
            f.write(f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nshared_buffers = '256MB'\n"
                    f"wal_level = {wal_level}\nmax_wal_size = '1GB'\n")
        self.log = open(folder / f"log-{self.port}", "w")
        self.process = subprocess.Popen([f"{programs}/postgres", "-D", str(self.data)], stdout=self.log, stderr=self.log, **self.drop())
        for _ in range(300):
            if subprocess.run([f"{programs}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0:
                return
            time.sleep(0.1)
        sys.exit("PostgreSQL does not start")

    def drop(self):
        return {"user": self.user.pw_uid, "group": self.user.pw_gid} if self.user else {}

    def run(self, program, *arguments):
        subprocess.run([f"{self.programs}/{program}", *arguments], check=True, stdout=subprocess.DEVNULL, **self.drop())

    def environment(self, database="postgres"):
        return {"PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "postgres",
                "PGPASSWORD": PASSWORD, "PGDATABASE": database}

    def psql(self, *arguments, database="postgres"):
        done = subprocess.run([f"{self.programs}/psql", "-qAtX", "-v", "ON_ERROR_STOP=1", *arguments], env=self.environment(database),
                              capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        return done.stdout.strip()

    def fresh(self, name):
        self.psql("-c", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', "-c", "CHECKPOINT")
        return name

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


def timed(work):
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=550_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--json")
    options = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = target / "release/examples/copy"
    if not program.exists():
        sys.exit(f"{program} is not there: cargo build --release -p ambit-data --example copy")
    programs = str(sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1])
    folder = pathlib.Path(tempfile.mkdtemp(prefix="masked-copy-"))
    folder.chmod(0o755)
    clusters = []
    try:
        for _ in range(2):
            clusters.append(Cluster(folder, programs, "replica"))
        source, other = clusters
        fill(source, "prod", options.users)
        size = int(source.psql("-c", "SELECT pg_database_size('prod')"))
        rows = int(source.psql("-c", "SELECT sum(n_live_tup) FROM pg_stat_user_tables", database="prod") or 0)
        print(f"{rows:,} rows, {size / 1e9:.2f} GB with indexes")

        def pipe():
            other.fresh("pipe")
            other.psql("-c", "CREATE DATABASE pipe")
            dump = subprocess.Popen([f"{programs}/pg_dump", "-Fc", "-Z0", "prod"], env=source.environment(), stdout=subprocess.PIPE)
            subprocess.run([f"{programs}/pg_restore", "-d", "pipe"], env=other.environment(), stdin=dump.stdout, check=True)
            dump.stdout.close()
            assert dump.wait() == 0

        def folder_format():
            other.fresh("folder")
            other.psql("-c", "CREATE DATABASE folder")
            shutil.rmtree(folder / "dump", ignore_errors=True)
            subprocess.run([f"{programs}/pg_dump", "-Fd", "-Z0", "-j2", "-f", str(folder / "dump"), "prod"], env=source.environment(), check=True)
            subprocess.run([f"{programs}/pg_restore", "-j2", "-d", "folder", str(folder / "dump")], env=other.environment(), check=True)
            shutil.rmtree(folder / "dump")

        reports = []

        def masked(database="prod"):
            other.fresh("masked")
            done = subprocess.Popen([program, str(source.port), database, str(other.port), "masked", str(HERE / "masking.toml"), programs],
                                    env={"PGPASSWORD": PASSWORD, "PATH": os.environ["PATH"]}, stdout=subprocess.PIPE, text=True)
            out = done.stdout.read()
            _, status, used = os.wait4(done.pid, 0)
            if status != 0:
                sys.exit(f"the copy failed: {out}")
            reports.append((json.loads(out), used.ru_maxrss / 1024))

        times = {"pg_dump -Fc -Z0 | pg_restore": [], "pg_dump -Fd -j2, pg_restore -j2": [], "masked copy, leak check included": []}
        works = list(zip(times, (pipe, folder_format, masked), ("pipe", "folder", "masked")))
        for n in range(options.rounds):
            # Whoever comes first finds the quietest disk: each does in turn.
            for name, work, made in works[n % 3:] + works[:n % 3]:
                os.sync()
                took = timed(work)
                times[name].append(took)
                print(f"round {n + 1}  {name:36} {took:7.1f} s", flush=True)
                other.fresh(made)
        medians = {name: statistics.median(all) for name, all in times.items()}
        check = statistics.median(r["millis"][1] for r, _ in reports) / 1000
        memory = max(m for _, m in reports)
        fastest = min(list(medians.values())[:2])
        whole = medians["masked copy, leak check included"]
        figures = {"rows": rows, "bytes": size, "medians": medians, "leak check": check, "memory_mb": memory,
                   "ratio without the check": (whole - check) / fastest, "ratio": whole / fastest}
        print(f"\nmasked copy without its leak check: {(whole - check):.1f} s, {figures['ratio without the check']:.2f} of the faster dump (bound 1.00)")
        print(f"masked copy with its leak check:    {whole:.1f} s, {figures['ratio']:.2f} of the faster dump (bound 1.50)")
        print(f"memory at most {memory:.0f} MB (bound 200)")
        if options.peers:
            figures["peers"] = peers(source, options.users // 10, folder, masked)
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps(figures, indent=2))
    finally:
        for cluster in clusters:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def fill(cluster, database, users):
    cluster.psql("-c", f"CREATE DATABASE {database}")
    cluster.psql("-f", str(HERE / "schema.sql"), database=database)
    cluster.psql("-v", f"users={users}", "-f", str(HERE / "fill.sql"), database=database)


def peers(source, users, folder, masked):
    """The same columns with each tool's nearest provider, in place on a database of a tenth of the rows."""
    python = folder / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    subprocess.run([str(python), "-m", "pip", "-q", "install", "pganonymize", "pynonymizer", "setuptools<80"], check=True)
    figures = {}
    fill(source, "tenth", users)
    figures["ambit"] = timed(lambda: masked("tenth"))
    (folder / "pganonymize.yml").write_text("""
tables:
  - users:
      primary_key: id
      fields:
        - email: {provider: {name: md5}}
        - full_name: {provider: {name: fake.name}}
        - phone: {provider: {name: fake.phone_number}}
        - password_hash: {provider: {name: set, value: x}}
  - events:
      primary_key: id
      fields:
        - title: {provider: {name: fake.sentence}}
        - notes: {provider: {name: fake.text}}
        - place: {provider: {name: fake.address}}
  - sessions:
      primary_key: id
      fields:
        - refresh_token: {provider: {name: md5}}
""")
    connection = ["--dbname", "a", "--user", "postgres", "--password", PASSWORD, "--host", "127.0.0.1", "--port", str(source.port)]
    source.psql("-c", "CREATE DATABASE a TEMPLATE tenth")
    figures["pganonymize"] = timed(lambda: subprocess.run(
        [str(folder / "venv/bin/pganonymize"), "--schema", str(folder / "pganonymize.yml"), *connection], check=True, stdout=subprocess.DEVNULL))
    (folder / "pynonymizer.yml").write_text("""
tables:
  users: {columns: {email: unique_email, full_name: name, phone: phone_number, password_hash: empty}}
  events: {columns: {title: catch_phrase, notes: paragraph, place: street_address}}
  sessions: {columns: {refresh_token: unique_login}}
""")
    dump = folder / "tenth.sql"
    with open(dump, "w") as out:
        subprocess.run([f"{source.programs}/pg_dump", "tenth"], env=source.environment(), stdout=out, check=True)
    figures["pynonymizer"] = timed(lambda: subprocess.run(
        [str(folder / "venv/bin/pynonymizer"), "-i", str(dump), "-s", str(folder / "pynonymizer.yml"), "-o", str(folder / "out.sql"), "-t", "postgres",
         "-d", "scratch", "-u", "postgres", "-p", PASSWORD, "--db-host", "127.0.0.1", "--db-port", str(source.port)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**source.environment(), "PATH": f"{source.programs}:{os.environ['PATH']}"}))
    for name in ("pganonymize", "pynonymizer"):
        print(f"{name:12} on {users * 10:,} rows: {figures[name]:8.1f} s, {figures[name] / figures['ambit']:.1f} times Ambit's {figures['ambit']:.1f} s")
    return figures


if __name__ == "__main__":
    main()
