#!/usr/bin/env python3
"""How long `ambit plan` takes over a zone of many records, beyond the service's own answers, and how much memory.

    bench/plan/run.py [--records 10000] [--rounds 5] [--check]
    AMBIT=target/debug/ambit bench/plan/run.py     # another build, with ambit-simulate beside it

The zone is simulated on this machine (`ambit simulate`, which needs the published contracts: script/contracts). In each round the same
list is read once by this script and once by `ambit plan --only dns`, one after the other; the difference is Ambit's own. With --check
it fails where the median is 5 s or more, or the memory 200 MB or more.
"""
import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BATCH = 200


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def call(base, path, body=None):
    request = urllib.request.Request(f"{base}/cloudflare{path}", data=json.dumps(body).encode() if body else None)
    request.add_header("Authorization", "Bearer simulated")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def fill(base, records):
    zone = call(base, "/zones?name=big.example")["result"][0]["id"]
    made = 0
    while made < records:
        part = [
            {"type": "A", "name": f"h{n}.big.example", "content": "203.0.113.7", "ttl": 1, "proxied": False,
             # Half of them are the project's own, so that they are compared and not only counted.
             "comment": "ambit:big/prod/app" if n % 2 else "somebody's"}
            for n in range(made, min(made + BATCH, records))
        ]
        call(base, f"/zones/{zone}/dns_records/batch", {"posts": part})
        made += len(part)
    return zone


def listed(base, zone):
    began = time.monotonic()
    page, pages = 1, 1
    while page <= pages:
        pages = call(base, f"/zones/{zone}/dns_records?per_page=5000&page={page}")["result_info"]["total_pages"]
        page += 1
    return time.monotonic() - began


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--check", action="store_true")
    options = options.parse_args()
    if "AMBIT" not in os.environ:
        build = ["cargo", "build", "--release", "-q", "-p", "ambit-cli", "-p", "ambit-simulators"]
        subprocess.run(build, cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    ambit = os.environ.get("AMBIT", os.path.join(target, "release", "ambit"))
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    services = subprocess.Popen([ambit, "simulate", "--port", str(port)], stdout=subprocess.PIPE, text=True)
    try:
        services.stdout.readline()
        zone = fill(base, options.records)
        with tempfile.TemporaryDirectory() as folder:
            # Every second host is declared, so that thousands of records are wanted, kept and compared.
            urls = ", ".join(f'"h{n}.@"' for n in range(1, options.records, 2))
            with open(os.path.join(folder, "ambit.toml"), "w") as file:
                file.write(
                    'project = "big"\ndomain = "big.example"\n[environments.prod]\n[services.app]\nrun = "true"\n'
                    f"url = [{urls}]\n"
                    '[providers.cloudflare]\nzone = "big.example"\naddress = "203.0.113.7"\n'
                )
            surroundings = {**os.environ, "AMBIT_SIMULATE": base, "AMBIT_HOME": os.path.join(folder, "home")}
            own, plan, memory = [], [], 0.0
            for _ in range(options.rounds):
                service = listed(base, zone)
                began = time.monotonic()
                with open(os.path.join(folder, "plan.json"), "w+") as out:
                    command = [ambit, "plan", "--only", "dns", "--json"]
                    running = subprocess.Popen(command, cwd=folder, env=surroundings, stdout=out)
                    # What this one process used, whatever others did.
                    _, status, used = os.wait4(running.pid, 0)
                    took = time.monotonic() - began
                    out.seek(0)
                    said = out.read()
                if os.waitstatus_to_exitcode(status) not in (0, 2):
                    sys.exit(f"the plan failed: {said}")
                memory = max(memory, used.ru_maxrss / 1024)
                plan.append(took)
                own.append(took - service)
            part = json.loads(said)["parts"][0]
    finally:
        services.send_signal(signal.SIGINT)
        services.wait(10)
    own = statistics.median(own)
    print(f"{options.records} records: {part['kept']} as declared, {part['unmanaged']} not the project's, {len(part['changes'])} changes")
    print(f"plan {statistics.median(plan):.2f} s, of it beyond the service's own answers {own:.2f} s (median of {options.rounds})")
    print(f"memory of the plan, the largest of all rounds: {memory:.0f} MB")
    if options.check and (own >= 5 or memory >= 200):
        sys.exit("too slow, or too large")


if __name__ == "__main__":
    main()
