// The user and the browser of the clients: signs in at oidc-provider, consents, and is sent back.
//
// `node user.mjs URL` prints the address to which the authorization server redirects at the end, which
// the clients of other languages read. `visit` is the same for those of Node.

const STEPS = 12;

// Goes where a browser would go from this authorization request; gives the redirect URI with its
// parameters, without asking for it.
export async function visit(url) {
  const start = new URL(url);
  const back = new URL(start.searchParams.get('redirect_uri'));
  const cookies = new Map();
  let request = { url: start };
  for (let step = 0; step < STEPS; step += 1) {
    const answer = await fetch(request.url, {
      method: request.form ? 'POST' : 'GET',
      body: request.form && new URLSearchParams(request.form),
      headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
      redirect: 'manual',
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    const location = answer.headers.get('location');
    if (location) {
      const next = new URL(location, request.url);
      if (next.origin === back.origin && next.pathname === back.pathname) {
        return next;
      }
      request = { url: next };
      continue;
    }
    const page = await answer.text();
    const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1];
    if (!answer.ok || !action) {
      throw new Error(`${answer.status} at ${request.url.pathname}: ${page.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')}`);
    }
    const form = page.includes('value="login"')
      ? { prompt: 'login', login: 'ada', password: 'any' }
      : { prompt: 'consent' };
    request = { url: new URL(action, request.url), form };
  }
  throw new Error('the authorization server does not come to an end');
}

// What an authorization request asks for.
export function asked(url) {
  const parameters = new URL(url).searchParams;
  return {
    scope: parameters.get('scope'),
    resource: parameters.get('resource'),
    pkce: parameters.get('code_challenge_method'),
  };
}

if (process.argv[1] === (await import('node:url')).fileURLToPath(import.meta.url)) {
  console.log(String(await visit(process.argv[2])));
}
