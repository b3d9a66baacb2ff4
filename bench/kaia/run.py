#!/usr/bin/env python3
"""GET /api/v1/events of Kaia's backend beside the same route in Express: requests a second, and memory.

    (cd apps/kaia/backend && cargo build --release)
    bench/kaia/run.py [--rounds 5] [--seconds 6] [--check] [--json FILE]

Each request carries a token whose signature is checked, is counted in Redis (three limits, one round trip) and asks PostgreSQL
for 20 of a user's 2000 events by an index, with a prepared statement. Both talk to the same PostgreSQL and the same Redis and
use the same SQL, the same script of Redis and as many connections; neither logs requests. Express is one process of Node.js,
with `pg`, `ioredis` and `jsonwebtoken` (bench/kaia/express).

They are measured in turn, the order alternating, and compared by the median of the rounds' ratios. Nothing is bound to a core:
server, databases and load (wrk, 32 connections) share the machine, as they do on a small server. Memory is that of the server's
process: resident (RSS) and proportional (PSS), idle and as the largest under load.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "script/kaia"))
from servers import Servers, answers, free_port, wait_until  # noqa: E402

SECRET = "a secret of the bench that is long enough"
ISSUER, AUDIENCE = "kaia/production", "kaia/production/access"


def token(user, session):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(user), "sid": session, "iat": now, "exp": now + 86400, "jti": "bench"}
    signed = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(claims)
    mac = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def memory(pid):
    """Resident and proportional, in MB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return tuple(int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M).group(1)) / 1000 for name in ("Rss", "Pss"))


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wrk(port, bearer, seconds):
    out = subprocess.run(
        ["wrk", "-t1", "-c32", f"-d{seconds}s", "--latency", "-H", f"Authorization: Bearer {bearer}",
         f"http://127.0.0.1:{port}/api/v1/events"],
        check=True, capture_output=True, text=True, timeout=seconds + 30).stdout
    if bad := re.search(r"Non-2xx.*|Socket errors:.*", out):
        sys.exit(f"the measurement is void: {bad.group()}")
    return int(re.search(r"(\d+) requests in", out).group(1))


def measure(server, bearer, seconds):
    pid, port = server
    largest, done = [(0, 0)], threading.Event()

    def look():
        while not done.wait(0.1):
            largest[0] = max(largest[0], memory(pid))
    looking = threading.Thread(target=look)
    looking.start()
    cpu, start = cpu_seconds(pid), time.monotonic()
    try:
        requests = wrk(port, bearer, seconds)
    finally:
        done.set()
        looking.join()
    elapsed = time.monotonic() - start
    return {"rps": requests / elapsed, "cpu_us": (cpu_seconds(pid) - cpu) / requests * 1e6,
            "rss_mb": largest[0][0], "pss_mb": largest[0][1]}


def fill(servers):
    sql = """
        INSERT INTO users (email, name, password_hash)
          SELECT 'user' || n || '@kaia.test', 'User ' || n, 'x' FROM generate_series(1, 200) n;
        INSERT INTO events (user_id, title, description, location, start_time, end_time)
          SELECT u.id, 'Reunión ' || n, 'Una descripción de la reunión ' || n, 'Sala ' || n % 7,
                 timestamptz '2026-01-01' + n * interval '1 hour', timestamptz '2026-01-01' + n * interval '1 hour 30 minutes'
          FROM users u, generate_series(1, 2000) n WHERE u.id = 1 OR n <= 200;
        INSERT INTO sessions (user_id) VALUES (1);
        VACUUM ANALYZE;"""
    for statement in sql.split(";"):
        if statement.strip():
            subprocess.run([*servers.psql, "-d", "kaia", "-c", statement], check=True)


def first_page(port, bearer):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/events", headers={"Authorization": f"Bearer {bearer}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)["items"]


