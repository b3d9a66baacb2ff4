#!/usr/bin/env python3
"""Deployments under load: does any request fail while versions come and go?

    cargo build --release -p ambit-cli
    bench/deployments/run.py [--requests 100000] [--deployments 50] [--rollbacks 10] [--json FILE]

A small app of its own is brought up in an environment of its own, in a folder of its own. Two versions of it are deployed
in turn, and rolled back, and in the middle another installation of the program takes over, while others ask
without pause: over connections that are kept, over new ones, one request that takes two seconds is always in flight, and
one websocket is always open. Whatever is not 200 with the right body counts as failed: another status, a reset, a timeout,
a connection that closes without an answer. Nobody here tries anything twice. A websocket has no end of its own: the app's
`drain` of three seconds is its grace. One that is closed sooner after a switch, or without any, counts as failed.

Ends with 1 where a request failed or fewer were made than asked for. Everything is on loopback, and is stopped and removed
at the end, however that comes.
"""

import argparse
import base64
import json
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOST = "dev.load.localhost"
GRACE = 3.0
TIMEOUT = 10
# Between two requests of one worker: the app and the deployments run on the same cores.
PAUSE = 0.002
VERSIONS = ["black", "white"]

APP = '''
import asyncio, base64, hashlib, os, struct
VERSION = b"%s"

async def websocket(key, reader, writer):
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
                 b"Sec-WebSocket-Accept: " + accept + b"\\r\\n\\r\\n")
    while True:
        head = await reader.readexactly(2)
        mask, data = await reader.readexactly(4), await reader.readexactly(head[1] & 127)
        data = bytes(b ^ mask[n %% 4] for n, b in enumerate(data))
        writer.write(struct.pack("BB", 0x81, len(data)) + data)

async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            lines = head.split(b"\\r\\n")
            headers = {k.lower(): v.strip() for k, _, v in (l.partition(b":") for l in lines[1:])}
            path = lines[0].split(b" ")[1]
            if path == b"/socket":
                return await websocket(headers[b"sec-websocket-key"], reader, writer)
            if path == b"/slow":
                await asyncio.sleep(2)
            close = headers.get(b"connection", b"").lower() == b"close"
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %%d\\r\\n%%s\\r\\n%%s" %% (
                len(VERSION), b"Connection: close\\r\\n" if close else b"", VERSION))
            if close:
                return
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]), backlog=512)
    await server.serve_forever()

asyncio.run(main())
'''

TOML = """project = "load"

[environments.dev]
branch = "main"

[services.app]
build = "true"
run = "exec /usr/bin/python3 -IS app.py"
health = "/"
drain = "%ds"
url = { dev = "dev.@" }
""" % GRACE


def connect(port):
    s = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def answer(s, request):
    """Sends a request and reads the whole answer; returns whether the connection may be used again (RFC 9112, section 9.6)."""
    s.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        part = s.recv(65536)
        if not part:
            raise EOFError("closed without an answer")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1]
    if status != b"200":
        raise ValueError(f"answered {status.decode()}")
    lengths = [l for l in head.lower().split(b"\r\n") if l.startswith(b"content-length:")]
    length = int(lengths[0].split(b":")[1])
    while len(body) < length:
        part = s.recv(65536)
        if not part:
            raise EOFError("closed within an answer")
        body += part
    if body.decode() not in VERSIONS:
        raise ValueError(f"answered {body[:60]!r}")
    return b"connection: close" not in head.lower().split(b"\r\n")


class Tally:
    """What one worker did; written into a pipe at its end."""

    def __init__(self, kind):
        self.kind, self.requests, self.failures, self.slowest = kind, 0, [], 0.0

    def count(self, start, failure=None):
        took = time.monotonic() - start
        self.requests += 1
        self.slowest = max(self.slowest, took)
        if failure is not None:
            self.failures.append(f"{self.kind}: {failure or type(failure).__name__}")


def ask(kind, path, pause, port, over, made, results):
    """One worker: asks until it is over."""
    tally, kept = Tally(kind), None
    keep = kind != "new connections"
    connection = "keep-alive" if keep else "close"
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: {connection}\r\n\r\n".encode()
    while not over.is_set():
        start, failure = time.monotonic(), None
        try:
            s = kept or connect(port)
            kept = None
            if answer(s, request) and keep:
                kept = s
            else:
                s.close()
        except (OSError, EOFError, ValueError, IndexError) as error:
            failure = error
        tally.count(start, failure)
        with made.get_lock():
            made.value += 1
        if pause:
            time.sleep(pause)
    results.put(tally.__dict__)


