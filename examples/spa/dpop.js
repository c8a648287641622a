// Proofs of possession (RFC 9449), by a key that no script can read.

const encoder = new TextEncoder();
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const part = (value) => base64url(encoder.encode(JSON.stringify(value)));

export class DpopKey {
  #pair;
  #jwk;

  static async generate() {
    const key = new DpopKey();
    // Not extractable: malicious code can use it while the page is open, and cannot take it away.
    key.#pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
    const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", key.#pair.publicKey);
    key.#jwk = { kty, crv, x, y };
    return key;
  }

  /** A proof for one request. */
  async proof(method, url, nonce, token) {
    const { origin, pathname } = new URL(url);
    const claims = {
      jti: crypto.randomUUID(),
      htm: method,
      htu: origin + pathname,
      iat: Math.floor(Date.now() / 1000),
    };
    if (nonce !== undefined) claims.nonce = nonce;
    if (token !== undefined) {
      const hash = await crypto.subtle.digest("SHA-256", encoder.encode(token));
      claims.ath = base64url(new Uint8Array(hash));
    }
    const header = { typ: "dpop+jwt", alg: "ES256", jwk: this.#jwk };
    const input = `${part(header)}.${part(claims)}`;
    const algorithm = { name: "ECDSA", hash: "SHA-256" };
    const signature = await crypto.subtle.sign(algorithm, this.#pair.privateKey, encoder.encode(input));
    return `${input}.${base64url(new Uint8Array(signature))}`;
  }
}
