"""What script/kaia/api does, once its tools are there."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from servers import Servers, answers, free_port, wait_until
from simulators import CONTRACTS, Simulator

HERE = Path(__file__).resolve().parent
BACKEND = HERE.parents[1] / "apps/kaia/backend"
PASSWORD = "una contraseña larga"


class Api:
    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"

    def ask(self, method, path, body=None, token=None):
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.base}/api/v1{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or "null")


def must(what, true):
    if not true:
        raise SystemExit(f"FAILED: {what}")


def services(api, servers, simulator):
    """Each service gets something, and finds it in order."""
    must("a registration is taken", api.ask("POST", "/auth/register", {
        "email": "ana@kaia.test", "name": "Ana Ñ", "password": PASSWORD})[0] == 202)
    wait_until("a mail comes", lambda: simulator.accepted.get("sendgrid") or simulator.refused)
    must(simulator.refused, not simulator.refused)
    token = re.search(r"#verify=(\S+)", simulator.accepted["sendgrid"][0]["content"][0]["value"]).group(1)
    status, tokens = api.ask("POST", "/auth/verify", {"token": token})
    must("the address is verified", status == 200)
    access = tokens["access_token"]
    must("onboarded", api.ask("PUT", "/me/onboarding", {
        "time_zone": "Europe/Madrid", "language": "es", "phone": "+34600123456"}, access)[0] == 200)
    must("an event", api.ask("POST", "/events", {
        "title": "Médico", "start_time": "2199-01-01T10:00:00Z", "end_time": "2199-01-01T11:00:00Z",
        "reminder_minutes": 10}, access)[0] == 201)
    subprocess.run([*servers.psql, "-d", "kaia", "-c", "UPDATE events SET next_reminder_at = now()"], check=True)
    must("a place", api.ask("GET", "/places?query=plaza", token=access)[1]["items"][0]["name"] == "Plaza Mayor")
    subprocess.run([*servers.psql, "-d", "kaia", "-c", "ALTER TABLE registrations RENAME TO away"], check=True)
    must("a failure", api.ask("POST", "/auth/verify", {"token": "x"})[0] == 500)
    subprocess.run([*servers.psql, "-d", "kaia", "-c", "ALTER TABLE away RENAME TO registrations"], check=True)
    wanted = {"sendgrid", "twilio", "google", "sentry", "otlp"}
    # Sentry gets the failure: it is told of nothing else here.
    wait_until("every service gets something", lambda: wanted <= set(simulator.accepted) or simulator.refused)
    must(simulator.refused, not simulator.refused)
    return access, len(wanted)


def main():
    with Servers() as servers:
        simulator, port = Simulator(), free_port()
        variables = {
            "PORT": str(port), "NODE_ENV": "staging", "DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url,
            "JWT_SECRET": "a secret for the checks alone", "JWT_REFRESH_SECRET": "another secret for the checks",
            "FRONTEND_URL": "https://test.kaia.ai", "API_URL": f"http://127.0.0.1:{port}", "RATE_LIMIT_ENABLED": "false",
            "SENDGRID_API_KEY": "SG.test.key", "SENDGRID_API_URL": simulator.url, "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
            "TWILIO_AUTH_TOKEN": "token", "TWILIO_API_URL": simulator.url, "GOOGLE_MAPS_API_KEY": "AIza-test",
            "GOOGLE_MAPS_API_URL": simulator.url, "SENTRY_DSN": simulator.dsn, "APM_ENABLED": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": simulator.url,
        }
        program = Path(os.environ.get("CARGO_TARGET_DIR", BACKEND / "target")) / "debug/kaia-backend"
        subprocess.run([program, "migrate"], env=variables, check=True)
        kaia = servers.start("kaia", [program], env=variables)
        wait_until("the backend answers", lambda: answers(port), kaia)
        api = Api(port)
        access, kept = services(api, servers, simulator)
        if CONTRACTS.is_dir():
            print(f"test result: ok. {kept} passed; 0 failed; 0 ignored: services against their published schemas", flush=True)
        else:
            print("SKIPPED: ../shared is not here: requests were not held against the services' published schemas", flush=True)
        subprocess.run([program, "grant-admin", "ana@kaia.test"], env=variables, check=True)
        run = subprocess.run([
            sys.argv[1], "--config-file", HERE / "schemathesis.toml", "run", f"{api.base}/openapi.json", "--checks", "all",
            "--header", f"Authorization: Bearer {access}", "--max-examples", os.environ.get("KAIA_EXAMPLES", "50"),
            "--generation-deterministic", "--request-timeout", "30", "--workers", "1", "--no-color",
        ], cwd=servers.folder, env={"PATH": os.environ["PATH"], "HOME": str(servers.folder), "COLUMNS": "160"})
        must("the backend still runs", kaia.poll() is None)
        must(simulator.refused, not simulator.refused)
        passed = run.returncode == 0
        print(f"test result: {'ok' if passed else 'FAILED'}. {int(passed)} passed; {int(not passed)} failed; 0 ignored: "
              "every route with schemathesis", flush=True)
        if not passed:
            print(servers.log("kaia").read_text()[-4000:] if os.environ.get("KAIA_LOG") else "", end="")
        sys.exit(run.returncode)


if __name__ == "__main__":
    main()
