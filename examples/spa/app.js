// The page: buttons that call the API, and a log of what was answered.

import { Client } from "/oauth.js";

const element = (id) => document.getElementById(id);

function log(...lines) {
  for (const line of lines) {
    if (!line) continue;
    const item = document.createElement("li");
    item.textContent = line; // never as markup
    element("log").append(item);
  }
}

function show(client) {
  element("who").textContent = client.isSignedIn ? `Signed in, with the scope ${client.scope}.` : "Nobody is signed in.";
  element("sign-in").disabled = client.isSignedIn;
  element("sign-out").disabled = !client.isSignedIn;
}

async function call(client, { method, path }, isRepeated = false) {
  const response = await client.call(method, path, isRepeated);
  if (response === null) return; // the page is being left
  if (response.status === 503) log(`again in ${response.headers.get("retry-after")} s`);
  log((await response.text()).trim());
  show(client);
}

const attempt = (work) => work().catch((error) => log(error.message));

await attempt(async () => {
  const config = await (await fetch("/config.json")).json();
  const client = await Client.discover(config, log);
  element("sign-in").addEventListener("click", () => attempt(() => client.signIn()));
  element("sign-out").addEventListener("click", () =>
    attempt(async () => {
      await client.signOut();
      show(client);
    }),
  );
  for (const button of document.querySelectorAll("button[data-path]")) {
    button.addEventListener("click", () => attempt(() => call(client, button.dataset)));
  }
  const repeat = await client.finishSignIn();
  show(client);
  if (repeat !== null) await call(client, repeat, true);
});
