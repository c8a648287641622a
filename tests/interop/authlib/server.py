"""Authlib as an authorization server of opaque tokens, on loopback.

1. `python server.py PORT`, by the interpreter where the packages are installed; port 0 takes a
   free one. The first line on standard output is `ready URL`.
2. Tokens come by client credentials, or by a user's name and password; what is revoked stays
   so. `/introspect` answers the client `api` alone (RFC 7662), `/revoke` whoever got the token
   (RFC 7009), `/userinfo` whoever holds one of a user.
3. What is in a store here is what Authlib leaves to its user: clients, users, tokens. Its own
   are grants, client authentication, tokens, and the endpoints' checks.
4. It ends with its standard input, so that it cannot outlive the test that started it.
"""

import logging
import os
import sys
import threading
import time

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # Loopback.

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.integrations.flask_oauth2 import current_token
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Flask
from werkzeug.serving import make_server

API = "https://api.example.com"
SCOPES = {"missions/read", "missions/write"}


class Client(ClientMixin):
    def __init__(self, client_id, secret, grant_types, auth_method="client_secret_basic"):
        self.client_id = client_id
        self.secret = secret
        self.grant_types = grant_types
        self.auth_method = auth_method

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        return " ".join(one for one in (scope or "").split() if one in SCOPES)

    def check_client_secret(self, client_secret):
        return client_secret == self.secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.auth_method

    def check_grant_type(self, grant_type):
        return grant_type in self.grant_types


class Token(TokenMixin):
    def __init__(self, issued, client, user):
        self.access_token = issued["access_token"]
        self.scope = issued.get("scope", "")
        self.expires_in = issued["expires_in"]
        self.issued_at = int(time.time())
        self.client = client
        self.user = user
        self.revoked = False

    def check_client(self, client):
        return self.client is client

    def get_scope(self):
        return self.scope

    def get_expires_in(self):
        return self.expires_in

    def is_expired(self):
        return time.time() >= self.issued_at + self.expires_in

    def is_revoked(self):
        return self.revoked

    def get_user(self):
        return self.user

    def get_client(self):
        return self.client


CLIENTS = {
    client.client_id: client
    for client in [
        Client("machine", "machine-secret", ["client_credentials"]),
        Client("app", "app-secret", ["password"], "client_secret_post"),
        Client("api", "api-secret", []),
    ]
}
USERS = {"alice": "of no secrecy"}
TOKENS = {}

app = Flask(__name__)
server = AuthorizationServer(
    app,
    query_client=CLIENTS.get,
    save_token=lambda token, request: TOKENS.update(
        {token["access_token"]: Token(token, request.client, request.user)}
    ),
)


class ByMachine(grants.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]


class ByPassword(grants.ResourceOwnerPasswordCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post"]

    def authenticate_user(self, username, password):
        return username if USERS.get(username) == password else None


class Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]

    def query_token(self, token_string, token_type_hint):
        return TOKENS.get(token_string)

    def revoke_token(self, token, request):
        token.revoked = True


class Introspection(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = ["client_secret_basic"]

    def check_permission(self, token, client, request):
        return client.client_id == "api"

    def query_token(self, token_string, token_type_hint):
        return TOKENS.get(token_string)

    def introspect_token(self, token):
        return {
            "active": True,
            "client_id": token.client.client_id,
            "token_type": "Bearer",
            "username": token.user,
            "scope": token.scope,
            "sub": token.user or token.client.client_id,
            "aud": API,
            "exp": token.issued_at + token.expires_in,
            "iat": token.issued_at,
        }


class OfUsers(BearerTokenValidator):
    def authenticate_token(self, token_string):
        return TOKENS.get(token_string)


server.register_grant(ByMachine)
server.register_grant(ByPassword)
server.register_endpoint(Revocation)
server.register_endpoint(Introspection)
protect = ResourceProtector()
protect.register_token_validator(OfUsers())


@app.post("/token")
def issue_token():
    return server.create_token_response()


@app.post("/revoke")
def revoke_token():
    return server.create_endpoint_response(Revocation.ENDPOINT_NAME)


@app.post("/introspect")
def introspect_token():
    return server.create_endpoint_response(Introspection.ENDPOINT_NAME)


@app.get("/userinfo")
@protect()
def user_info():
    return {"sub": current_token.user, "email": f"{current_token.user}@example.com"}


def end_with_standard_input():
    sys.stdin.buffer.read()
    os._exit(0)


logging.getLogger("werkzeug").setLevel(logging.ERROR)
listener = make_server(
    "127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0, app, threaded=True
)
threading.Thread(target=end_with_standard_input, daemon=True).start()
print(f"ready http://127.0.0.1:{listener.port}", flush=True)
listener.serve_forever()
