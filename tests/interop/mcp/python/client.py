"""The MCP SDK of Python as a client: `python client.py URL TOOL...`. Prints one line of JSON."""

import asyncio
import importlib.metadata
import json
import pathlib
import sys
from urllib.parse import parse_qs, urlparse

from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

URL, *TOOLS = sys.argv[1:]
REDIRECT = "http://127.0.0.1:1/callback"
USER = pathlib.Path(__file__).parent.with_name("user.mjs")
ARGUMENTS = {"rename_mission": {"id": "apollo", "name": "Apollo 11"}}

report = {
    "client": f"mcp {importlib.metadata.version('mcp')}",
    "authorizations": [],
    "registrations": 0,
}


class Storage:
    """What an application keeps for the library."""

    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client
        report["registrations"] += 1


class User:
    """The user with a browser."""

    async def visit(self, url):
        asked = parse_qs(urlparse(url).query)
        names = {"scope": "scope", "resource": "resource", "pkce": "code_challenge_method"}
        report["authorizations"].append({name: asked.get(key, [None])[0] for name, key in names.items()})
        browser = await asyncio.create_subprocess_exec("node", USER, url, stdout=asyncio.subprocess.PIPE)
        self.back = (await browser.communicate())[0].decode().strip()

    async def answer(self):
        given = {name: values[0] for name, values in parse_qs(urlparse(self.back).query).items()}
        if "error" in given:
            raise RuntimeError(f"{given['error']}: {given['error_description']}")
        return AuthorizationCodeResult(code=given["code"], state=given.get("state"), iss=given.get("iss"))


def text(said):
    return " ".join(part.text for part in said.content)


def short(error):
    """The first error in a group of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".split("\n")[0]


async def main():
    storage, user = Storage(), User()
    auth = OAuthClientProvider(
        server_url=URL,
        client_metadata=OAuthClientMetadata(
            client_name="interop",
            redirect_uris=[REDIRECT],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            token_endpoint_auth_method="none",
        ),
        storage=storage,
        redirect_handler=user.visit,
        callback_handler=user.answer,
    )
    try:
        async with (
            create_mcp_http_client(auth=auth) as http,
            Client(streamable_http_client(URL, http_client=http), mode="auto") as client,
        ):
            report["protocol"] = client.protocol_version
            report["tools"] = [tool.name for tool in (await client.list_tools()).tools]
            report["calls"] = []
            for name in TOOLS:
                try:
                    said = await client.call_tool(name, ARGUMENTS.get(name, {}))
                    report["calls"].append(f"{name}: {text(said)}")
                except Exception as error:
                    report["calls"].append(f"{name}: {short(error)}")
    except Exception as error:
        report["error"] = short(error)
    report["scope"] = storage.tokens and storage.tokens.scope
    print(json.dumps(report))


asyncio.run(main())
