#!/usr/bin/env bash
# requests-oauth2client 1.8.0 (PyPI), requests 2.34.2, Python 3.10 or newer.
#
# Behaviour: a DPoPKey holds one nonce of "the" resource server and writes it into the proofs for every
# server: for another API, and for the token endpoint, where that has not sent a nonce of its own. RFC
# 9449 sections 8 and 9 give each server its own nonces. A token endpoint that refuses a nonce which it
# has not issued (as oidc-provider 9.13.3 does: "DPoP nonces are not supported") therefore issues no
# second token to a key that has met an API with nonces.
#
# Output:
#   token endpoint, first grant: no nonce
#   API with nonces: no nonce
#   API with nonces: nonce-of-the-api
#   API without nonces: nonce-of-the-api
#   token endpoint, second grant: nonce-of-the-api
#
# Fails where the output differs. Needs PyPI; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    requests-oauth2client==1.8.0 requests==2.34.2 jwskate==0.12.2

cat >"$folder/try.py" <<'PYTHON'
import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from requests_oauth2client import DPoPKey, OAuth2Client


def start(name_of, respond):
    """A server that prints the nonce of each proof."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            payload = self.headers["DPoP"].split(".")[1]
            proof = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            print(f"{name_of()}: {proof.get('nonce', 'no nonce')}", flush=True)
            status, headers, body = respond(proof)
            self.send_response(status)
            for field in headers.items():
                self.send_header(*field)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def with_nonces(proof):
    if "nonce" in proof:
        return 200, {}, b""
    challenge = 'DPoP error="use_dpop_nonce", algs="ES256"'
    return 401, {"WWW-Authenticate": challenge, "DPoP-Nonce": "nonce-of-the-api"}, b""


grants = iter(["first", "second"])
token = json.dumps({"access_token": "a-token", "token_type": "DPoP", "expires_in": 60}).encode()
session = requests.Session()
session.trust_env = False
client = OAuth2Client(
    token_endpoint=start(
        lambda: f"token endpoint, {next(grants)} grant",
        lambda _: (200, {"Content-Type": "application/json"}, token),
    ),
    client_id="machine",
    client_secret="secret",
    session=session,
    testing=True,  # Loopback: no TLS.
)
key = DPoPKey.generate()
bound = client.client_credentials(dpop=True, dpop_key=key)
session.get(start(lambda: "API with nonces", with_nonces), auth=bound, timeout=30)
session.get(start(lambda: "API without nonces", lambda _: (200, {}, b"")), auth=bound, timeout=30)
client.client_credentials(dpop=True, dpop_key=key)
PYTHON

"$folder/bin/python" "$folder/try.py" | tee "$folder/output"
diff <(sed -n 's/^#   \(\(token\|API\) .*: .*\)/\1/p' "$0") "$folder/output"
