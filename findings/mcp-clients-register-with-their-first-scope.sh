#!/usr/bin/env bash
# npm @modelcontextprotocol/sdk 1.32.2, npm @modelcontextprotocol/client 2.4.0, PyPI mcp 2.3.0; Node.js 20
# or newer, Python 3.10 or newer.
#
# Behaviour: the clients register dynamically (RFC 7591) with `scope` set to the scope that they request
# first, which is that of the first 401. RFC 7591 section 2 makes it the scopes "that the client can use
# when requesting access tokens". They keep that registration for the step-up after a 403
# `insufficient_scope`: an authorization server that goes by the registration, as oidc-provider 9.13.3
# does, answers `invalid_scope`, and no consent of the user gets them the further scope. The clients
# neither register again nor leave `scope` out where the application has not named one.
#
# Output:
#   sdk 1.32.2: registers with "read", requests "read", then "write": invalid_scope
#   client 2.4.0: registers with "read", requests "read", then "read write": invalid_scope
#   mcp 2.3.0: registers with "read", requests "read", then "read write": invalid_scope
#
# Fails where the output differs. Needs npm's registry and PyPI; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
npm install --prefix "$folder" --silent --ignore-scripts --no-audit --no-fund --no-update-notifier \
    @modelcontextprotocol/sdk@1.32.2 @modelcontextprotocol/client@2.4.0 >/dev/null
python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: mcp==2.3.0

# An MCP server with a tool for which `write` is missing, and its authorization server, which consents.
cat >"$folder/server.mjs" <<'NODE'
import { createServer } from 'node:http';
import { appendFileSync } from 'node:fs';

let base;
const registered = new Map(), codes = new Map();
const server = createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += part;
  const { pathname, searchParams } = new URL(request.url, base);
  const send = (status, json, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(json && JSON.stringify(json));
  };
  const challenge = (parameters) => ({
    'www-authenticate': `Bearer ${parameters}, resource_metadata="${base}/.well-known/oauth-protected-resource/mcp"`,
  });
  switch (pathname) {
    case '/.well-known/oauth-protected-resource/mcp':
      return send(200, { resource: `${base}/mcp`, authorization_servers: [base], scopes_supported: ['read', 'write'] });
    case '/.well-known/oauth-authorization-server':
      return send(200, {
        issuer: base,
        authorization_endpoint: `${base}/authorize`,
        token_endpoint: `${base}/token`,
        registration_endpoint: `${base}/register`,
        response_types_supported: ['code'],
        code_challenge_methods_supported: ['S256'],
        token_endpoint_auth_methods_supported: ['none'],
      });
    case '/register': {
      const client = { ...JSON.parse(body), client_id: `client-${registered.size}` };
      registered.set(client.client_id, client);
      appendFileSync(process.argv[2], `registers with "${client.scope}"\n`);
      return send(201, client);
    }
    case '/authorize': {
      const client = registered.get(searchParams.get('client_id'));
      const scope = searchParams.get('scope');
      const allowed = client.scope === undefined || scope.split(' ').every((one) => client.scope.split(' ').includes(one));
      const back = new URL(searchParams.get('redirect_uri'));
      back.searchParams.set('state', searchParams.get('state'));
      back.searchParams.set(...(allowed ? ['code', scope] : ['error', 'invalid_scope']));
      appendFileSync(process.argv[2], `requests "${scope}"${allowed ? '' : ': invalid_scope'}\n`);
      return send(302, undefined, { location: String(back) });
    }
    case '/token': {
      const scope = new URLSearchParams(body).get('code');
      return send(200, { access_token: scope.replaceAll(' ', '.'), token_type: 'Bearer', expires_in: 3600, scope });
    }
    case '/mcp': {
      if (request.method !== 'POST') return send(405);
      const scopes = request.headers.authorization?.slice('Bearer '.length).split('.');
      if (!scopes) return send(401, {}, challenge('scope="read"'));
      const { id, method, params } = JSON.parse(body);
      if (method === 'tools/call' && !scopes.includes('write')) {
        return send(403, {}, challenge('error="insufficient_scope", scope="write"'));
      }
      if (id === undefined) return send(202);
      const serverInfo = { name: 'server', version: '1' };
      const results = {
        initialize: { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo },
        'tools/call': { content: [{ type: 'text', text: 'called' }] },
        'tools/list': { tools: [{ name: 'tool', inputSchema: { type: 'object' } }] },
      };
      const result = results[method];
      return send(200, { jsonrpc: '2.0', id, ...(result ? { result } : { error: { code: -32601, message: 'unknown' } }) });
    }
    default:
      return send(404, {});
  }
});
server.listen(0, '127.0.0.1', () => {
  base = `http://127.0.0.1:${server.address().port}`;
  console.log(base);
});
NODE

