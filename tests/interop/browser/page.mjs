// Drives the page of the demo in Debian's chromium: `node page.mjs URL FOLDER`, in the folder where
// `tests/interop/install` has put playwright-core. Prints a line for each step and `done` at the end;
// pictures of the page go into FOLDER. A step that fails ends it with an error.
//
// 1. Nothing is seen through a back door: the steps press what a person presses and read what is shown.
// 2. The console stays empty, no request leaves loopback, and nothing moves by itself.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const [url, folder] = process.argv.slice(2);
const { chromium } = createRequire(join(process.cwd(), "package.json"))("playwright-core");

const PATIENCE = 30_000;
const WIDE = { width: 1360, height: 1060 };
const NARROW = { width: 360, height: 740 };
const MISSIONS = "GET /app/workspaces/acme-prod/missions";

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    // Chromium's sandbox wants a user other than root.
    ...process.getuid() === 0 ? ["--no-sandbox"] : [],
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
  ],
});

const complaints = [];
const context = await browser.newContext({ viewport: WIDE, colorScheme: "light", reducedMotion: "reduce", timezoneId: "UTC", locale: "en-GB" });
context.setDefaultTimeout(PATIENCE);
context.on("request", (request) => {
  const { protocol, hostname } = new URL(request.url());
  if (protocol !== "data:" && hostname !== "127.0.0.1") complaints.push(`a request to ${request.url()}`);
});
context.on("console", (message) => complaints.push(`console: ${message.type()}: ${message.text()}`));
context.on("weberror", (error) => complaints.push(`error: ${error.error().message}`));
// Moves that follow no input of the last half second (Layout Instability).
await context.addInitScript(() => {
  globalThis.moved = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.moved += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
});
const page = await context.newPage();

async function step(name, act) {
  try {
    await act();
    assert.deepEqual(complaints, []);
    console.log(`ok ${name}`);
  } catch (error) {
    await page.screenshot({ path: join(folder, "failed.png"), fullPage: true }).catch(() => {});
    console.log(`failed ${name}`);
    console.error(`${name}: ${error.stack}\n${complaints.join("\n")}`);
    await browser.close();
    process.exit(1);
  }
}

const picture = (name, options = {}) => page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled", ...options });
const text = (selector) => page.locator(selector).innerText();
const button = (name) => page.getByRole("button", { name, exact: true });
const caller = (name) => page.locator("#callers label").filter({ hasText: name }).first();
const routeButton = (line) => {
  const [method, path] = line.split(" ");
  return page.locator("#routes button").filter({ has: page.locator(".method", { hasText: method }) })
    .filter({ has: page.locator(".path", { hasText: new RegExp(`^${path}$`) }) });
};

/** Sends a request and waits for its answer. */
async function send(line) {
  const answered = page.waitForResponse((response) => response.url().endsWith("/admin/call"));
  await routeButton(line).click();
  await answered;
  await page.locator('#routes button[aria-current="true"]').and(routeButton(line)).waitFor();
}

/** What is shown of it. */
async function shown() {
  return {
    status: Number(await text("#status")),
    phrase: await text("#phrase"),
    words: await text("#words"),
    challenge: await page.locator("#challenge-block").isVisible() ? await text("#challenge") : "",
    failed: await page.locator("#checks .failed").allInnerTexts(),
  };
}

async function as(name, line) {
  await caller(name).click();
  await send(line);
  return shown();
}

async function operate(name) {
  const answered = page.waitForResponse((response) => response.url().endsWith("/admin/issuer"));
  await button(name).click();
  await answered;
  await page.locator("#operated").filter({ hasText: /./ }).waitFor();
}

/** Signs in on the login page of the authorization server. */
async function signIn(application, user) {
  await button(`Sign in to ${application}`).click();
  await page.getByRole("heading", { name: /^Sign in to/ }).waitFor();
  await page.getByRole("button", { name: user }).click();
  await button("Sign out").waitFor();
  await page.locator("#token-block").waitFor();
}

/** The kid of the token that is shown. */
const kid = () => page.locator("#token .part.part-1 dd code").last().textContent();

/** What hangs over the right edge. */
const overhang = () => page.evaluate(() => {
  const width = document.documentElement.clientWidth;
  const over = [...document.querySelectorAll("body *:not(.hidden)")].filter((element) => element.getBoundingClientRect().right > width + 0.5 && element.getClientRects().length > 0);
  return [document.documentElement.scrollWidth > width ? "the page scrolls sideways" : null, ...over.map((element) => element.outerHTML.slice(0, 120))].filter(Boolean);
});

