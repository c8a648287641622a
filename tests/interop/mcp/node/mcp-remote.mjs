// `mcp-remote`, and a client of its standard input and output: `node mcp-remote.mjs URL TOOL...`, started
// in the folder where the packages are installed. Prints one line of JSON.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { asked, visit } from '../user.mjs';

const [, , url, ...tools] = process.argv;
const home = `${process.cwd()}/node_modules/mcp-remote`;
const { version } = JSON.parse(readFileSync(`${home}/package.json`, 'utf8'));
const report = { client: `mcp-remote ${version}`, authorizations: [] };

const folder = mkdtempSync(`${tmpdir()}/mcp-remote-`);
const remote = spawn(process.execPath, [`${home}/dist/proxy.js`, url, '--transport', 'http-only'], {
  // No browser is to start: `open` finds no program.
  env: { HOME: folder, MCP_REMOTE_CONFIG_DIR: folder, PATH: folder },
});

// What it says to its user.
const said = [];
createInterface({ input: remote.stderr }).on('line', async (line) => {
  said.push(line);
  if (/^https?:\/\/.*[?&]code_challenge=/.test(line.trim())) {
    report.authorizations.push(asked(line.trim()));
    await comeBack(await visit(line.trim()));
  }
});

// It names the address before it listens for the user, who is faster here than with a browser.
async function comeBack(to) {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    try {
      await (await fetch(to)).text();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  report.user = 'mcp-remote does not listen';
}

const waiting = new Map();
createInterface({ input: remote.stdout }).on('line', (line) => {
  const message = JSON.parse(line);
  waiting.get(message.id)?.(message);
});
const ended = new Promise((_, reject) => {
  remote.on('exit', (status) => reject(new Error(`mcp-remote ends with ${status}: ${said.slice(-3).join(' ')}`)));
});
ended.catch(() => {});

let last = 0;
function send(method, params, id) {
  remote.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
}
async function ask(method, params) {
  last += 1;
  const id = last;
  const answer = new Promise((resolve) => waiting.set(id, resolve));
  send(method, params, id);
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`no answer to ${method}`)), 30_000).unref());
  const { result, error } = await Promise.race([answer, ended, late]);
  if (error) {
    throw new Error(`${error.code} ${error.message}`);
  }
  return result;
}

const short = (error) => `${error.constructor.name}: ${error.message}`.split('\n')[0];

// Arguments of the example's tools.
const ARGUMENTS = { rename_mission: { id: 'apollo', name: 'Apollo 11' } };

const text = (answer) => answer.content.map((part) => part.text).join(' ');

try {
  const hello = await ask('initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'interop', version: '1' },
  });
  report.protocol = hello.protocolVersion;
  send('notifications/initialized');
  report.tools = (await ask('tools/list')).tools.map((tool) => tool.name);
  report.calls = [];
  for (const name of tools) {
    try {
      const answer = await ask('tools/call', { name, arguments: ARGUMENTS[name] ?? {} });
      report.calls.push(`${name}: ${text(answer)}`);
    } catch (error) {
      report.calls.push(`${name}: ${short(error)}`);
    }
  }
} catch (error) {
  report.error = short(error);
}
console.log(JSON.stringify(report));
remote.kill();
rmSync(folder, { recursive: true, force: true });
process.exit(0);
