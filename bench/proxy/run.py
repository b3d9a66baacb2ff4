#!/usr/bin/env python3
"""The proxy beside nginx: requests a second and processor time a request, on the same core, for the same backend.

    cargo build --release -p ambit-proxy --example proxy
    bench/proxy/run.py [--rounds 5] [--seconds 5] [--json FILE]

Backend (nginx, a fixed body) and load (wrk, 64 keep-alive connections) share core 1; the proxy under test has core 0 to
itself. Both proxies keep their connections to the backend open and send the same forwarded headers; neither writes an
access log. nginx and ours are measured in turn, the order alternating, and compared by the median of the rounds' ratios. Processor time is that of the
proxy's own processes (utime + stime), without wrk's and the backend's. Everything is on loopback and in a folder of its
own, and is stopped and removed at the end, however that comes.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TICK = os.sysconf("SC_CLK_TCK")
PROXY_CORE, LOAD_CORE = "0", "1"
HOST = "bench.localhost"


def target_folder():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


NGINX_HEAD = """
daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.log crit; worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/{name}-1; proxy_temp_path {folder}/{name}-2;
  fastcgi_temp_path {folder}/{name}-3; uwsgi_temp_path {folder}/{name}-4; scgi_temp_path {folder}/{name}-5;
  keepalive_requests 100000000;