/** Texts with too little contrast (WCAG 2.2 s1.4.3). */
const pale = () => page.evaluate(() => {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const light = ([red, green, blue]) => [red, green, blue].map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = channels(getComputedStyle(one).backgroundColor);
      if (color.length < 4 || color[3] > 0.99) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const isOff = element.closest(":disabled, .hidden, script, label:has(:disabled), .skip, fieldset:disabled");
    if (isOff || texts.currentNode.data.trim() === "" || element.getClientRects().length === 0) continue;
    const [one, other] = [light(channels(getComputedStyle(element).color)), light(ground(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)}: ${texts.currentNode.data.trim().slice(0, 40)}`);
  }
  return found;
});

const isStill = async () => {
  const moved = await page.evaluate(() => globalThis.moved);
  assert.ok(moved < 0.02, `the layout moved by itself: ${moved}`);
};

/** Presses Tab until this has the focus. Each stop must be visible, and have a name. */
async function tabTo(locator) {
  const target = await locator.elementHandle();
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate((wanted) => {
      const one = document.activeElement;
      const style = getComputedStyle(one);
      const name = one.getAttribute("aria-label") ?? one.labels?.[0]?.innerText ?? one.innerText;
      const box = one.getBoundingClientRect();
      return {
        isThere: one === wanted, name: name?.trim(), what: one.outerHTML.slice(0, 100), isBody: one === document.body,
        outline: style.outlineStyle === "none" ? 0 : Number.parseFloat(style.outlineWidth), isSeen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
      };
    }, target);
    if (stop.isBody) continue;
    assert.ok(stop.name, `the focus is on something without a name: ${stop.what}`);
    assert.ok(stop.outline >= 1, `the focus is not visible: ${stop.what}`);
    assert.ok(stop.isSeen, `the focus is out of sight: ${stop.what}`);
    if (stop.isThere) return;
  }
  assert.fail("Tab does not lead there");
}

await step("the page is there, and says what may be sent", async () => {
  const answer = await page.goto(url);
  assert.match(answer.headers()["content-security-policy"], /^default-src 'none'; style-src 'sha256-/);
  assert.equal(await text("#state-issuer"), "answers");
  assert.equal(await page.locator("#callers input").count() > 15, true);
  assert.deepEqual(await overhang(), []);
  await isStill();
});

await step("signing in, sending and revoking need the keyboard alone", async () => {
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the answer");
  await tabTo(button("Sign in to the app"));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: /^Sign in to/ }).waitFor();
  await tabTo(page.getByRole("button", { name: /Ada/ }));
  await page.keyboard.press("Enter");
  await button("Sign out").waitFor();
  await page.locator("#token-block").waitFor();
  assert.match(await text("#who"), /^Signed in as user-1, scope app\/read app\/write/);
  assert.equal(new URL(page.url()).search, "", "the code is gone from the address");
  await isStill();

  await tabTo(page.locator('input[value="you"]'));
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.locator('input[value="user"]').isChecked(), true);
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.locator('input[value="you"]').isChecked(), true);
  await tabTo(routeButton(MISSIONS));
  const answered = page.waitForResponse((response) => response.url().endsWith("/admin/call"));
  await page.keyboard.press("Enter");
  await answered;
  await page.locator("#say").filter({ hasText: /^200 OK/ }).waitFor({ state: "attached" });

  await tabTo(button("Open a stream"));
  await page.keyboard.press("Enter");
  await page.locator("#log").filter({ hasText: "event: missions of acme-prod" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "revoke", "the focus stays beside the button that is off now");
  await page.keyboard.press("Enter");
  await page.locator("#log").filter({ hasText: "ended by the API" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "open-stream");
});

await step("a token of a revoked session is refused", async () => {
  const { status, phrase, failed } = await as("the signed-in caller", MISSIONS);
  assert.equal(`${status} ${phrase}`, "401 Unauthorized, invalid_token");
  assert.match(failed.join(), /the list of revocations/);
});

await step("the token is taken apart, and every check that it passes is named in order", async () => {
  await button("Sign out").click();
  await signIn("the app", /Ada/);
  assert.equal(await page.locator("#checks li").filter({ hasText: "✗" }).count(), 0);
  const checks = await page.locator("#checks .passed").allInnerTexts();
  const order = ["the credential", "the issuer", "the algorithm", "the signature", "the audience", "the list of revocations", "the API context"];
  const places = order.map((name) => checks.findIndex((check) => check.includes(name)));
  assert.deepEqual(places, [...places].sort((one, other) => one - other), checks.join("\n"));
  assert.equal(places.includes(-1), false, checks.join("\n"));
  assert.match(await text("#token .part.part-2"), /workspaceId\s+acme-prod/);
  await picture("token", { fullPage: true });
  await isStill();
});

await step("each caller gets its answer, with the challenge in words and the record", async () => {
  for (const [name, line, expected, challenge, record] of [
    ["the signed-in caller", MISSIONS, "200 OK", "", "admitted"],
    ["workspace user", "POST /app/workspaces/acme-prod/missions", "201 Created", "", "admitted"],
    ["workspace user", "GET /app/workspaces/acme-dev/missions", "403 Forbidden", "The status alone", "wrong_tenant"],
    ["user of the dashboard", "GET /dashboard/workspaces/acme-prod", "200 OK", "", "admitted"],
    ["user of the dashboard", MISSIONS, "403 Forbidden", "The status alone", "wrong_tenant|wrong_caller"],
    ["principal", "GET /portal/accounts/acme", "200 OK", "", "principal"],
    ["principal", "GET /portal/accounts/globex", "403 Forbidden", "The status alone", "refused"],
    ["machine client for a user", "GET /app/workspaces/acme-prod/inbox", "200 OK", "", "client"],
    ["agent for a user", "GET /app/workspaces/acme-prod/assistant", "200 OK", "", "assistant"],
    ["another agent", "GET /app/workspaces/acme-prod/assistant", "403 Forbidden", "The status alone", "scraper"],
    ["user, opaque token", MISSIONS, "200 OK", "", "gateway.example.com"],
    ["client with a DPoP proof", "GET /app/workspaces/acme-prod/export", "200 OK", "", "admitted"],
    ["client with a DPoP proof", "GET /ledger/workspaces/acme-prod", "401 Unauthorized, use_dpop_nonce", "DPoP-Nonce", "refused"],
    ["client with a DPoP proof", "GET /ledger/workspaces/acme-prod", "200 OK", "", "admitted"],
    ["user who may only read", "POST /app/workspaces/acme-prod/missions", "403 Forbidden, insufficient_scope", "app/read app/write", "insufficient_scope"],
    ["no token", MISSIONS, "401 Unauthorized", "Bearer", "missing_token"],
    ["expired token", MISSIONS, "401 Unauthorized, invalid_token", "gets a new one", "expired"],
    ["revoked token", MISSIONS, "401 Unauthorized, invalid_token", "gets a new one", "revoked"],
    ["forged signature", MISSIONS, "401 Unauthorized, invalid_token", "gets a new one", "signature"],
    ["ID token", MISSIONS, "401 Unauthorized, invalid_token", "gets a new one", "refused"],
    ["refresh token", MISSIONS, "401 Unauthorized, invalid_token", "gets a new one", "refused"],
    ["stolen bound token", MISSIONS, "401 Unauthorized, invalid_token", "gets a new one", "refused"],
    ["two tokens at once", MISSIONS, "400 Bad Request, invalid_request", "malformed", "refused"],
  ]) {
    const answer = await as(name, line);
    assert.equal(`${answer.status} ${answer.phrase}`, expected, `${name}: ${line}`);
    assert.equal(answer.challenge.includes(challenge), true, `${name}: ${line}: ${answer.challenge}`);
    assert.match(await text("#record"), new RegExp(record), `${name}: ${line}`);
    assert.equal(answer.failed.length > 0, answer.status >= 400, `${name}: ${line}: ${answer.failed}`);
  }
});

await step("one press sends a caller to all routes", async () => {
  await caller("workspace user").click();
  await button("Send to all").click();
  await page.locator("#send-all:enabled").waitFor();
  await page.locator("#say").filter({ hasText: "requests admitted" }).waitFor({ state: "attached" });
  const chips = await page.locator("#routes .chip").allInnerTexts();
  assert.deepEqual(chips.map(Number), [200, 201, 403, 403, 401, 403, 204, 403, 403, 403, 403, 200, 200]);
});

await step("a scope that is lacking is asked for by another sign-in", async () => {
  await button("Sign out").click();
  await page.getByLabel("app/write").uncheck();
  await signIn("the app", /Ada/);
  const { phrase } = await as("the signed-in caller", "POST /app/workspaces/acme-prod/missions");
  assert.equal(phrase, "Forbidden, insufficient_scope");
  await button("Sign in again for app/read app/write").click();
  const ada = page.getByRole("button", { name: /Ada/ });
  await ada.or(button("Sign out")).first().waitFor();
  if (await ada.isVisible()) await ada.click();
  await button("Sign out").waitFor();
  await page.locator("#token-block").waitFor();
  assert.equal((await as("the signed-in caller", "POST /app/workspaces/acme-prod/missions")).status, 201);
});

await step("a principal signs in to the portal", async () => {
  await button("Sign out").click();
  await signIn("the portal", /Grace/);
  assert.equal((await as("the signed-in caller", "GET /portal/accounts/acme")).status, 200);
  assert.equal((await as("the signed-in caller", "GET /portal/accounts/globex")).status, 403);
  await button("Sign out").click();
});

await step("a sign-in that ends with an error, or that nobody asked for, is told", async () => {
  await button("Sign in to the app").click();
  await button("Cancel").click();
  await page.locator("#sign-in-alert").filter({ hasText: "access_denied" }).waitFor();
  await page.goto(`${url}?code=stolen&state=of-another-sign-in`);
  await page.locator("#sign-in-alert").filter({ hasText: "belongs to no sign-in" }).waitFor();
  assert.equal(new URL(page.url()).search, "");
  await page.goto(url);
});

await step("keys rotate: new tokens are good, and those of retired keys are not", async () => {
  await signIn("the app", /Ada/);
  const before = await kid();
  await operate("Rotate keys");
  await operate("Fetch keys now");
  assert.equal((await as("the signed-in caller", MISSIONS)).status, 200, "the old key is still published");
  assert.equal((await as("workspace user", MISSIONS)).status, 200, "the new key signs");
  await operate("Retire old keys");
  await operate("Fetch keys now");
  const { status, failed } = await as("the signed-in caller", MISSIONS);
  assert.equal(status, 401);
  assert.match(failed.join(), /the issuer's keys/);
  await button("Refresh it").click();
  await page.locator("#asked").filter({ hasText: "Nothing is sent" }).waitFor();
  assert.notEqual(await kid(), before);
  assert.equal((await as("the signed-in caller", MISSIONS)).status, 200);
});

await step("an issuer that stops is an outage of nobody until its keys are gone: 503, and the recovery", async () => {
  await operate("Stop the issuer");
  assert.equal(await text("#state-issuer"), "stopped");
  assert.equal((await as("workspace user", MISSIONS)).status, 200, "keys in memory are good");
  await operate("Drop keys at the API");
  assert.equal(await text("#state-keys"), "dropped");
  const { status, words, challenge } = await as("workspace user", MISSIONS);
  assert.equal(status, 503);
  assert.match(words, /cannot be judged now, so it is not refused/);
  assert.match(challenge, /Retry-After/);
  await picture("outage", { fullPage: true });
  await operate("Fetch keys now");
  assert.match(await text("#operated"), /could not fetch the keys/);
  await operate("Start the issuer");
  await operate("Fetch keys now");
  assert.match(await text("#operated"), /has fetched the keys/);
  assert.equal((await as("workspace user", MISSIONS)).status, 200);
  assert.equal(await text("#state-keys"), "fresh");
});

for (const colorScheme of ["light", "dark"]) {
  await step(`the page is legible in ${colorScheme}, wide and at 360 pixels`, async () => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(WIDE);
    for (const [name, line] of [["expired token", MISSIONS], ["user who may only read", "POST /app/workspaces/acme-prod/missions"]]) {
      await as(name, line);
      assert.deepEqual(await pale(), []);
      assert.deepEqual(await overhang(), []);
    }
    await page.evaluate(() => scrollTo(0, 0));
    await caller("user who may only read").click();
    await button("Send to all").click();
    await page.locator("#send-all:enabled").waitFor();
    await send("POST /app/workspaces/acme-prod/missions");
    if (colorScheme === "dark") {
      await button("See the token").click();
      await page.locator("#asked").filter({ hasText: "Nothing is sent" }).waitFor();
    }
    await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
    await page.mouse.move(0, 0);
    await picture(colorScheme);
    await page.setViewportSize(NARROW);
    assert.deepEqual(await overhang(), []);
    await page.locator("#token-block").evaluate((block) => { block.open = true; });
    assert.deepEqual(await overhang(), []);
    await picture(`${colorScheme}-360`, { fullPage: true });
  });
}

await step("at 360 pixels the page works, and the answer comes into view", async () => {
  await as("forged signature", MISSIONS);
  const box = await page.locator("#answer").boundingBox();
  assert.ok(box.y < NARROW.height - 100, `the answer begins at ${box.y}`);
  await button("Sign out").click();
  await button("Sign in to the app").waitFor();
  await signIn("the app", /Ada/);
  assert.deepEqual(await overhang(), []);
  await isStill();
});

await browser.close();
console.log("done");
