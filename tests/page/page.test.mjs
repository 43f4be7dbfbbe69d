// The admin page as a browser shows it. Started by tests/page/run.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

const env = (name) => {
  const value = process.env[`SEGUE_PAGE_${name}`];
  if (!value) throw new Error(`SEGUE_PAGE_${name} is not set: start the suite with tests/page/run`);
  return value;
};
const [PLAIN, ADMIN, SIM, SHOTS] = ["PLAIN", "ADMIN", "SIM", "SHOTS"].map(env);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 320, height: 640 };
const PROMPT = "prompt-canary-31415";

const SCRIPTS = {
  small: "tokens=12,delay=4ms",
  large: "tokens=20,delay=6ms",
  cut: "tokens=20,delay=5ms,cut@2",
  limited: "status=429,retry_after=60",
  breaks: "tokens=60,delay=6ms,cut@30",
  down: "status=503",
};

const teach = async (model, script) => {
  const answer = await fetch(`${SIM}/_sim/scripts/${model}`, { method: "PUT", body: script });
  assert.equal(answer.status, 200, `${model}: ${await answer.text()}`);
};

const ask = async (model, stream = true) => {
  const body = JSON.stringify({ model, stream, messages: [{ role: "user", content: PROMPT }] });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${PLAIN}/v1/chat/completions`, { method: "POST", headers, body });
  await answer.text().catch(() => {});
  return answer.status;
};

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: env("CHROMIUM"),
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
  for (const [model, script] of Object.entries(SCRIPTS)) await teach(model, script);
  // A morning's traffic.
  await teach("large", SCRIPTS.large);
  await Promise.all(Array.from({ length: 12 }, () => ask("calm")));
  await Promise.all(Array.from({ length: 5 }, () => ask("chat", false)));
  for (const route of ["assistant-with-a-rather-long-name", "broken", "doomed", "guarded", "calm"]) await ask(route);
});
after(() => browser.close());

const open = async (options = {}) => {
  const context = await browser.newContext({ viewport: WIDE, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("request", (request) => request.url().startsWith(ADMIN) || request.url().startsWith("data:") || wrong.push(request.url()));
  const began = performance.now();
  await page.goto(`${ADMIN}/`);
  await page.locator("#state", { hasText: "Live" }).waitFor();
  return { page, wrong, shown: performance.now() - began, close: () => context.close() };
};

test("it is there within a second, and asks nobody else for anything", async () => {
  // The first page of a browser pays for the browser.
  await (await open()).close();
  const { page, wrong, shown, close } = await open();
  const [timing] = await page.evaluate(() => performance.getEntriesByType("navigation").map((one) => one.toJSON()));
  const { length } = await page.content();
  console.log(`loaded in ${timing.loadEventEnd.toFixed(0)} ms, with data on it in ${shown.toFixed(0)} ms, ${length} characters`);
  assert.ok(timing.loadEventEnd < 1000 && shown < 1000);
  assert.deepEqual(wrong, []);
  await close();
});

for (const colorScheme of ["light", "dark"]) {
  for (const [name, viewport] of [["wide", WIDE], ["narrow", NARROW]]) {
    test(`axe finds nothing, and nothing sticks out: ${colorScheme}, ${name}`, async () => {
      const { page, wrong, close } = await open({ colorScheme, viewport });
      await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}.png`, fullPage: true });
      const opened = page.locator("#failed details").first();
      await opened.locator("summary").click();
      await page.locator("#rescued summary").first().click();
      await page.locator("#minutes summary").click();
      await page.locator("#minutes table").waitFor();
      await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}-open.png`, fullPage: true });
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(sideways, 0, "scrolls sideways");
      const outside = await page.evaluate(() => [...document.querySelectorAll("body *")]
        .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(one).position !== "absolute")
        .map((one) => `${one.tagName} ${one.className}`));
      assert.deepEqual(outside, []);
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      const told = violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
      assert.deepEqual(told, []);
      assert.deepEqual(wrong, []);
      await close();
    });
  }
}

test("the keyboard reaches everything, in the order of the page, and the focus shows", async () => {
  const { page, close } = await open();
  const all = await page.evaluate(() => {
    const found = [...document.querySelectorAll("a[href], select, button, summary, input, [tabindex]")];
    const seen = found.filter((one) => one.checkVisibility());
    seen.forEach((one, at) => one.setAttribute("data-at", at));
    return seen.length;
  });
  assert.ok(all >= 7, `${all} places`);
  const order = [];
  for (let at = 0; at < all; at += 1) {
    await page.keyboard.press("Tab");
    const [place, outline] = await page.evaluate(() => [
      Number(document.activeElement.getAttribute("data-at") ?? -1),
      getComputedStyle(document.activeElement).outlineStyle,
    ]);
    order.push(place);
    assert.notEqual(outline, "none", `the focus at ${place} does not show`);
  }
  assert.deepEqual(order, Array.from({ length: all }, (_, at) => at));
  // The last of them opens by key, and stays open and focused while the page goes on.
  const details = page.locator("#failed details").last();
  await page.keyboard.press("Enter");
  assert.equal(await details.getAttribute("open"), "");
  await ask("chat");
  await ask("doomed");
  await page.locator("#failed li").nth(2).waitFor();
  assert.equal(await details.getAttribute("open"), "");
  assert.ok(await page.evaluate(() => document.activeElement.tagName === "SUMMARY"));
  await close();
});

test("a fallback shows within two seconds, with its attempts, and who answers now", async () => {
  const { page, close } = await open();
  await page.locator("#routes tr.answers", { hasText: "steady/small" }).first().waitFor();
  const known = await page.locator("#rescued li").count();
  await teach("large", "status=500");
  // The same model at both providers: the first request fails at both, the next is rescued.
  assert.equal(await ask("chat"), 502);
  await teach("large", SCRIPTS.large);
  const answered = await ask("assistant-with-a-rather-long-name");
  const began = performance.now();
  assert.equal(answered, 200);
  await page.locator("#rescued li").nth(known).waitFor({ timeout: 5000 });
  const took = performance.now() - began;
  console.log(`the fallback shows after ${took.toFixed(0)} ms`);
  assert.ok(took < 2000, `after ${took} ms`);
  const first = page.locator("#rescued details").first();
  assert.match(await first.locator("summary").innerText(), /assistant-with-a-rather-long-name[\s\S]*shaky\/cut → shaky\/limited → steady\/small/);
  await first.locator("summary").click();
  assert.equal(await first.locator("tbody tr").count(), 3);
  assert.equal(await first.locator("svg .fill-bad").count(), 2);
  assert.equal(await first.locator("svg .fill-mark").count(), 1);
  await close();
});

test("a route can be chosen; pausing stops the questions, and so does hiding the page", async () => {
  const { page, close } = await open();
  let questions = 0;
  page.on("request", (request) => { questions += Number(request.url().includes("page.json")); });
  await page.selectOption("#route", "calm");
  await page.waitForResponse((answer) => answer.url().endsWith("page.json?route=calm"));
  await page.locator("figure", { hasText: "Fallback rate" }).getByText("0 of 13").waitFor();
  await page.locator("#pause").press("Enter");
  await page.locator("#state", { hasText: "Paused" }).waitFor();
  await page.waitForTimeout(300);
  questions = 0;
  await page.waitForTimeout(1500);
  assert.equal(questions, 0, "paused");
  await page.locator("#pause").press("Enter");
  await page.locator("#state", { hasText: "Live" }).waitFor();
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.waitForTimeout(300);
  questions = 0;
  await page.waitForTimeout(1500);
  assert.equal(questions, 0, "hidden");
  await page.evaluate(() => {
    delete document.hidden;
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.waitForResponse((answer) => answer.url().includes("page.json"));
  await close();
});

test("when segue is silent the page says so, and goes on when it is back", async () => {
  const { page, close } = await open();
  await page.route("**/page.json*", (route) => route.abort());
  await page.locator("#state.bad", { hasText: "No answer" }).waitFor();
  await page.unroute("**/page.json*");
  await page.locator("#state", { hasText: "Live" }).waitFor();
  await close();
});

test("no prompt is on it", async () => {
  const { page, close } = await open();
  for (const path of ["/", "/page.json"]) {
    const text = await (await fetch(ADMIN + path)).text();
    assert.ok(!text.includes(PROMPT), path);
  }
  assert.ok(!(await page.content()).includes(PROMPT));
  await close();
});
