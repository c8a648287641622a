// The MCP SDKs of TypeScript as clients: `node typescript.mjs sdk|client URL STEP...`, started in the
// folder where the packages are installed. A step is the name of a tool. Prints one line of JSON.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { asked, visit } from '../user.mjs';

const [, , library, url, ...steps] = process.argv;
const home = `${process.cwd()}/node_modules/@modelcontextprotocol/${library}`;
const load = (path) => import(pathToFileURL(`${home}/${path}`));
const { version } = JSON.parse(readFileSync(`${home}/package.json`, 'utf8'));

const REDIRECT = 'http://127.0.0.1:1/callback';
const report = { client: `@modelcontextprotocol/${library} ${version}`, authorizations: [], registrations: 0 };

// What an application keeps for the library, and the user's way to consent.
let registered, tokens, verifier, code, discovery;
const provider = {
  redirectUrl: REDIRECT,
  clientMetadata: {
    client_name: 'interop',
    redirect_uris: [REDIRECT],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  state: () => 'a-state',
  clientInformation: () => registered,
  saveClientInformation(information) {
    registered = information;
    report.registrations += 1;
  },
  tokens: () => tokens,
  saveTokens(given) {
    tokens = given;
  },
  codeVerifier: () => verifier,
  saveCodeVerifier(made) {
    verifier = made;
  },
  discoveryState: () => discovery,
  saveDiscoveryState(found) {
    discovery = found;
  },
  async redirectToAuthorization(to) {
    report.authorizations.push(asked(to));
    code = (await visit(to)).searchParams;
    if (code.has('error')) {
      throw new Error(`${code.get('error')}: ${code.get('error_description')}`);
    }
  },
};

async function modules() {
  if (library === 'client') {
    return load('dist/index.mjs');
  }
  const [client, http, auth] = await Promise.all(
    ['index', 'streamableHttp', 'auth'].map((name) => load(`dist/esm/client/${name}.js`)),
  );
  return { ...auth, ...http, ...client };
}

const { Client, StreamableHTTPClientTransport, UnauthorizedError } = await modules();
let transport, client;

async function connect() {
  transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
  client = new Client({ name: 'interop', version: '1' }, OPTIONS[library]);
  await client.connect(transport);
}

// The newer of the two speaks the newest revision only where it is told to.
const OPTIONS = { sdk: {}, client: { versionNegotiation: { mode: 'auto' } } };

// Both libraries throw once the user has been sent to the authorization server; the application hands
// them the code and repeats what it did.
async function withUser(action) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || !code || attempt === 3) {
        throw error;
      }
      await transport.finishAuth(library === 'client' ? code : code.get('code'));
      code = undefined;
    }
  }
}

// Arguments of the example's tools.
const ARGUMENTS = { rename_mission: { id: 'apollo', name: 'Apollo 11' } };

const text = (answer) => answer.content.map((part) => part.text).join(' ');

const short = (error) => `${error.constructor.name}: ${error.message}`.split('\n')[0];

try {
  await withUser(connect);
  const protocol = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
  report.protocol = protocol;
  report.tools = (await withUser(() => client.listTools())).tools.map((tool) => tool.name);
  report.calls = [];
  for (const name of steps) {
    try {
      const call = () => client.callTool({ name, arguments: ARGUMENTS[name] ?? {} });
      const answer = await withUser(call);
      report.calls.push(`${name}: ${text(answer)}`);
    } catch (error) {
      report.calls.push(`${name}: ${short(error)}`);
    }
  }
} catch (error) {
  report.error = short(error);
}
report.scope = tokens?.scope;
console.log(JSON.stringify(report));
process.exit(0);
