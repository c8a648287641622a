#!/usr/bin/env bash
# PyPI mcp 2.3.0, Python 3.10 or newer.
#
# Behaviour: where the user declines a further scope, the `callback_handler` of OAuthClientProvider has no
# code to give back and raises. `Client.call_tool`, which was refused with 403 `insufficient_scope`, does not
# raise that error: it is cancelled, which `except Exception` does not catch. The session ends with it, and
# the error comes out of `async with Client(...)`.
#
# Output:
#   first call: read
#   second call: CancelledError
#   session: RuntimeError: access_denied
#
# Fails where the output differs. Needs PyPI; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: mcp==2.3.0

cat >"$folder/try.py" <<'PYTHON'
import asyncio
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlparse

from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

logging.disable()


class Server(BaseHTTPRequestHandler):
    """An MCP server, and its authorization server, whose user consents to `read` alone."""

    def say(self, status, value=None, challenge=None):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if challenge:
            document = f'resource_metadata="{base}/.well-known/oauth-protected-resource/mcp"'
            self.send_header("WWW-Authenticate", f"Bearer {challenge}, {document}")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        documents = {
            "/.well-known/oauth-protected-resource/mcp": {
                "resource": f"{base}/mcp",
                "authorization_servers": [base],
            },
            "/.well-known/oauth-authorization-server": {
                "issuer": base,
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "registration_endpoint": f"{base}/register",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
            },
        }
        found = documents.get(self.path)
        self.say(200 if found else 404, found)

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/register":
            return self.say(201, {**json.loads(sent), "client_id": "client", "scope": "read write"})
        if self.path == "/token":
            return self.say(200, {"access_token": "read", "token_type": "Bearer", "expires_in": 3600})
        if "Authorization" not in self.headers:
            return self.say(401, {}, 'scope="read"')
        message = json.loads(sent)
        method, parameters = message["method"], message.get("params", {})
        if method == "tools/call" and parameters["name"] == "write":
            return self.say(403, {}, 'error="insufficient_scope", scope="write"')
        if "id" not in message:
            return self.say(202)
        tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("read", "write")]
        results = {
            "initialize": {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "server", "version": "1"},
            },
            "tools/list": {"tools": tools},
            "tools/call": {"content": [{"type": "text", "text": parameters.get("name")}]},
        }
        self.say(200, {"jsonrpc": "2.0", "id": message["id"], "result": results[method]})

    def log_message(self, *_):
        pass


class Storage:
    async def get_tokens(self):
        return None

    async def set_tokens(self, _):
        pass

    get_client_info, set_client_info = get_tokens, set_tokens


asked = {}


async def visit(url):
    asked.update(parse_qsl(urlparse(url).query))


async def answer():
    if "write" in asked["scope"].split():
        raise RuntimeError("access_denied")
    return AuthorizationCodeResult(code="code", state=asked["state"])


async def main():
    metadata = OAuthClientMetadata(redirect_uris=["http://127.0.0.1:1/"], token_endpoint_auth_method="none")
    auth = OAuthClientProvider(f"{base}/mcp", metadata, Storage(), visit, answer)
    async with create_mcp_http_client(auth=auth) as http:
        transport = streamable_http_client(f"{base}/mcp", http_client=http)
        async with Client(transport, mode="legacy") as client:
            for call, tool in [("first", "read"), ("second", "write"), ("third", "read")]:
                try:
                    said = (await client.call_tool(tool, {})).content[0].text
                except BaseException as error:
                    print(f"{call} call: {type(error).__name__}")
                    raise
                print(f"{call} call: {said}")


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
base = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, daemon=True).start()
try:
    asyncio.run(asyncio.wait_for(main(), 60))
except BaseException as error:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    print(f"session: {type(error).__name__}: {error}")
PYTHON

"$folder/bin/python" "$folder/try.py" | tee "$folder/output"
diff <(sed -n 's/^#   \(\(first call\|second call\|session\): .*\)/\1/p' "$0") "$folder/output"
