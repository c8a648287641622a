// A public OAuth 2.0 client for browsers: authorization code with PKCE, refresh with rotation, step-up.
//
// 1. Tokens are kept in memory: a reload signs in again, and the authorization server's session answers
//    without a question. What must outlive the redirect is in sessionStorage, and holds no token.
// 2. A 401 with `invalid_token` is answered by one refresh, whatever the number of requests that met it:
//    the second use of a refresh token would end the session.
// 3. `insufficient_scope` and `insufficient_user_authentication` need the user: the page goes to the
//    authorization server, asks for what the challenge names, and repeats the call when it is back.

import { DpopKey } from "/dpop.js";

const PENDING = "sign-in";

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const sha256 = async (text) =>
  base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));

/** The parameters of the challenges of a response (RFC 9110 section 11.6.1). */
export function challenge(response) {
  const text = response.headers.get("www-authenticate") ?? "";
  const found = text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g);
  const parameters = {};
  // Of two challenges the first has the scheme that was used.
  for (const [, name, value] of found) parameters[name] ??= value.replace(/\\(.)/g, "$1");
  return parameters;
}

export class Client {
  #config;
  #metadata;
  #log;
  #tokens = null;
  #refreshing = null;
  #key = null;
  #nonces = new Map();

  /** Reads the authorization server's metadata (OpenID Connect Discovery 1.0). */
  static async discover(config, log) {
    const response = await fetch(`${config.issuer}/.well-known/openid-configuration`);
    const metadata = await response.json();
    if (metadata.issuer !== config.issuer) throw new Error("the metadata is another issuer's");
    const client = new Client();
    client.#config = config;
    client.#metadata = metadata;
    client.#log = log;
    return client;
  }

  get isSignedIn() {
    return this.#tokens !== null;
  }

  get scope() {
    return this.#tokens?.scope ?? "";
  }

  /** Leaves the page. `repeat` is a call that `finishSignIn` returns. */
  async signIn({ scope = this.#config.scope, acr_values, max_age, repeat = null } = {}) {
    const [state, verifier] = [random(), random()];
    sessionStorage.setItem(PENDING, JSON.stringify({ state, verifier, repeat }));
    const parameters = {
      response_type: "code",
      client_id: this.#config.client_id,
      redirect_uri: this.#config.redirect_uri,
      scope,
      resource: this.#config.api, // RFC 8707: the token is for this API
      state,
      code_challenge: await sha256(verifier),
      code_challenge_method: "S256",
    };
    if (acr_values !== undefined) parameters.acr_values = acr_values;
    if (max_age !== undefined) parameters.max_age = max_age;
    location.assign(`${this.#metadata.authorization_endpoint}?${new URLSearchParams(parameters)}`);
  }

  /** Takes the authorization response from the address, and returns the call to repeat. */
  async finishSignIn() {
    const answer = new URLSearchParams(location.search);
    const pending = JSON.parse(sessionStorage.getItem(PENDING));
    sessionStorage.removeItem(PENDING);
    if (!answer.has("code") && !answer.has("error")) return null;
    // The code is neither in the history nor in a Referer.
    history.replaceState(null, "", location.pathname);
    if (pending === null || answer.get("state") !== pending.state) {
      throw new Error("this page did not ask for that sign-in");
    }
    // RFC 9207: another authorization server's answer.
    if (answer.get("iss") !== this.#metadata.issuer) throw new Error("another issuer answered");
    if (answer.has("error")) throw new Error(answer.get("error_description") ?? answer.get("error"));
    await this.#request({
      grant_type: "authorization_code",
      code: answer.get("code"),
      redirect_uri: this.#config.redirect_uri,
      code_verifier: pending.verifier,
    });
    return pending.repeat;
  }

