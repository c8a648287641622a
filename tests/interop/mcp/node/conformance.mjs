// Scenarios of @modelcontextprotocol/conformance for servers, against a server that demands a token:
// `node conformance.mjs ISSUER URL SCENARIO...`, started in the folder where the packages are installed.
// The suite has no token: a proxy on loopback adds one. Prints one line of JSON.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer, request as send } from 'node:http';
import { tmpdir } from 'node:os';

const [, , issuer, url, ...scenarios] = process.argv;
const server = new URL(url);
const home = `${process.cwd()}/node_modules/@modelcontextprotocol/conformance`;
const { version } = JSON.parse(readFileSync(`${home}/package.json`, 'utf8'));

async function token() {
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('machine:machine-secret').toString('base64')}` },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      resource: url,
      scope: 'missions:read missions:write',
    }),
  });
  return (await answer.json()).access_token;
}

const authorization = `Bearer ${await token()}`;
const proxy = createServer((request, response) => {
  const headers = { ...request.headers, authorization };
  const onward = send(server, { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  response.on('close', () => onward.destroy());
  request.pipe(onward);
});
await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
const target = `http://127.0.0.1:${proxy.address().port}${server.pathname}`;

// Under Node.js 20 the suite does not load: `fs` has no `globSync`, which these scenarios do not need.
const HOOKS = `export async function resolve(specifier, context, next) {
  if (specifier === 'fs' && context.parentURL?.includes('/conformance/')) {
    const fs = "export * from 'node:fs'; export { default } from 'node:fs'; export const globSync = undefined;";
    return { url: 'data:text/javascript,' + encodeURIComponent(fs), shortCircuit: true };
  }
  return next(specifier, context);
}`;
const hooks = `data:text/javascript,${encodeURIComponent(HOOKS)}`;
const register = `import fs from 'node:fs'; import { register } from 'node:module'; fs.globSync ?? register(${JSON.stringify(hooks)});`;

const folder = mkdtempSync(`${tmpdir()}/conformance-`);

async function run(scenario) {
  const output = `${folder}/${scenario}`;
  const started = spawn(
    process.execPath,
    [
      '--import',
      `data:text/javascript,${encodeURIComponent(register)}`,
      `${home}/dist/index.js`,
      ...['server', '--url', target, '--scenario', scenario, '--output-dir', output],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  started.stdout.on('data', (part) => (said += part));
  started.stderr.on('data', (part) => (said += part));
  await new Promise((resolve) => started.on('close', resolve));
  let files;
  try {
    files = readdirSync(output, { recursive: true }).filter((name) => name.endsWith('checks.json'));
  } catch {
    return { error: said.slice(-2000) };
  }
  const checks = files.flatMap((name) => JSON.parse(readFileSync(`${output}/${name}`, 'utf8')));
  const of = (status) => checks.filter((check) => check.status === status);
  return {
    passed: of('SUCCESS').length,
    failed: [...of('FAILURE'), ...of('WARNING')].map((check) => `${check.name}: ${check.errorMessage}`),
  };
}

const report = { client: `@modelcontextprotocol/conformance ${version}`, scenarios: {} };
for (const scenario of scenarios) {
  report.scenarios[scenario] = await run(scenario);
}
console.log(JSON.stringify(report));
rmSync(folder, { recursive: true, force: true });
process.exit(0);
