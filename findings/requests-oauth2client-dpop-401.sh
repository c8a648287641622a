#!/usr/bin/env bash
# requests-oauth2client 1.8.0 (PyPI), requests 2.34.2, Python 3.10 or newer.
#
# Behaviour: each 401 whose WWW-Authenticate begins with `DPoP` counts as a demand for a nonce,
# whatever its `error` is. RFC 9449 section 9 demands `error="use_dpop_nonce"` for that. A token that
# is refused as expired (`error="invalid_token"`, section 7.1) therefore is
#   - an exception MissingDPoPNonce, where the API does not use nonces;
#   - an exception RepeatedDPoPNonce, where the API sends the nonce that the client has already;
#   - sent a second time with a new proof, where the API sends another nonce: the only case in which
#     the application sees the 401.
# With `Bearer` first, the application sees the 401 in all cases.
#
# Output:
#   DPoP first, no nonce: MissingDPoPNonce after 1 request
#   DPoP first, a new nonce each time: 401 after 2 requests
#   DPoP first, the same nonce, first call: 401 after 2 requests
#   DPoP first, the same nonce, second call: RepeatedDPoPNonce after 1 request
#   Bearer first, no nonce: 401 after 1 request
#
# Fails where the output differs. Needs PyPI; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    requests-oauth2client==1.8.0 requests==2.34.2 jwskate==0.12.2

cat >"$folder/try.py" <<'PYTHON'
import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from requests_oauth2client import DPoPKey, DPoPToken

numbers = itertools.count()
state = {}


class Api(BaseHTTPRequestHandler):
    """An API for which each token has expired."""

    def do_GET(self):
        state["requests"] += 1
        self.send_response(401)
        self.send_header("WWW-Authenticate", state["challenge"])
        nonce = state["nonce"]()
        if nonce:
            self.send_header("DPoP-Nonce", nonce)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


api = ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=api.serve_forever, daemon=True).start()
session = requests.Session()
session.trust_env = False


def call(name, key):
    state["requests"] = 0
    token = DPoPToken("a-token", _dpop_key=key)
    try:
        url = f"http://127.0.0.1:{api.server_port}/orders"
        said = session.get(url, auth=token, timeout=30).status_code
    except Exception as error:
        said = type(error).__name__
    plural = "s" if state["requests"] > 1 else ""
    print(f"{name}: {said} after {state['requests']} request{plural}")


dpop, bearer = 'DPoP error="invalid_token", algs="ES256"', 'Bearer error="invalid_token"'
state.update(challenge=dpop, nonce=lambda: None)
call("DPoP first, no nonce", DPoPKey.generate())
state.update(nonce=lambda: f"nonce-{next(numbers)}")
call("DPoP first, a new nonce each time", DPoPKey.generate())
state.update(nonce=lambda: "nonce")
key = DPoPKey.generate()
call("DPoP first, the same nonce, first call", key)
call("DPoP first, the same nonce, second call", key)
state.update(challenge=f"{bearer}, {dpop}", nonce=lambda: None)
call("Bearer first, no nonce", DPoPKey.generate())
PYTHON

"$folder/bin/python" "$folder/try.py" | tee "$folder/output"
diff <(sed -n 's/^#   \(\(DPoP\|Bearer\) first.*\)/\1/p' "$0") "$folder/output"