  /** Calls the API; `null` where the page is being left for a sign-in. A call that is repeated after one is
   *  not the cause of another: a server that ignores what was asked for would send the user in circles. */
  async call(method, path, isRepeated = false) {
    const used = this.#tokens;
    let response = await this.#send(method, path);
    let asked = challenge(response);
    if (response.status === 401 && asked.error === "invalid_token" && used?.refresh_token) {
      // Another call may have refreshed in the meantime.
      if (this.#tokens === used) await this.#refresh();
      response = await this.#send(method, path);
      asked = challenge(response);
    }
    const needsUser = ["insufficient_scope", "insufficient_user_authentication"];
    const helps = needsUser.includes(asked.error) || (response.status === 401 && this.isSignedIn);
    if (helps && !isRepeated) {
      // The challenge names what the request needs; what the token had is kept.
      const scope = new Set([...this.#config.scope.split(" "), ...this.scope.split(" ")]);
      for (const one of (asked.scope ?? "").split(" ")) scope.add(one);
      const { acr_values, max_age } = asked;
      const all = [...scope].filter((one) => one !== "").join(" ");
      await this.signIn({ scope: all, acr_values, max_age, repeat: { method, path } });
      return null;
    }
    return response;
  }

  /** Ends the session here, and at the authorization server. */
  async signOut() {
    const tokens = this.#tokens;
    this.#forget();
    if (tokens?.refresh_token) {
      // RFC 7009: the refresh token, and by it all that was issued with it.
      const body = { token: tokens.refresh_token, client_id: this.#config.client_id };
      await fetch(this.#metadata.revocation_endpoint, { method: "POST", body: new URLSearchParams(body) });
    }
    const end = this.#metadata.end_session_endpoint;
    if (end === undefined) return;
    // OpenID Connect RP-Initiated Logout 1.0: a navigation, since the session is a cookie of that server.
    const parameters = { client_id: this.#config.client_id, post_logout_redirect_uri: this.#config.redirect_uri };
    if (tokens?.id_token) parameters.id_token_hint = tokens.id_token;
    location.assign(`${end}?${new URLSearchParams(parameters)}`);
  }

  async #send(method, path, nonceKnown = false) {
    const url = `${this.#config.api}${path}`;
    const headers = {};
    if (this.#tokens !== null) {
      headers.authorization = `${this.#tokens.token_type} ${this.#tokens.access_token}`;
      if (this.#key !== null) headers.dpop = await this.#proof(method, url, this.#tokens.access_token);
    }
    const response = await fetch(url, { method, headers });
    this.#log(`${method} ${path}: ${response.status}`, response.headers.get("www-authenticate"));
    const isNew = this.#remember(url, response);
    if (challenge(response).error === "use_dpop_nonce" && isNew && !nonceKnown) {
      return this.#send(method, path, true);
    }
    return response;
  }

  /** One refresh at a time. */
  #refresh() {
    const { refresh_token } = this.#tokens;
    const body = { grant_type: "refresh_token", refresh_token };
    this.#refreshing ??= this.#request(body)
      // The session has ended: the next call asks for a new one.
      .catch(() => this.#forget())
      .finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #request(body, nonceKnown = false) {
    const url = this.#metadata.token_endpoint;
    const headers = {};
    if (this.#config.dpop) {
      this.#key ??= await DpopKey.generate();
      headers.dpop = await this.#proof("POST", url);
    }
    const form = new URLSearchParams({ ...body, client_id: this.#config.client_id });
    const response = await fetch(url, { method: "POST", headers, body: form });
    this.#log(`token endpoint, ${body.grant_type}: ${response.status}`);
    const answer = await response.json();
    if (answer.error === "use_dpop_nonce" && this.#remember(url, response) && !nonceKnown) {
      return this.#request(body, true);
    }
    if (!response.ok) throw new Error(answer.error_description ?? answer.error);
    // A rotated refresh token replaces the old one; a server that does not rotate sends none.
    this.#tokens = { refresh_token: body.refresh_token, ...answer };
  }

  #proof(method, url, token) {
    return this.#key.proof(method, url, this.#nonces.get(new URL(url).origin), token);
  }

  /** Keeps the nonce that a server has sent (RFC 9449 section 8.2). */
  #remember(url, response) {
    const nonce = response.headers.get("dpop-nonce");
    if (nonce !== null) this.#nonces.set(new URL(url).origin, nonce);
    return nonce !== null;
  }

  #forget() {
    this.#tokens = null;
    this.#key = null;
  }
}
