// A DPoP client (RFC 9449) with a key of its own that fetches from an API, by a library.
//
// 1. `node client.mjs LIBRARY`, started in the folder where the packages are installed. LIBRARY is
//    `oauth4webapi` or `openid-client`. The first line on standard output is `ready THUMBPRINT`:
//    what `cnf.jkt` of a token for this client must be.
// 2. Each line on standard input is a command, answered by a line `answer ...`:
//      token TOKEN   uses this token from now on
//      grant ISSUER RESOURCE
//                    gets a token bound to its key, by discovery and client credentials, and
//                    answers with `token_type`
//      get URL       fetches with a proof, as the library's manual says
//      stolen URL    fetches with a proof by another key
//      bearer URL    fetches without a proof
//      replay URL    sends the header fields of the last request again, by plain `fetch`
//    The answer is the status, followed by the challenges that the library has read, if it throws
//    for them: `401 dpop=invalid_token bearer=none`.
// 3. It ends with its standard input.

import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const load = (name) => import(pathToFileURL(`${process.cwd()}/node_modules/${name}/build/index.js`));

const MACHINE = { id: 'machine', secret: 'machine-secret', scope: 'missions/read' };

let token;
let last;

async function recording(url, options) {
  last = options.headers instanceof Headers ? Object.fromEntries(options.headers) : options.headers;
  return fetch(url, options);
}

async function oauth4webapi() {
  const oauth = await load('oauth4webapi');
  const handle = async () => oauth.DPoP({ client_id: 'app' }, await oauth.generateKeyPair('ES256'));
  const once = (url, DPoP) =>
    oauth.protectedResourceRequest(token, 'GET', new URL(url), undefined, undefined, {
      DPoP,
      [oauth.customFetch]: recording,
      [oauth.allowInsecureRequests]: true, // Loopback.
    });
  // The library keeps the nonce and throws: to send the request again is left to its user.
  const send = async (url, DPoP) => {
    try {
      return await once(url, DPoP);
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error;
      return once(url, DPoP);
    }
  };
  const grant = async (issuer, resource, DPoP) => {
    const identifier = new URL(issuer);
    const options = { [oauth.allowInsecureRequests]: true };
    const found = await oauth.discoveryRequest(identifier, options);
    const as = await oauth.processDiscoveryResponse(identifier, found);
    const client = { client_id: MACHINE.id };
    const secret = oauth.ClientSecretPost(MACHINE.secret);
    const form = new URLSearchParams({ scope: MACHINE.scope, resource });
    const response = await oauth.clientCredentialsGrantRequest(as, client, secret, form, { ...options, DPoP });
    return oauth.processClientCredentialsResponse(as, client, response);
  };
  return { own: await handle(), other: await handle(), send, grant };
}

async function openidClient() {
  const client = await load('openid-client');
  const config = new client.Configuration({ issuer: 'https://as.example.com' }, 'app');
  config[client.customFetch] = recording;
  client.allowInsecureRequests(config); // Loopback.
  const handle = async () => client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
  const send = (url, DPoP) =>
    client.fetchProtectedResource(config, token, new URL(url), 'GET', undefined, undefined, { DPoP });
  const grant = async (issuer, resource, DPoP) => {
    const secret = client.ClientSecretPost(MACHINE.secret);
    const options = { execute: [client.allowInsecureRequests] };
    const found = await client.discovery(new URL(issuer), MACHINE.id, undefined, secret, options);
    return client.clientCredentialsGrant(found, { scope: MACHINE.scope, resource }, { DPoP });
  };
  return { own: await handle(), other: await handle(), send, grant };
}

const library = { oauth4webapi, 'openid-client': openidClient }[process.argv[2]];
const { own, other, send, grant } = await library();

async function answer(request) {
  try {
    const response = await request();
    await response.arrayBuffer();
    return `${response.status}`;
  } catch (error) {
    if (error.name !== 'WWWAuthenticateChallengeError') return error.stack.replaceAll('\n', ' ');
    const read = error.cause.map(({ scheme, parameters }) => `${scheme}=${parameters.error ?? 'none'}`);
    return [error.status, ...read].join(' ');
  }
}

const commands = {
  get: (url) => answer(() => send(url, own)),
  stolen: (url) => answer(() => send(url, other)),
  bearer: (url) => answer(() => send(url, undefined)),
  replay: (url) => answer(() => fetch(url, { headers: last })),
  token: async (text) => {
    token = text;
    return 'kept';
  },
  grant: async (issuer, resource) => {
    const response = await grant(issuer, resource, own);
    token = response.access_token;
    return response.token_type;
  },
};

console.log(`ready ${await own.calculateThumbprint()}`);
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, ...words] = line.split(' ');
  console.log(`answer ${await commands[verb](...words)}`);
}
