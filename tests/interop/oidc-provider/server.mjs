// oidc-provider as an authorization server of APIs, on loopback.
//
// 1. `node server.mjs PORT`, started in the folder where the packages are installed; port 0
//    takes a free one. The first line on standard output is `ready URL`.
// 2. A line `keys NAME...` on standard input publishes these keys, made at their first mention
//    and the first of them signing, and is answered by a line `keys NAME...`. Port, issuer,
//    clients and grants stay: that is a rotation.
// 3. Clients may register themselves (RFC 7591). The scopes of a resource whose path ends with `/mcp`
//    are those of MCP_SCOPE; for one that ends with `/refreshed/mcp` there are refresh tokens too.
// 4. The scopes that a client registers with do not limit it. After a line `limit`, answered by the
//    same line, they do: that is oidc-provider's own way.
// 5. It ends with its standard input, so that it cannot outlive the test that started it.

import { createSecretKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

// By path: this file lies beside its tests, the packages lie below target/.
const home = pathToFileURL(`${process.cwd()}/node_modules/oidc-provider/lib/index.js`);
const { default: Provider } = await import(home);

const API = 'https://api.example.com';
const SCOPE = 'missions/read missions/write';
const MCP_SCOPE = 'missions:read missions:write';

// The keys beside the rotating RSA key, for algorithms of other families.
const others = [
  ['p256', 'ec', { namedCurve: 'P-256' }],
  ['p384', 'ec', { namedCurve: 'P-384' }],
  ['p521', 'ec', { namedCurve: 'P-521' }],
  ['ed25519', 'ed25519', {}],
].map(([kid, type, options]) => jwk(kid, type, options));

const rsa = new Map();
let limitedByRegistration = false;
const secret = createSecretKey(randomBytes(32));

function jwk(kid, type, options) {
  return { ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), kid, use: 'sig' };
}

function rsaKey(name) {
  if (!rsa.has(name)) {
    rsa.set(name, jwk(name, 'rsa', { modulusLength: 2048 }));
  }
  return rsa.get(name);
}

// How the API behind a resource indicator wants its tokens: by the last part of its path.
function tokenFormat(resource) {
  const last = new URL(resource).pathname.slice(1);
  switch (last) {
    case '':
    case 'other':
      return {};
    case 'mcp':
    case 'refreshed/mcp':
      return { scope: MCP_SCOPE };
    case 'opaque':
      return { accessTokenFormat: 'opaque' };
    case 'encrypted':
      return { jwt: { sign: { alg: 'RS256' }, encrypt: { alg: 'dir', enc: 'A128CBC-HS256', key: secret } } };
    case 'HS256':
      return { jwt: { sign: { alg: last, key: secret } } };
    default:
      return { jwt: { sign: { alg: last } } };
  }
}

// A public client with which users sign in.
function app(id, more) {
  return {
    client_id: id,
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    redirect_uris: ['https://app.example.com/signed-in'],
    ...more,
  };
}

function certificateIn(field) {
  return field ? new X509Certificate(Buffer.from(field.slice(1, -1), 'base64')) : undefined;
}

function configuration(names) {
  return {
    jwks: { keys: [...names.map(rsaKey), ...others] },
    clients: [
      {
        client_id: 'machine',
        client_secret: 'machine-secret',
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
      },
      // Its tokens are bound to the certificate of the request (RFC 8705 section 3).
      {
        client_id: 'machine-with-certificate',
        client_secret: 'machine-secret',
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        tls_client_certificate_bound_access_tokens: true,
      },
      app('app', {}),
      app('app-signed', { userinfo_signed_response_alg: 'RS256' }),
      // The API itself, which asks about tokens.
      {
        client_id: 'api',
        client_secret: 'api: a secret, 100% of it',
        grant_types: [],
        response_types: [],
        redirect_uris: [],
      },
    ],
    // A client that registers may name the scopes that it will ask for.
    scopes: ['openid', 'offline_access', ...MCP_SCOPE.split(' ')],
    extraClientMetadata: {
      properties: ['scope'],
      validator(_, name, _value, client) {
        if (!limitedByRegistration) {
          delete client[name];
        }
      },
    },
    issueRefreshToken: async (_, client, code) =>
      client.grantTypeAllowed('refresh_token') &&
      (code.scopes.has('offline_access') || [code.resource].flat().some((at) => at?.endsWith('/refreshed/mcp'))),
    cookies: { keys: ['of no secrecy'] },
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === 'api' },
      jwtIntrospection: { enabled: true },
      jwtUserinfo: { enabled: true },
      dPoP: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        // As a proxy that terminates TLS sends it (RFC 9440): DER in base64 between colons.
        getCertificate: (ctx) => certificateIn(ctx.get('client-cert')),
      },
      registration: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // Without a resource the token is opaque, for the userinfo endpoint.
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: SCOPE,
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 3600,
          ...tokenFormat(resource),
        }),
      },
    },
    claims: { openid: ['sub', 'email'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com` }) }),
    // RFC 9068 section 2.2.3.1 names these claims; their values are ours.
    extraTokenClaims: (_, token) => (token.accountId ? { roles: ['editor'], groups: ['staff'] } : undefined),
  };
}

let handle;
const server = createServer((request, response) => handle(request, response));
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const publish = (names) => {
    handle = new Provider(issuer, configuration(names)).callback();
  };
  publish(['first']);
  console.log(`ready ${issuer}`);
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      const [verb, ...names] = line.split(' ');
      if (verb === 'keys') {
        publish(names);
        console.log(line);
      }
      if (verb === 'limit') {
        limitedByRegistration = true;
        console.log(line);
      }
    })
    .on('close', () => process.exit(0));
});
