#!/usr/bin/env bash
# PyPI Authlib 1.9.10, requests 2.34.2, Python 3.10 or newer.
#
# Behaviour: the client puts client id and secret into HTTP Basic as they are. RFC 6749 section 2.3.1 demands
# the form encoding of both before. The server of the same package decodes both. A secret with a `%` and two
# hexadecimal digits therefore fails between the two by `client_secret_basic`, and works by
# `client_secret_post`. Other servers that decode refuse it too. (The server leaves a `+` as it is, where
# the form encoding means a space.)
#
# Output:
#   the secret: s3cr3t%20+
#   client_secret_basic: sends machine:s3cr3t%20+, and the server reads "s3cr3t +": invalid_client
#   encoded by RFC 6749: sends machine:s3cr3t%2520%2B, and the server reads "s3cr3t%20+": a token
#   client_secret_post: a token
#
# Fails where the output differs. Needs PyPI; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    Authlib==1.9.10 requests==2.34.2

cat >"$folder/try.py" <<'PYTHON'
import json
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qsl, quote_plus

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import ClientAuthentication

SECRET = "s3cr3t%20+"
seen = []


class Machine:
    """The client, as the server of Authlib knows it."""

    def check_endpoint_auth_method(self, method, _endpoint):
        return method in ("client_secret_basic", "client_secret_post")

    def check_client_secret(self, secret):
        seen.append(secret)
        return secret == SECRET


authenticate = ClientAuthentication(lambda client_id: Machine() if client_id == "machine" else None)


class TokenEndpoint(BaseHTTPRequestHandler):
    def do_POST(self):
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        if basic := self.headers["Authorization"]:
            seen.append(b64decode(basic.removeprefix("Basic ")).decode())
        try:
            request = SimpleNamespace(headers=self.headers, form=form)
            authenticate(request, ["client_secret_basic", "client_secret_post"])
            status, answer = 200, {"access_token": "a-token", "token_type": "Bearer"}
        except OAuth2Error as error:
            status, answer = error.status_code, {"error": error.error}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), TokenEndpoint)
threading.Thread(target=server.serve_forever, daemon=True).start()


def sign_in(secret, method):
    seen.clear()
    client = OAuth2Session("machine", secret, token_endpoint_auth_method=method)
    client.trust_env = False
    try:
        client.fetch_token(f"http://127.0.0.1:{server.server_port}/", grant_type="client_credentials")
        return "a token"
    except OAuthError as error:
        return error.error


print(f"the secret: {SECRET}")
for name, secret in (("client_secret_basic", SECRET), ("encoded by RFC 6749", quote_plus(SECRET))):
    outcome = sign_in(secret, "client_secret_basic")
    print(f'{name}: sends {seen[0]}, and the server reads "{seen[1]}": {outcome}')
print(f"client_secret_post: {sign_in(SECRET, 'client_secret_post')}")
PYTHON

"$folder/bin/python" "$folder/try.py" | tee "$folder/output"
diff <(sed -n 's/^#   \(\(the secret\|client_secret\|encoded\).*: .*\)/\1/p' "$0") "$folder/output"