"""

BACKEND = NGINX_HEAD + """
  server {{
    listen 127.0.0.1:{port};
    location / {{ default_type text/plain; return 200 "{body}"; }}
  }}
}}
"""

PROXY = NGINX_HEAD + """
  upstream app {{ server 127.0.0.1:{backend}; keepalive 128; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    server_name {host};
    location / {{
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Request-Id $request_id;
      add_header X-Robots-Tag noindex always;
      add_header X-Ambit-Environment bench always;
    }}
  }}
}}
"""


class Bench:
    def __init__(self, folder, size):
        self.folder, self.size, self.children = Path(folder), size, []

    def start(self, name, command, core):
        log = open(self.folder / f"{name}.out", "wb")
        child = subprocess.Popen(["taskset", "-c", core, *command], stdout=log, stderr=log, start_new_session=True)
        self.children.append(child)
        return child

    def nginx(self, name, text, core, **values):
        conf = self.folder / f"{name}.conf"
        conf.write_text(text.format(folder=self.folder, name=name, **values))
        return self.start(name, ["nginx", "-p", str(self.folder), "-c", str(conf), "-e", str(self.folder / f"{name}.log")], core)

    def wait(self, port, child):
        request = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if child.poll() is not None:
                sys.exit(f"{child.args} ended: see {self.folder}")
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as s:
                    s.sendall(request)
                    answer = b""
                    while part := s.recv(65536):
                        answer += part
                    if answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"x" * self.size):
                        return
            except OSError:
                pass
            time.sleep(0.05)
        sys.exit(f"nothing usable answers on port {port}")

    def stop(self):
        for child in self.children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def processes(pid):
    """A process with its children (nginx's worker)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(p for c in children for p in processes(int(c)))]


def cpu_seconds(pid):
    ticks = 0
    for process in processes(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def resident_mb(pid):
    pages = sum(int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in processes(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def wrk(port, seconds):
    out = subprocess.run(
        ["taskset", "-c", LOAD_CORE, "wrk", "-t1", "-c64", f"-d{seconds}s", "-H", f"Host: {HOST}",
         f"http://127.0.0.1:{port}/"],
        check=True, capture_output=True, text=True, timeout=seconds + 30).stdout
    if bad := re.search(r"Non-2xx.*|Socket errors:.*", out):
        sys.exit(f"the measurement is void: {bad.group()}")
    return int(re.search(r"(\d+) requests in", out).group(1))


def measure(pid, port, seconds):
    cpu, start = cpu_seconds(pid), time.monotonic()
    requests = wrk(port, seconds)
    elapsed, used = time.monotonic() - start, cpu_seconds(pid) - cpu
    return {"rps": requests / elapsed, "cpu_us": used / requests * 1e6, "busy": used / elapsed}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=5)
    arguments.add_argument("--body", type=int, default=128, help="bytes of an answer's body")
    arguments.add_argument("--binary", default=target_folder() / "release/examples/proxy")
    arguments.add_argument("--json", help="also write the result here")
    arguments.add_argument("--check", action="store_true", help="fail above 1.25 of nginx's time or below 0.8 of its rate")
    options = arguments.parse_args()
    for program in ["nginx", "wrk", "taskset"]:
        if not shutil.which(program):
            sys.exit(f"{program} is missing: apt-get install nginx-light wrk util-linux")
    if not Path(options.binary).is_file():
        sys.exit(f"{options.binary} is missing: cargo build --release -p ambit-proxy --example proxy")
    if os.cpu_count() < 2:
        sys.exit("needs two cores: one for the proxy, one for load and backend")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with tempfile.TemporaryDirectory(prefix="ambit-bench-") as folder:
        os.chmod(folder, 0o755)  # nginx's worker may run as another user
        bench = Bench(folder, options.body)
        try:
            backend, theirs, ours = free_port(), free_port(), free_port()
            bench.wait(backend, bench.nginx("backend", BACKEND, LOAD_CORE, port=backend, body="x" * options.body))
            nginx = bench.nginx("nginx", PROXY, PROXY_CORE, port=theirs, backend=backend, host=HOST)
            bench.wait(theirs, nginx)
            state = Path(folder) / "ambit"
            state.mkdir()
            (state / "routes.json").write_text(json.dumps({"format": 1, "routes": [{
                "id": "bench/dev/app", "hosts": [HOST], "path": "/", "noindex": True, "environment": "bench",
                "target": {"app": {"upstreams": [f"127.0.0.1:{backend}"]}}, "state": "serving"}]}))
            ambit = bench.start("ambit", [str(options.binary), str(state), "1", f"127.0.0.1:{ours}"], PROXY_CORE)
            bench.wait(ours, ambit)

            under_test = {"nginx": (nginx.pid, theirs), "ambit": (ambit.pid, ours)}
            idle = {name: resident_mb(pid) for name, (pid, _) in under_test.items()}
            for pid, port in under_test.values():
                measure(pid, port, 1)
            rounds = {name: [] for name in under_test}
            for number in range(options.rounds):
                names = list(under_test) if number % 2 == 0 else list(reversed(under_test))
                for name in names:
                    result = measure(*under_test[name], options.seconds)
                    rounds[name].append(result)
                    print(f"round {number + 1}  {name:6} {result['rps']:9.0f} requests/s  "
                          f"{result['cpu_us']:6.2f} us/request  core {result['busy']:4.0%}", file=sys.stderr)
            direct = wrk(backend, options.seconds) / options.seconds
            loaded = {name: resident_mb(pid) for name, (pid, _) in under_test.items()}
        finally:
            bench.stop()

    medians = {name: {key: statistics.median(r[key] for r in results) for key in results[0]}
               for name, results in rounds.items()}
    # Round by round: what else the machine does meanwhile slows both of a round. Requests a second say something about a
    # proxy only where it had its core to itself and used it up.
    pairs = list(zip(rounds["ambit"], rounds["nginx"]))
    full = [pair for pair in pairs if all(r["busy"] >= 0.9 for r in pair)]
    if not full:
        print("warning: no round used up the proxy's core, so the rates compare something else: the machine is busy",
              file=sys.stderr)
    of = {"cpu_us": pairs, "rps": full or pairs}
    ratio = {key: statistics.median(ours[key] / theirs[key] for ours, theirs in of[key]) for key in of}
    print(f"\n{'':8}{'requests/s':>12}{'us/request':>12}{'idle MB':>10}{'loaded MB':>11}")
    for name, values in medians.items():
        print(f"{name:8}{values['rps']:12.0f}{values['cpu_us']:12.2f}{idle[name]:10.1f}{loaded[name]:11.1f}")
    print(f"{'ratio':8}{ratio['rps']:12.2f}{ratio['cpu_us']:12.2f}")
    print(f"(rates from {len(full)} of {len(pairs)} rounds, those that used up the core)")
    print(f"(the backend alone: {direct:.0f} requests/s; bounds: at least 0.80, at most 1.25)")
    result = {"medians": medians, "ratio": ratio, "idle_mb": idle, "loaded_mb": loaded, "rounds": rounds,
              "backend_rps": direct, "connections": 64, "body": options.body, "seconds": options.seconds}
    print(json.dumps({key: result[key] for key in ["ratio", "medians", "idle_mb"]}))
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n")
    if options.check and (ratio["rps"] < 0.8 or ratio["cpu_us"] > 1.25):
        sys.exit("the bounds are not kept")


if __name__ == "__main__":
    main()
