#!/usr/bin/env bash
# PyPI oauthlib 4.0.1, requests-oauthlib 2.0.0, Python 3.10 or newer.
#
# Behaviour: `"expires_in": 0` in a token response is taken out of the token, as though the server had said
# nothing. RFC 6749 section 5.1 makes the number a lifetime in seconds, so 0 is the token that has less
# than a second left, as a server with a cache of tokens may send it. The client then never regards the
# token as expired: OAuth2Session with `auto_refresh_url` does not refresh it, and sends it to the API. With
# 1 it refreshes two seconds later, as it should.
#
# Output:
#   expires_in 1: the token has access_token expires_at expires_in token_type; two seconds later: TokenExpiredError
#   expires_in 0: the token has access_token token_type; two seconds later: Bearer a-token
#
# Fails where the output differs. Needs PyPI; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    oauthlib==4.0.1 requests-oauthlib==2.0.0

cat >"$folder/try.py" <<'PYTHON'
import json
import time
from unittest.mock import patch

import requests
from oauthlib.oauth2 import TokenExpiredError, WebApplicationClient
from requests_oauthlib import OAuth2Session

sent = []


class Api(requests.adapters.BaseAdapter):
    """Stands for every server, so no port is used."""

    def send(self, request, **_):
        sent.append(request.headers["Authorization"])
        response = requests.Response()
        response.status_code = 200
        response.request = request
        response.url = request.url
        response._content = b""
        return response

    def close(self):
        pass


for lifetime in (1, 0):
    client = WebApplicationClient("an-app")
    answer = {"access_token": "a-token", "token_type": "Bearer", "expires_in": lifetime}
    token = client.parse_request_body_response(json.dumps(answer))
    session = OAuth2Session("an-app", client=client, token=token)
    session.mount("https://", Api())
    later = time.time() + 2
    with patch("time.time", lambda: later):
        try:
            session.get("https://api.example/")
            outcome = sent[-1]
        except TokenExpiredError as error:
            outcome = type(error).__name__
    print(f"expires_in {lifetime}: the token has {' '.join(sorted(token))}; two seconds later: {outcome}")
PYTHON

"$folder/bin/python" "$folder/try.py" | tee "$folder/output"
diff <(sed -n 's/^#   \(expires_in [01]: .*\)/\1/p' "$0") "$folder/output"
