"""SendGrid, Twilio, Google, Sentry and a collector of traces in one. Each request is held against the service's published schema,
where `shared/contracts` is at hand, and refused where it does not keep to it."""

import base64
import http.server
import json
import threading
import urllib.parse
from pathlib import Path

import jsonschema

CONTRACTS = Path(__file__).resolve().parents[3] / "shared/contracts"


def body_schema(service, path, media_type):
    document = json.loads((CONTRACTS / service / "openapi.json").read_text())
    schema = document["paths"][path]["post"]["requestBody"]["content"][media_type]["schema"]
    return jsonschema.Draft4Validator({**schema, "components": document["components"]})


class Simulator:
    """`accepted` has what was in order, by service; `refused` why something was not."""

    def __init__(self):
        self.accepted, self.refused = {}, []
        self.validators = {}
        if CONTRACTS.is_dir():
            messages = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
            self.validators = {
                "sendgrid": body_schema("sendgrid", "/mail/send", "application/json"),
                "twilio": body_schema("twilio", messages, "application/x-www-form-urlencoded"),
                "sentry": jsonschema.Draft7Validator(json.loads((CONTRACTS / "sentry/event.schema.json").read_text())),
            }
        simulator = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                try:
                    status, answer = simulator.answer(self.path, self.headers, body)
                except Exception as error:  # noqa: BLE001: whatever is wrong with a request is told
                    simulator.refused.append(f"{self.path}: {error!r}"[:1000])
                    status, answer = 400, {}
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.dsn = f"http://{'0' * 32}@127.0.0.1:{self.server.server_port}/42"

    def keep(self, service, value):
        if service in self.validators:
            self.validators[service].validate(value)
        self.accepted.setdefault(service, []).append(value)

    def answer(self, path, headers, body):
        kind = headers.get("content-type", "").split(";")[0]
        if path == "/v3/mail/send":
            assert headers["authorization"].startswith("Bearer SG."), "no key"
            assert kind == "application/json", kind
            self.keep("sendgrid", json.loads(body))
            return 202, {}
        if path.startswith("/2010-04-01/Accounts/") and path.endswith("/Messages.json"):
            account, token = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode().split(":")
            assert path.split("/")[3] == account and token, "another account"
            assert kind == "application/x-www-form-urlencoded", kind
            form = urllib.parse.parse_qs(body.decode(), strict_parsing=True)
            assert all(len(values) == 1 for values in form.values()), "a field twice"
            self.keep("twilio", {name: values[0] for name, values in form.items()})
            return 201, {"status": "queued"}
        if path == "/v1/places:searchText":
            assert headers["x-goog-api-key"] and headers["x-goog-fieldmask"], "no key or no fields"
            self.keep("google", json.loads(body))
            return 200, {"places": [{"id": "ChIJ1", "displayName": {"text": "Plaza Mayor"}, "formattedAddress": "Madrid",
                                     "location": {"latitude": 40.4155, "longitude": -3.7074}}]}
        if path == "/api/42/envelope/":
            assert kind == "application/x-sentry-envelope", kind
            assert f"sentry_key={'0' * 32}" in headers["x-sentry-auth"], "no key"
            self.envelope(body)
            return 200, {"id": "0"}
        if path == "/v1/traces":
            assert kind == "application/json", kind
            for resource in json.loads(body)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    for span in scope["spans"]:
                        assert len(bytes.fromhex(span["traceId"])) == 16 and len(bytes.fromhex(span["spanId"])) == 8
                        assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
                        self.keep("otlp", span)
            return 200, {}
        raise ValueError("no such path")

    def envelope(self, body):
        """A header line; then for each item a header line, and as many bytes as it says."""
        line, _, rest = body.partition(b"\n")
        json.loads(line)
        while rest.strip():
            line, _, rest = rest.partition(b"\n")
            head = json.loads(line)
            item, rest = rest[:head["length"]], rest[head["length"]:].removeprefix(b"\n")
            # The published schema is that of events; one of transactions there is not.
            if head["type"] == "event":
                self.keep("sentry", json.loads(item))
            elif head["type"] == "transaction":
                assert {"transaction", "start_timestamp", "timestamp", "contexts"} <= set(json.loads(item)), "incomplete"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
