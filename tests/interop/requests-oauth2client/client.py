"""requests-oauth2client as a DPoP client (RFC 9449) that fetches from an API.

1. `python client.py`, by the interpreter where the packages are installed. The first line on
   standard output is `ready THUMBPRINT`: what `cnf.jkt` of a token for this client must be.
2. Commands on standard input and answers on standard output are those of
   `dpop-clients/client.mjs`. The answer is the status, or the name of the exception that the
   library raises.
3. It ends with its standard input.
"""

import sys

import requests
from requests_oauth2client import BearerToken, DPoPKey, DPoPToken, OAuth2Client
from requests_oauth2client.dpop import InvalidUseDPoPNonceResponse

own = DPoPKey.generate()
other = DPoPKey.generate()
session = requests.Session()
session.trust_env = False  # Loopback: no proxy.
state = {"token": "", "last": {}}


def send(url, auth):
    try:
        response = session.get(url, auth=auth, timeout=60)
    except InvalidUseDPoPNonceResponse as error:
        return type(error).__name__
    # The fields as they were sent, of the repeated request where there was one.
    state["last"] = dict(response.request.headers)
    return str(response.status_code)


def keep(token):
    state["token"] = token
    return "kept"


def grant(issuer, resource):
    client = OAuth2Client.from_discovery_endpoint(
        issuer=issuer,
        client_id="machine",
        client_secret="machine-secret",
        session=session,
        testing=True,  # Loopback: no TLS.
    )
    token = client.client_credentials("missions/read", dpop_key=own, dpop=True, resource=resource)
    state["token"] = token.access_token
    return token.token_type


commands = {
    "token": keep,
    "grant": grant,
    "get": lambda url: send(url, DPoPToken(state["token"], _dpop_key=own)),
    "stolen": lambda url: send(url, DPoPToken(state["token"], _dpop_key=other)),
    "bearer": lambda url: send(url, BearerToken(state["token"])),
    "replay": lambda url: str(session.get(url, headers=state["last"], timeout=60).status_code),
}

print("ready", own.dpop_jkt, flush=True)
for line in sys.stdin:
    verb, *words = line.split()
    print("answer", commands[verb](*words), flush=True)
