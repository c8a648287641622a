#!/usr/bin/env bash
# npm openid-client 6.9.0, oauth4webapi 3.8.8; Node.js 20 or newer.
#
# Behaviour: ClientSecretBasic writes every character but letters and digits of client id and secret as
# `%HH`, and a space as `+`. That is the form encoding of HTML 4.01, which RFC 6749 appendix B names. The
# form encoding of today (URLSearchParams, and the bodies that these clients send) leaves `-`, `_`, `.` and
# `*` as they are. A server that compares the id in the header with its own, undecoded, knows neither
# `my-app` nor a UUID, though both look as if there were nothing to encode.
#
# Output:
#   openid-client, Basic: my%2Dapp%5F1%2Eprod:a%2Db%2Ac%7Ed+e
#   oauth4webapi, Basic: my%2Dapp%5F1%2Eprod:a%2Db%2Ac%7Ed+e
#   URLSearchParams: my-app_1.prod:a-b*c%7Ed+e
#   openid-client, body: client_id=my-app_1.prod&client_secret=a-b*c%7Ed+e
#
# Fails where the output differs. Needs npm's registry; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
npm install --prefix "$folder" --silent --ignore-scripts --no-audit --no-fund --no-update-notifier \
    openid-client@6.9.0 oauth4webapi@3.8.8 >/dev/null

cat >"$folder/try.mjs" <<'NODE'
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';

const id = 'my-app_1.prod';
const secret = 'a-b*c~d e';
const as = { issuer: 'https://as.example', token_endpoint: 'https://as.example/token' };
const answer = () => Response.json({ access_token: 'a-token', token_type: 'Bearer' });
const decoded = (headers) => atob(new Headers(headers).get('authorization').slice('Basic '.length));

// The transport is a function, so no port is used.
async function byOpenidClient(method) {
  let request;
  const configuration = new client.Configuration(as, id, undefined, method(secret));
  configuration[client.customFetch] = async (_url, options) => {
    request = options;
    return answer();
  };
  await client.clientCredentialsGrant(configuration);
  return request;
}

console.log(`openid-client, Basic: ${decoded((await byOpenidClient(client.ClientSecretBasic)).headers)}`);
let sent;
await oauth.clientCredentialsGrantRequest(as, { client_id: id }, oauth.ClientSecretBasic(secret), {}, {
  [oauth.customFetch]: async (_url, options) => {
    sent = options.headers;
    return answer();
  },
});
console.log(`oauth4webapi, Basic: ${decoded(sent)}`);
const form = (value) => new URLSearchParams({ '': value }).toString().slice(1);
console.log(`URLSearchParams: ${form(id)}:${form(secret)}`);
const body = new URLSearchParams((await byOpenidClient(client.ClientSecretPost)).body.toString());
body.delete('grant_type');
console.log(`openid-client, body: ${body}`);
NODE

node "$folder/try.mjs" | tee "$folder/output"
diff <(sed -n 's/^#   \(\(openid-client, \|oauth4webapi, \|URLS\).*\)/\1/p' "$0") "$folder/output"