def talk(port, over, results):
    """The websocket: a message ten times a second; notes when it was closed."""
    tally, closed, opened = Tally("websocket messages"), [], 0
    while not over.is_set():
        try:
            s = connect(port)
            key = base64.b64encode(os.urandom(16)).decode()
            s.sendall(
                f"GET /socket HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            head = b""
            while b"\r\n\r\n" not in head:
                part = s.recv(4096)
                if not part:
                    raise EOFError("closed without an answer")
                head += part
            if not head.startswith(b"HTTP/1.1 101"):
                raise ValueError(head.split(b"\r\n")[0].decode())
        except (OSError, EOFError, ValueError) as error:
            tally.count(time.monotonic(), error)
            time.sleep(0.1)
            continue
        opened += 1
        since = time.time()
        while not over.is_set():
            start = time.monotonic()
            try:
                # Masked by zeros: the mask is there, and the text stays readable (RFC 6455, section 5.3).
                s.sendall(b"\x81\x84\0\0\0\0tick")
                said = b""
                while len(said) < 6:
                    part = s.recv(6 - len(said))
                    if not part:
                        raise EOFError("closed")
                    said += part
            except (TimeoutError, ValueError) as error:
                tally.count(start, error)
                break
            except (OSError, EOFError) as error:
                # Whether it came too early is known when the switches are.
                closed.append((since, time.time(), str(error)))
                break
            tally.count(start)
            time.sleep(0.1)
        s.close()
    results.put({**tally.__dict__, "closed": closed, "opened": opened})


class Machine:
    def __init__(self, folder, program):
        self.folder, self.source, self.program = folder, program, folder / "ambit"
        self.install()
        self.project = folder / "load"
        self.project.mkdir()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AMBIT_")},
            "AMBIT_HOME": str(folder / "home"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }

    def install(self):
        """Puts the program there as a package manager does: a new file in the place of the old one."""
        fresh = self.folder / "ambit.new"
        shutil.copy2(self.source, fresh)
        fresh.rename(self.program)

    def run(self, *arguments, check=True):
        done = subprocess.run(
            [self.program, *arguments], cwd=self.project, env=self.environment, capture_output=True, text=True
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"ambit {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json").stdout)

    def git(self, *arguments):
        who = ["-c", "user.name=Load", "-c", "user.email=load@example.org", "-c", "init.defaultBranch=main"]
        done = subprocess.run(["git", *who, *arguments], cwd=self.project, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, version):
        (self.project / "app.py").write_text(APP % version)
        (self.project / "ambit.toml").write_text(TOML)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", version)
        return self.git("rev-parse", "HEAD")

    def upgrade(self):
        """Another installation of the program takes over; returns how long that took."""
        self.install()
        start = time.monotonic()
        report = self.json("upgrade")
        took = time.monotonic() - start
        if report["proxy"] != "replaced" or report["daemon"] != "replaced" or not report["keepers"]["renewed"]:
            raise RuntimeError(f"not everything was upgraded: {report}")
        return took

    def deployed(self, *arguments):
        """Carries one out and returns its record."""
        return self.json(*arguments, "--wait")

    def remove(self):
        self.run("destroy", "dev", "--confirm", "dev", check=False)
        self.run("down", check=False)
        if os.geteuid() != 0:
            return
        # The users of builds and of the proxy stay for the next project; here there is none.
        home = self.folder / "home"
        owners = {p.stat().st_uid for f in ("proxy", "cache") for p in [home / f, *(home / f).rglob("*")] if p.exists()}
        for line in Path("/etc/passwd").read_text().splitlines():
            name, _, uid = line.split(":")[:3]
            if name.startswith("ambit-") and int(uid) in owners:
                subprocess.run(["userdel", name], capture_output=True)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure(machine, wanted, deployments, rollbacks):
    machine.git("init", "-q")
    commits = [machine.commit(version) for version in VERSIONS]
    machine.run("up", "--listen", f"127.0.0.1:{machine.port}")
    for commit in commits:  # Built once, so that what is measured is the deployment.
        machine.deployed("deploy", "-e", "dev", "--ref", commit)

    over, made, results = multiprocessing.Event(), multiprocessing.Value("L", 0), multiprocessing.Queue()
    workers = [("kept connections", "/", PAUSE)] * 2 + [("new connections", "/", PAUSE)] * 2 + [("slow requests", "/slow", 0)]
    processes = [
        multiprocessing.Process(target=ask, args=(*worker, machine.port, over, made, results), daemon=True)
        for worker in workers
    ]
    processes.append(multiprocessing.Process(target=talk, args=(machine.port, over, results), daemon=True))
    for process in processes:
        process.start()

    begin, done, back, upgrade = time.monotonic(), [], [], None
    try:
        for n in range(deployments):
            if n == deployments // 2:
                upgrade = machine.upgrade()
            done.append(machine.deployed("deploy", "-e", "dev", "--ref", commits[n % 2]))
            if sys.stderr.isatty():
                print(f"\r{n + 1} deployments, {made.value} requests ", end="", file=sys.stderr)
        for _ in range(rollbacks):
            back.append(machine.deployed("rollback", "dev"))
        # Bounded: with the app gone nothing would be counted.
        end = time.monotonic() + 600
        while made.value < wanted and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        over.set()
        # Read before they are joined: a process ends when what it put is taken.
        tallies = [results.get(timeout=60) for _ in processes]
        for process in processes:
            process.join(10)
    return {
        "seconds": time.monotonic() - begin,
        "tallies": tallies,
        "deployments": done,
        "rollbacks": back,
        "upgrade": upgrade,
    }


