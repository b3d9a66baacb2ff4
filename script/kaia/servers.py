"""A PostgreSQL and a Redis on free ports in a folder of their own, for as long as a `with` lasts."""

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, true, process=None, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        if process and process.poll() is not None:
            raise SystemExit(f"{what}: the process ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not happen within {seconds} s")
        time.sleep(0.05)


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


class Servers:
    """`database_url` and `redis_url` name them."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="kaia-servers-"))
        self.children = []
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        found = sorted(glob.glob("/usr/lib/postgresql/1[4-9]/bin"), key=lambda p: int(p.split("/")[4]))
        if not found or not shutil.which("redis-server"):
            raise SystemExit("PostgreSQL 14 or later and Redis are needed: script/install-needs installs them")
        binaries, data = Path(found[-1]), self.folder / "data"
        os.chmod(self.folder, 0o755)
        # PostgreSQL refuses to run as root.
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        subprocess.run([binaries / "initdb", "-D", data, "-U", "kaia", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"],
                       check=True, stdout=subprocess.DEVNULL, **self._as_user())
        port = free_port()
        self.postgres = self.start("postgres", [binaries / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1",
                                                "-k", self.folder, "-c", "fsync=off"], **self._as_user())
        self.psql = [str(binaries / "psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "kaia", "-qAtX", "-v", "ON_ERROR_STOP=1"]
        def ready():
            ask = [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            return subprocess.run(ask).returncode == 0
        wait_until("PostgreSQL answers", ready, self.postgres)
        subprocess.run([*self.psql, "-d", "postgres", "-c", "CREATE DATABASE kaia"], check=True)
        self.database_url = f"postgresql://kaia@127.0.0.1:{port}/kaia"
        port = free_port()
        self.redis = self.start("redis", ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                                          "--dir", self.folder], **self._as_user())
        wait_until("Redis answers", lambda: answers(port), self.redis)
        self.redis_url = f"redis://127.0.0.1:{port}/0"

    def _as_user(self):
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}

    def start(self, name, command, **how):
        """A process that ends with the servers; what it prints lies in `log(name)`."""
        how.setdefault("cwd", self.folder)
        with open(self.log(name), "ab") as log:
            child = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, **how)
        self.children.append(child)
        return child

    def log(self, name):
        return self.folder / f"{name}.log"

    def __exit__(self, *_):
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(10)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
