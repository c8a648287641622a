// cognito-local on loopback.
//
// 1. `node server.js PORT`, started in the folder where the packages are installed; port 0
//    takes a free one. The first line on standard output is `ready URL`.
// 2. Its state lies in a folder of its own that goes with it.
// 3. It ends with its standard input, so that it cannot outlive the test that started it.

'use strict';

const { mkdtempSync, rmSync } = require('node:fs');
const { createServer } = require('node:net');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const modules = join(process.cwd(), 'node_modules');
const state = mkdtempSync(join(tmpdir(), 'cognito-local-'));
// It writes below `.cognito` of the current folder.
process.chdir(state);
process.on('exit', () => rmSync(state, { recursive: true, force: true }));
process.stdin.on('end', () => process.exit(0)).resume();

// Its `iss` holds the port that it was configured with, so a free one is found first.
const probe = createServer();
probe.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  const { port } = probe.address();
  probe.close(() => start(port));
});

async function start(port) {
  process.env.PORT = String(port);
  process.env.HOST = '127.0.0.1';
  const { createDefaultServer } = require(join(modules, 'cognito-local/lib/server'));
  const pino = require(join(modules, 'pino'));
  const server = await createDefaultServer(pino({ level: 'silent' }));
  await server.start();
  console.log(`ready http://127.0.0.1:${port}`);
}