cat >"$folder/typescript.mjs" <<'NODE'
const [, , library, url] = process.argv;
const { Client, StreamableHTTPClientTransport } =
  library === 'client'
    ? await import('@modelcontextprotocol/client')
    : { ...(await import('@modelcontextprotocol/sdk/client/index.js')), ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')) };
let client, tokens, verifier, back;
const redirect = 'http://127.0.0.1:1/';
const authProvider = {
  redirectUrl: redirect,
  clientMetadata: { redirect_uris: [redirect], token_endpoint_auth_method: 'none' },
  state: () => 'state',
  clientInformation: () => client,
  saveClientInformation: (made) => void (client = made),
  tokens: () => tokens,
  saveTokens: (given) => void (tokens = given),
  codeVerifier: () => verifier,
  saveCodeVerifier: (made) => void (verifier = made),
  async redirectToAuthorization(to) {
    const answer = await fetch(to, { redirect: 'manual' });
    back = new URL(answer.headers.get('location')).searchParams;
  },
};
let transport;
async function connected() {
  transport = new StreamableHTTPClientTransport(new URL(url), { authProvider });
  const mcp = new Client({ name: 'client', version: '1' });
  await mcp.connect(transport);
  return mcp;
}
await connected().catch(() => transport.finishAuth(library === 'client' ? back : back.get('code')));
const mcp = await connected();
await mcp.callTool({ name: 'tool', arguments: {} }).catch(() => {});
process.exit(0);
NODE

cat >"$folder/client.py" <<'PYTHON'
import asyncio
import sys
import urllib.error
import urllib.request
from urllib.parse import parse_qsl, urlparse

from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata


class Storage:
    async def get_tokens(self):
        return None

    async def set_tokens(self, tokens):
        pass

    get_client_info, set_client_info = get_tokens, set_tokens


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


back = {}


async def visit(url):
    try:
        urllib.request.build_opener(Stay, urllib.request.ProxyHandler({})).open(url)
    except urllib.error.HTTPError as answer:
        back.clear()
        back.update(parse_qsl(urlparse(answer.headers["location"]).query))


async def answer():
    return AuthorizationCodeResult(code=back["code"], state=back["state"])


async def main(url):
    metadata = OAuthClientMetadata(redirect_uris=["http://127.0.0.1:1/"], token_endpoint_auth_method="none")
    auth = OAuthClientProvider(url, metadata, Storage(), visit, answer)
    async with create_mcp_http_client(auth=auth) as http, Client(streamable_http_client(url, http_client=http)) as mcp:
        await mcp.call_tool("tool", {})


try:
    asyncio.run(main(sys.argv[1]))
except BaseException:
    pass
PYTHON

cd "$folder"
node server.mjs "$folder/log" >address &
server=$!
trap 'kill "$server"; rm -rf "$folder"' EXIT
until [ -s address ]; do sleep 0.1; done
url="$(cat address)/mcp"

for client in 'sdk 1.32.2' 'client 2.4.0' 'mcp 2.3.0'; do
    : >log
    case "$client" in
    mcp*) timeout 60 python/bin/python client.py "$url" 2>/dev/null ;;
    *) timeout 60 node typescript.mjs "${client% *}" "$url" 2>/dev/null ;;
    esac
    echo "$client: $(paste -sd '|' log | sed 's/|/, /; s/|requests/, then/')"
done | tee output
cd - >/dev/null
diff <(sed -n 's/^#   \(\(sdk\|client\|mcp\) .*\)/\1/p' "$0") "$folder/output"