def same_answers(ours, theirs):
    """Both do the same work: they answer with the same events. Times differ in their written form alone."""
    def plain(items):
        return [{k: v[:19] if k.endswith(("_time", "_at")) else v for k, v in item.items()} for item in items]
    if len(ours) != 20 or plain(ours) != plain(theirs):
        sys.exit(f"the two answer differently:\n{ours[:1]}\n{theirs[:1]}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=6)
    arguments.add_argument("--binary", type=Path, default=ROOT / "apps/kaia/backend/target/release/kaia-backend")
    arguments.add_argument("--json", help="also write the result here")
    arguments.add_argument("--check", action="store_true", help="fail below 5 times the requests or above a tenth of the memory")
    options = arguments.parse_args()
    for program in ["wrk", "node", "npm"]:
        if not shutil.which(program):
            sys.exit(f"{program} is missing: apt-get install wrk nodejs npm")
    if not options.binary.is_file():
        sys.exit(f"{options.binary} is missing: (cd apps/kaia/backend && cargo build --release)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    express = ROOT / "bench/kaia/express"
    subprocess.run(["npm", "install", "--silent", "--no-fund", "--no-audit", "--no-package-lock"], cwd=express, check=True)

    with Servers() as servers:
        ports = {"kaia": free_port(), "express": free_port()}
        variables = {
            "PATH": os.environ["PATH"], "DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url,
            "JWT_SECRET": SECRET, "JWT_REFRESH_SECRET": SECRET[::-1], "NODE_ENV": "production", "LOG_LEVEL": "warn",
            "FRONTEND_URL": "http://localhost", "API_URL": "http://localhost", "RATE_LIMIT_ENABLED": "true",
            "RATE_LIMIT_GLOBAL": "60000000/m", "RATE_LIMIT_USER": "60000000/m", "RATE_LIMIT_ROUTE": "60000000/m",
            "TOKEN_ISSUER": ISSUER, "TOKEN_AUDIENCE": AUDIENCE,
            "TAKE_LUA": str(ROOT / "apps/kaia/backend/src/limits/take.lua"),
        }
        subprocess.run([options.binary, "migrate"], env=variables, check=True)
        fill(servers)
        bearer = token(1, 1)
        under_test = {}
        for name, command in [("kaia", [options.binary]), ("express", ["node", express / "server.js"])]:
            child = servers.start(name, command, env=variables | {"PORT": str(ports[name])})
            wait_until(f"{name} answers", lambda: answers(ports[name]), child)
            under_test[name] = (child.pid, ports[name])
        same_answers(*(first_page(ports[name], bearer) for name in ("kaia", "express")))
        idle = {name: memory(pid) for name, (pid, _) in under_test.items()}
        for server in under_test.values():
            measure(server, bearer, 3)
        rounds = {name: [] for name in under_test}
        for number in range(options.rounds):
            for name in list(under_test) if number % 2 == 0 else list(reversed(under_test)):
                result = measure(under_test[name], bearer, options.seconds)
                rounds[name].append(result)
                print(f"round {number + 1}  {name:8} {result['rps']:8.0f} requests/s  {result['cpu_us']:7.1f} us/request  "
                      f"RSS {result['rss_mb']:6.1f} MB  PSS {result['pss_mb']:6.1f} MB", file=sys.stderr)

    medians = {name: {key: statistics.median(r[key] for r in results) for key in results[0]} for name, results in rounds.items()}
    pairs = list(zip(rounds["kaia"], rounds["express"]))
    ratio = {key: statistics.median(ours[key] / theirs[key] for ours, theirs in pairs) for key in pairs[0][0]}
    print(f"\n{'':9}{'requests/s':>12}{'us/request':>12}{'RSS MB':>9}{'PSS MB':>9}{'idle RSS':>10}")
    for name, values in medians.items():
        print(f"{name:9}{values['rps']:12.0f}{values['cpu_us']:12.1f}{values['rss_mb']:9.1f}{values['pss_mb']:9.1f}{idle[name][0]:10.1f}")
    print(f"{'ratio':9}{ratio['rps']:12.2f}{ratio['cpu_us']:12.3f}{ratio['rss_mb']:9.3f}{ratio['pss_mb']:9.3f}")
    result = {"medians": medians, "ratio": ratio, "idle_mb": idle, "rounds": rounds, "seconds": options.seconds}
    print(json.dumps({key: result[key] for key in ["ratio", "medians"]}))
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n")
    if options.check and (ratio["rps"] < 5 or ratio["rss_mb"] > 0.1):
        sys.exit("the bounds are not kept: at least 5 times the requests, at most a tenth of the memory")


if __name__ == "__main__":
    main()