def judge(measured):
    """Closed websockets are failures where they were closed before their grace was over."""
    switches = [d["switched"] / 1000 for d in measured["deployments"] + measured["rollbacks"]]
    failures = []
    for tally in measured["tallies"]:
        failures += tally["failures"]
        for since, at, why in tally.get("closed", []):
            # The switch that took its instance away came while it was open, and gave it its grace.
            if not any(since - 1 <= switched and at - switched >= GRACE - 0.05 for switched in switches):
                failures.append(f"websocket: {why} {at - since:.1f} s after it was opened")
    return failures


def times(records):
    live = [(d["switched"] - d["created"]) / 1000 for d in records]
    whole = [(d["finished"] - d["created"]) / 1000 for d in records]
    own = []
    for d in records:
        steps = {s["name"]: s for s in d["steps"]}
        if "start" in steps and "health" in steps:
            own.append((steps["health"]["finished"] - steps["start"]["started"]) / 1000)
    return {
        "count": len(records),
        "live_median": statistics.median(live),
        "live_p95": percentile(live, 0.95),
        "app_start_median": statistics.median(own),
        "whole_median": statistics.median(whole),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--deployments", type=int, default=50)
    parser.add_argument("--rollbacks", type=int, default=10)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = target / "release/ambit"
    if not program.exists():
        sys.exit(f"{program} is missing: cargo build --release -p ambit-cli")

    folder = Path(tempfile.mkdtemp(prefix="ambit-bench-"))
    folder.chmod(0o711)
    machine = Machine(folder, program)
    try:
        measured = measure(machine, options.requests, options.deployments, options.rollbacks)
    finally:
        machine.remove()
        shutil.rmtree(folder, ignore_errors=True)

    failures = judge(measured)
    kinds = {}
    for tally in measured["tallies"]:
        kind = kinds.setdefault(tally["kind"], {"requests": 0, "slowest": 0.0})
        kind["requests"] += tally["requests"]
        kind["slowest"] = max(kind["slowest"], tally["slowest"])
    # Messages of the websocket are no requests.
    requests = sum(k["requests"] for name, k in kinds.items() if name != "websocket messages")
    socket_tally = next(t for t in measured["tallies"] if "opened" in t)
    deployments, rollbacks = times(measured["deployments"]), times(measured["rollbacks"])

    print(f"requests                  {requests:>9,}   failed {len(failures)}   in {measured['seconds']:.0f} s")
    for name, kind in kinds.items():
        print(f"  {name:<22}  {kind['requests']:>9,}   slowest {kind['slowest'] * 1000:.0f} ms")
    print(f"  websockets              {socket_tally['opened']:>9,}   closed after their grace {len(socket_tally['closed'])}")
    print("                              count   live after: median   p95   of it the app's start   with drain and stop")
    for name, t in [("deployments", deployments), ("rollbacks", rollbacks)]:
        print(
            f"{name:<24}  {t['count']:>9}   {t['live_median']:>17.2f} s {t['live_p95']:>5.2f} s"
            f" {t['app_start_median']:>18.2f} s {t['whole_median']:>18.2f} s"
        )
    upgrade = measured["upgrade"]
    print(f"{'upgrades':<24}  {1:>9}   took {upgrade:.2f} s: daemon, proxy and keepers replaced")
    for why in failures[:20]:
        print(f"failed: {why}")
    if options.json:
        options.json.write_text(json.dumps({
            "requests": requests, "failed": len(failures), "kinds": kinds, "deployments": deployments,
            "rollbacks": rollbacks, "upgrade": upgrade, "failures": failures[:1000],
        }, indent=2))
    if failures or requests < options.requests:
        sys.exit(1)


if __name__ == "__main__":
    main()
