#!/usr/bin/env bash
# npm openid-client 6.9.0, oauth4webapi 3.8.8; Node.js 20 or newer.
#
# Behaviour: a client with a wrong secret is answered `{"error":"invalid_client"}`. Where it has used HTTP
# Basic, RFC 6749 section 5.2 demands status 401 and `WWW-Authenticate` as well. With that field the clients
# throw WWWAuthenticateChallengeError, which has the challenges in `cause` and neither `error` nor
# `error_description`; the body is left unread. Without it they throw ResponseBodyError, which has both. So
# `error.error === "invalid_client"` matches the less conforming answer alone. The body can still be read
# from `error.response`. Revocation and introspection do the same.
#
# Output:
#   openid-client, 401 with the field: WWWAuthenticateChallengeError, error undefined, body unread
#   openid-client, 401 without it: ResponseBodyError, error invalid_client, body read
#   oauth4webapi, 401 with the field: WWWAuthenticateChallengeError, error undefined, body unread
#   oauth4webapi, 401 without it: ResponseBodyError, error invalid_client, body read
#   body of the first: {"error":"invalid_client","error_description":"The secret has expired"}
#
# Fails where the output differs. Needs npm's registry; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
npm install --prefix "$folder" --silent --ignore-scripts --no-audit --no-fund --no-update-notifier \
    openid-client@6.9.0 oauth4webapi@3.8.8 >/dev/null

cat >"$folder/try.mjs" <<'NODE'
import { createServer } from 'node:http';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';

const answer = JSON.stringify({ error: 'invalid_client', error_description: 'The secret has expired' });
const server = createServer((request, response) => {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  if (request.url === '/with') headers['www-authenticate'] = 'Basic realm="token endpoint"';
  request.resume();
  response.writeHead(401, headers).end(answer);
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

async function byOpenidClient(as) {
  const configuration = new client.Configuration(as, 'machine', undefined, client.ClientSecretBasic('wrong'));
  client.allowInsecureRequests(configuration);
  await client.clientCredentialsGrant(configuration);
}

async function byOauth4webapi(as) {
  const machine = { client_id: 'machine' };
  const response = await oauth.clientCredentialsGrantRequest(as, machine, oauth.ClientSecretBasic('wrong'), {}, {
    [oauth.allowInsecureRequests]: true,
  });
  await oauth.processClientCredentialsResponse(as, machine, response);
}

let first;
for (const [name, grant] of [['openid-client', byOpenidClient], ['oauth4webapi', byOauth4webapi]]) {
  for (const [path, field] of [['with', 'with the field'], ['without', 'without it']]) {
    const error = await grant({ issuer, token_endpoint: `${issuer}/${path}` }).catch((thrown) => thrown);
    const body = error.response.bodyUsed ? 'read' : 'unread';
    console.log(`${name}, 401 ${field}: ${error.name}, error ${error.error}, body ${body}`);
    first ??= error;
  }
}
console.log(`body of the first: ${await first.response.text()}`);
server.close();
NODE

node "$folder/try.mjs" | tee "$folder/output"
diff <(sed -n 's/^#   \(\(openid-client, 401\|oauth4webapi, 401\|body of\) .*: .*\)/\1/p' "$0") "$folder/output"
