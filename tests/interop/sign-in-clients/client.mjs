// A client that signs a user in at an authorization server, by a library.
//
// 1. `node client.mjs LIBRARY`, started in the folder where the packages are installed. LIBRARY is
//    `oauth4webapi` or `openid-client`. The first line on standard output is `ready LIBRARY`.
// 2. Each line on standard input is a command, answered by a line `answer ...`:
//      sign-in ISSUER CLIENT REDIRECT SCOPE   discovers, and answers with the authorization URL (PKCE, state
//                                             and nonce); `+` stands between the scopes
//      callback URL      takes the authorization response, exchanges the code, validates the ID token with its
//                        signature, fetches userinfo; answers `SUBJECT NAME TOKEN_TYPE`, NAME being that of
//                        userinfo
//      refresh           uses the refresh token; answers `rotated` or `kept`
//      machine ISSUER CLIENT SECRET SCOPE     gets a token by client credentials; answers `TOKEN_TYPE`
//      token             answers with the access token
//      old               from now on uses the refresh token before the last one
//      revoke            revokes the access token; answers `revoked`
//      revoke-refresh    revokes the refresh token; answers `revoked`
//    A failure is answered with the `error` of the server, or with the name of what was thrown.
// 3. It ends with its standard input.

import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const load = (name) => import(pathToFileURL(`${process.cwd()}/node_modules/${name}/build/index.js`));

async function oauth4webapi() {
  const oauth = await load('oauth4webapi');
  const insecure = { [oauth.allowInsecureRequests]: true }; // Loopback.
  const discover = async (issuer) => {
    const identifier = new URL(issuer);
    return oauth.processDiscoveryResponse(identifier, await oauth.discoveryRequest(identifier, insecure));
  };
  let as, client, auth, redirect, verifier, state, nonce;
  return {
    async signIn(issuer, id, redirectUri, scope) {
      as = await discover(issuer);
      [client, auth, redirect] = [{ client_id: id }, oauth.None(), redirectUri];
      verifier = oauth.generateRandomCodeVerifier();
      [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
      const url = new URL(as.authorization_endpoint);
      url.search = new URLSearchParams({
        client_id: id,
        redirect_uri: redirect,
        response_type: 'code',
        scope,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        nonce,
      });
      return url.href;
    },
    async callback(url) {
      const parameters = oauth.validateAuthResponse(as, client, new URL(url), state);
      const response = await oauth.authorizationCodeGrantRequest(
        as, client, auth, parameters, redirect, verifier, insecure,
      );
      const checks = { expectedNonce: nonce, requireIdToken: true };
      const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, checks);
      await oauth.validateApplicationLevelSignature(as, response, insecure);
      const { sub } = oauth.getValidatedIdTokenClaims(tokens);
      const answer = await oauth.userInfoRequest(as, client, tokens.access_token, insecure);
      return { tokens, user: await oauth.processUserInfoResponse(as, client, sub, answer) };
    },
    async refresh(token) {
      const response = await oauth.refreshTokenGrantRequest(as, client, auth, token, insecure);
      return oauth.processRefreshTokenResponse(as, client, response);
    },
    async machine(issuer, id, secret, scope) {
      as = await discover(issuer);
      [client, auth] = [{ client_id: id }, oauth.ClientSecretBasic(secret)];
      const form = new URLSearchParams(scope ? { scope } : {});
      const response = await oauth.clientCredentialsGrantRequest(as, client, auth, form, insecure);
      return oauth.processClientCredentialsResponse(as, client, response);
    },
    async revoke(token) {
      await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, token, insecure));
    },
  };
}

async function openidClient() {
  const library = await load('openid-client');
  const options = { execute: [library.allowInsecureRequests, library.enableNonRepudiationChecks] }; // Loopback; signatures.
  let config, verifier, state, nonce;
  return {
    async signIn(issuer, id, redirect, scope) {
      config = await library.discovery(new URL(issuer), id, undefined, library.None(), options);
      verifier = library.randomPKCECodeVerifier();
      [state, nonce] = [library.randomState(), library.randomNonce()];
      return library.buildAuthorizationUrl(config, {
        redirect_uri: redirect,
        scope,
        code_challenge: await library.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        nonce,
      }).href;
    },
    async callback(url) {
      const tokens = await library.authorizationCodeGrant(config, new URL(url), {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      return { tokens, user: await library.fetchUserInfo(config, tokens.access_token, tokens.claims().sub) };
    },
    refresh: (token) => library.refreshTokenGrant(config, token),
    async machine(issuer, id, secret, scope) {
      config = await library.discovery(new URL(issuer), id, undefined, library.ClientSecretBasic(secret), options);
      return library.clientCredentialsGrant(config, scope ? { scope } : {});
    },
    revoke: (token) => library.tokenRevocation(config, token),
  };
}

const library = await { oauth4webapi, 'openid-client': openidClient }[process.argv[2]]();
let access, refresh, before;

function keep(tokens) {
  access = tokens.access_token;
  const rotated = tokens.refresh_token !== undefined && tokens.refresh_token !== refresh;
  if (rotated) [before, refresh] = [refresh, tokens.refresh_token];
  return rotated;
}

// The `error` of the server. Where a response has a challenge the libraries throw it, and leave its body unread.
async function told(error) {
  if (error.name !== 'WWWAuthenticateChallengeError') return error.error;
  return (await error.response.json()).error;
}

const commands = {
  'sign-in': (issuer, id, redirect, scope) => library.signIn(issuer, id, redirect, scope.replaceAll('+', ' ')),
  callback: async (url) => {
    const { tokens, user } = await library.callback(url);
    keep(tokens);
    return `${user.sub} ${user.name} ${tokens.token_type}`;
  },
  refresh: async () => (keep(await library.refresh(refresh)) ? 'rotated' : 'kept'),
  machine: async (issuer, id, secret, scope) => {
    const tokens = await library.machine(issuer, id, secret, scope?.replaceAll('+', ' '));
    keep(tokens);
    return tokens.token_type;
  },
  token: () => access,
  old: () => {
    refresh = before;
    return 'old';
  },
  revoke: async () => {
    await library.revoke(access);
    return 'revoked';
  },
  'revoke-refresh': async () => {
    await library.revoke(refresh);
    return 'revoked';
  },
};

console.log(`ready ${process.argv[2]}`);
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, ...words] = line.split(' ');
  let answer;
  try {
    answer = await commands[verb](...words);
  } catch (error) {
    answer = (await told(error)) ?? `${error.stack} ${error.cause?.stack ?? ''}`.replaceAll('\n', ' ');
  }
  console.log(`answer ${answer}`);
}
