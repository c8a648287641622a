"""Authlib as a client that signs a user in at an authorization server.

1. `python client.py`, by the interpreter where the packages are installed. The first line on
   standard output is `ready authlib`.
2. Commands on standard input and answers on standard output are those of
   `sign-in-clients/client.mjs`.
3. It ends with its standard input.
"""

import secrets
import sys
import time

from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

ALGORITHMS = ["RS256", "ES256", "PS256"]

state = {}


def plain(session):
    session.trust_env = False  # Loopback: no proxy.
    return session


def discovered(session, issuer):
    metadata = session.get(
        f"{issuer}/.well-known/openid-configuration", withhold_token=True, timeout=60
    ).json()
    assert metadata["issuer"] == issuer, metadata["issuer"]
    return metadata


def sign_in(issuer, client, redirect, scope):
    session = plain(
        OAuth2Session(
            client,
            redirect_uri=redirect,
            scope=scope.replace("+", " "),
            code_challenge_method="S256",
            token_endpoint_auth_method="none",
        )
    )
    state.update(session=session, server=discovered(session, issuer), client=client)
    state.update(verifier=generate_token(64), nonce=secrets.token_urlsafe())
    url, state["state"] = session.create_authorization_url(
        state["server"]["authorization_endpoint"],
        code_verifier=state["verifier"],
        nonce=state["nonce"],
    )
    return url


def callback(url):
    session, server = state["session"], state["server"]
    tokens = session.fetch_token(
        server["token_endpoint"],
        authorization_response=url,
        state=state["state"],
        code_verifier=state["verifier"],
    )
    keys = KeySet.import_key_set(session.get(server["jwks_uri"], withhold_token=True).json())
    opened = jwt.decode(tokens["id_token"], keys, algorithms=ALGORITHMS)
    options = {
        "iss": {"essential": True, "value": server["issuer"]},
        "aud": {"essential": True, "value": state["client"]},
    }
    facts = {
        "nonce": state["nonce"],
        "client_id": state["client"],
        "access_token": tokens["access_token"],
    }
    claims = CodeIDToken(opened.claims, opened.header, options, facts)
    claims.validate(now=int(time.time()), leeway=60)
    answer = session.get(server["userinfo_endpoint"])
    answer.raise_for_status()
    user = answer.json()
    assert user["sub"] == claims["sub"], user
    keep(tokens)
    return f"{user['sub']} {user.get('name')} {tokens['token_type'].lower()}"


def keep(tokens):
    state["access"] = tokens["access_token"]
    new, old = tokens.get("refresh_token"), state.get("refresh")
    if new is None or new == old:
        return "kept"
    state.update(before=old, refresh=new)
    return "rotated"


def refresh():
    url = state["server"]["token_endpoint"]
    return keep(state["session"].refresh_token(url, refresh_token=state["refresh"]))


def machine(issuer, client, secret, scope=None):
    scope = scope and scope.replace("+", " ")
    session = plain(OAuth2Session(client, secret, scope=scope))
    state.update(session=session, server=discovered(session, issuer))
    tokens = session.fetch_token(
        state["server"]["token_endpoint"], grant_type="client_credentials"
    )
    keep(tokens)
    return tokens["token_type"].lower()


def old():
    state["refresh"] = state["before"]
    return "old"


def revoke(kind):
    url = state["server"]["revocation_endpoint"]
    hint = {"access": "access_token", "refresh": "refresh_token"}[kind]
    state["session"].revoke_token(url, state[kind], token_type_hint=hint).raise_for_status()
    return "revoked"


commands = {
    "sign-in": sign_in,
    "callback": callback,
    "refresh": refresh,
    "machine": machine,
    "token": lambda: state["access"],
    "old": old,
    "revoke": lambda: revoke("access"),
    "revoke-refresh": lambda: revoke("refresh"),
}

print("ready authlib", flush=True)
for line in sys.stdin:
    verb, *words = line.split()
    try:
        said = commands[verb](*words)
    except OAuthError as error:
        said = error.error
    except Exception as error:  # What the driver shows.
        said = repr(error).replace("\n", " ")
    print("answer", said, flush=True)
