// HTTP clients that send whole bodies to an API that refuses them.
//
// 1. `node client.mjs WAY BASE TOKEN ROUNDS BYTES`, started in the folder where the packages are
//    installed. WAY is `http` (node's client, keep-alive, one connection), `fetch` or `connect`.
// 2. Each round is a refused call with BYTES of body followed by a good one, to BASE/refused and
//    BASE/good; the token is good for both and has not the scope of the first. Every other
//    refused call has a bad token. Where BASE ends with `/plain`, no token is looked at, and every
//    refused call is answered 403.
// 3. The last line on standard output is `done LOST`: how many calls had another end than 401 or
//    403, and 200. The first few that were lost stand on standard error.

import http from 'node:http';
import { pathToFileURL } from 'node:url';

const [way, base, token, rounds, bytes] = process.argv.slice(2);
const body = Buffer.alloc(Number(bytes), 'x');
const bad = base.endsWith('/plain') ? 403 : 401;
let lost = 0;

function expect(name, found, wanted) {
  if (!wanted.includes(found)) {
    lost += 1;
    if (lost < 5) console.error(`${name}: ${found}`);
  }
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function overHttp(path, authorization, payload) {
  return new Promise((resolve) => {
    const headers = { authorization, 'content-length': payload.length };
    const request = http.request(`${base}${path}`, { method: 'POST', agent, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
      answer.on('error', (error) => resolve(error.code));
    });
    request.on('error', (error) => resolve(error.code));
    request.end(payload);
  });
}

async function overFetch(path, authorization, payload) {
  try {
    const answer = await fetch(`${base}${path}`, {
      method: 'POST',
      headers: { authorization },
      body: payload,
    });
    await answer.arrayBuffer();
    return answer.status;
  } catch (error) {
    return error.cause?.code ?? error.message;
  }
}

async function overConnect() {
  const load = (name, path) => import(pathToFileURL(`${process.cwd()}/node_modules/${name}/${path}`));
  const { create, createFileRegistry } = await load('@bufbuild/protobuf', 'dist/esm/index.js');
  const wkt = await load('@bufbuild/protobuf', 'dist/esm/wkt/index.js');
  const { createClient, Code, ConnectError } = await load('@connectrpc/connect', 'dist/esm/index.js');
  const { createConnectTransport } = await load('@connectrpc/connect-node', 'dist/esm/index.js');
  const file = create(wkt.FileDescriptorProtoSchema, {
    name: 'test.proto',
    syntax: 'proto3',
    dependency: ['google/protobuf/wrappers.proto'],
    service: [
      {
        name: 'Test',
        method: ['Refused', 'Good'].map((name) => ({
          name,
          inputType: '.google.protobuf.BytesValue',
          outputType: '.google.protobuf.BytesValue',
        })),
      },
    ],
  });
  const registry = createFileRegistry(file, () => wkt.file_google_protobuf_wrappers);
  const transport = createConnectTransport({ baseUrl: base, httpVersion: '1.1' });
  const client = createClient(registry.getService('Test'), transport);
  const statuses = { [Code.Unauthenticated]: 401, [Code.PermissionDenied]: 403 };
  return async (path, authorization, payload) => {
    const method = path === '/refused' ? client.refused : client.good;
    try {
      await method({ value: payload }, { headers: { authorization } });
      return 200;
    } catch (error) {
      return statuses[ConnectError.from(error).code] ?? error.message;
    }
  };
}

const call = { http: () => overHttp, fetch: () => overFetch, connect: overConnect }[way];
const send = await call();
for (let round = 0; round < Number(rounds); round += 1) {
  const authorization = round % 2 ? 'Bearer bad.bad.bad' : `Bearer ${token}`;
  expect(`refused ${round}`, await send('/refused', authorization, body), round % 2 ? [bad] : [403]);
  expect(`good ${round}`, await send('/good', `Bearer ${token}`, Buffer.from('good')), [200]);
}
agent.destroy();
console.log(`done ${lost}`);
