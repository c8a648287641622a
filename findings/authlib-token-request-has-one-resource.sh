#!/usr/bin/env bash
# PyPI Authlib 1.9.10, requests 2.34.2, Python 3.10 or newer.
#
# Behaviour: a parameter that occurs several times, such as `resource` (RFC 8707 section 2), goes into the
# authorization request as often as it was given, and into the token request once: the session makes a
# dictionary of the body, in which the last value remains. The client asks for consent to two resources and
# gets a token for one. A refresh does the same.
#
# Output:
#   authorization request: https://a.example/ https://b.example/
#   token request, body with two: https://b.example/
#   refresh request, body with two: https://b.example/
#
# Fails where the output differs. Needs PyPI; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    Authlib==1.9.10 requests==2.34.2

cat >"$folder/try.py" <<'PYTHON'
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from authlib.integrations.requests_client import OAuth2Session

RESOURCES = ["https://a.example/", "https://b.example/"]
ANSWER = b'{"access_token":"a-token","token_type":"Bearer","refresh_token":"another"}'
bodies = []


class TokenEndpoint(BaseHTTPRequestHandler):
    def do_POST(self):
        bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_):
        pass


def resources(form):
    return " ".join(parse_qs(form)["resource"])


server = ThreadingHTTPServer(("127.0.0.1", 0), TokenEndpoint)
threading.Thread(target=server.serve_forever, daemon=True).start()
endpoint = f"http://127.0.0.1:{server.server_port}/"
client = OAuth2Session("an-app", "secret", redirect_uri="https://app.example/callback")
client.trust_env = False

url, _ = client.create_authorization_url("https://as.example/authorize", resource=RESOURCES)
print(f"authorization request: {resources(urlsplit(url).query)}")
body = urlencode({"resource": RESOURCES}, doseq=True)
client.fetch_token(endpoint, code="a-code", body=body)
print(f"token request, body with two: {resources(bodies[-1])}")
client.refresh_token(endpoint, body=body)
print(f"refresh request, body with two: {resources(bodies[-1])}")
PYTHON

"$folder/bin/python" "$folder/try.py" | tee "$folder/output"
diff <(sed -n 's/^#   \(.* request.*: https.*\)/\1/p' "$0") "$folder/output"
