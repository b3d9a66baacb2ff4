#!/usr/bin/env python3
"""The dashboard: how large its first page is, how soon it is there, who can look on at once, what the daemon takes.

    cargo build --release -p ambit-cli
    bench/dashboard/run.py [--browsers 100] [--json FILE]

A project with three environments of one site each is brought up in a folder of its own. Measured are the pipeline page with
everything that it loads (bytes, and the median of its answer over 50 requests, each after a change, so that nothing comes
from a cache), the memory of the daemon when nothing happens, and how long it takes until each of so many browsers that look
on hears of a deployment. Ends with 1 where a bound of the issue is not kept: 100 KB, 200 ms, 60 MB. Everything is on loopback,
and is stopped and removed at the end, however that comes.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOUNDS = {"bytes": 100_000, "render_ms": 200, "memory_mb": 60}
TOML = """project = "bench"
[environments.dev]
branch = "main"
[environments.test]
kind = "staging"
branch = "main"
[environments.prod]
branch = "main"
approvers = ["lead@example.org"]
[monitoring]
level = "full"
[services.web]
static = "web"
url = { dev = "dev.@", test = "test.@", prod = "@" }
"""


class Machine:
    def __init__(self, program):
        self.program = program
        self.folder = Path(tempfile.mkdtemp(prefix="ambit-bench-"))
        os.chmod(self.folder, 0o711)
        self.project = self.folder / "project"
        (self.project / "web").mkdir(parents=True)
        (self.project / "ambit.toml").write_text(TOML)
        self.git("init", "-q", "-b", "main")
        self.commit("one")

    def git(self, *arguments):
        identity = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=self.project, check=True, stdout=subprocess.DEVNULL)

    def commit(self, text):
        (self.project / "web/index.html").write_text(f"<p>{text}</p>")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)

    def ambit(self, *arguments):
        environment = {**os.environ, "AMBIT_HOME": str(self.folder / "home"), "XDG_CONFIG_HOME": str(self.folder / "config"),
                       "AMBIT_USER": "lead@example.org"}
        done = subprocess.run([self.program, *arguments], cwd=self.project, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"ambit {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.ambit(*arguments, "--json"))

    def memory(self):
        pid = (self.folder / "home/run/daemon.lock").read_text().strip()
        line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def end(self):
        environment = {**os.environ, "AMBIT_HOME": str(self.folder / "home")}
        for arguments in [["destroy", name, "--confirm", name] for name in ("dev", "test", "prod")] + [["down"]]:
            subprocess.run([self.program, *arguments], cwd=self.project, env=environment, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class Visitor:
    def __init__(self, machine):
        self.port = machine.json("dashboard")["port"]
        code = machine.json("login")["urls"][0].split("code=")[1]
        answer, _ = self.ask("POST", "/sign-in", f"code={code}", {})
        self.cookie = answer.getheader("set-cookie").split(";")[0]

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        head = {"Host": f"ambit.localhost:{self.port}", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, body, {**head, **({"Cookie": self.cookie} if headers is None else headers)})
        answer = connection.getresponse()
        return answer, answer.read()

    def live(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("GET", "/projects/bench/live", headers={"Host": f"ambit.localhost:{self.port}", "Cookie": self.cookie})
        return connection, connection.getresponse()


def first_page(visitor):
    answer, page = visitor.ask("GET", "/projects/bench")
    assert answer.status == 200, answer.status
    size = len(page)
    for path in re.findall(rb'(?:src|href)="(/assets/[^"]+)"', page):
        size += len(visitor.ask("GET", path.decode())[1])
    return size


def rendered(machine, visitor):
    times = []
    for n in range(50):
        # A line in the audit log is a change: the page is made anew.
        if n % 10 == 0:
            machine.ambit("login")
        begin = time.perf_counter()
        visitor.ask("GET", "/projects/bench")
        times.append((time.perf_counter() - begin) * 1000)
    return times


def look_on(machine, visitor, count):
    heard, streams = [], [visitor.live() for _ in range(count)]
    begin = 0.0

    def wait(answer):
        for line in answer:
            if line.startswith(b"event: changed"):
                heard.append((time.perf_counter() - begin) * 1000)
                return

    threads = [threading.Thread(target=wait, args=(answer,)) for _, answer in streams]
    machine.commit("two")
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    machine.ambit("deploy", "-e", "dev", "--detach")
    for thread in threads:
        thread.join(60)
    with_them = machine.memory()
    for connection, _ in streams:
        connection.close()
    return heard, with_them


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--browsers", type=int, default=100)
    arguments.add_argument("--json", type=Path)
    arguments = arguments.parse_args()
    program = ROOT / "target/release/ambit"
    if not program.exists():
        sys.exit(f"{program} is not there: cargo build --release -p ambit-cli")
    machine = Machine(str(program))
    try:
        machine.ambit("up", "--listen", "127.0.0.1:18231")
        visitor = Visitor(machine)
        first = first_page(visitor)
        times = rendered(machine, visitor)
        time.sleep(10)
        idle = machine.memory()
        heard, busy = look_on(machine, visitor, arguments.browsers)
    finally:
        machine.end()
    result = {
        "bytes": first,
        "render_ms": round(statistics.median(times), 1),
        "render_worst_ms": round(max(times), 1),
        "memory_mb": round(idle, 1),
        "browsers": arguments.browsers,
        "heard": len(heard),
        "heard_worst_ms": round(max(heard, default=0.0), 1),
        "memory_with_browsers_mb": round(busy, 1),
    }
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    broken = [name for name, most in BOUNDS.items() if result[name] > most]
    if len(heard) < arguments.browsers:
        broken.append("heard")
    if broken:
        sys.exit(f"not kept: {', '.join(broken)}")


if __name__ == "__main__":
    main()
