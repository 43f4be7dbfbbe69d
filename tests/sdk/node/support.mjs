// What all tests share: a client for each of the proxy's doors, and the simulator's journal.

import { readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

import OpenAI from 'openai';
import { Agent, fetch as undiciFetch } from 'undici';

export const DEADLINE = 20_000;
export const HELLO = [{ role: 'user', content: 'Say hello.' }];

// HTTP/1.1 in the clear, HTTP/1.1 over TLS (Node's own fetch, NODE_EXTRA_CA_CERTS), HTTP/2 over TLS.
export const DOORS = ['plain', 'tls', 'h2'];

export function environment(name) {
  const value = process.env[`SEGUE_SDK_${name}`];
  if (!value) throw new Error(`SEGUE_SDK_${name} is not set: start the suite with tests/sdk/run`);
  return value;
}

export function dispatcher(authority, allowH2) {
  return new Agent({ allowH2, connect: { ca: readFileSync(authority) } });
}

export function connect(door, { apiKey = environment('KEY'), agent } = {}) {
  if (door === 'h2') agent ??= dispatcher(environment('CA'), true);
  return new OpenAI({
    apiKey,
    baseURL: environment(door === 'plain' ? 'PLAIN_URL' : 'TLS_URL'),
    maxRetries: 0,
    timeout: DEADLINE,
    ...(agent && { fetch: (url, options) => undiciFetch(url, { ...options, dispatcher: agent }) }),
  });
}

// A canary: the simulator puts it into every token, so no other answer can pass for this one.
export function newMark() {
  return `js-${randomBytes(6).toString('hex')}`;
}

export function expectedText(mark, tokens) {
  return Array.from({ length: tokens }, (_, token) => ` ${mark}.${token}`).join('');
}

// Text, finish reasons and chunks of a stream that must end well.
export async function readStream(stream) {
  const read = { text: '', reasons: [], chunks: [] };
  for await (const chunk of stream) take(read, chunk);
  return read;
}

export function take(read, chunk) {
  read.chunks.push(chunk);
  for (const choice of chunk.choices) {
    read.text += choice.delta.content ?? '';
    if (choice.finish_reason) read.reasons.push(choice.finish_reason);
  }
}

// The simulator's own account of the marked request, once `done` holds of it.
export async function journalEntry(mark, done) {
  const until = performance.now() + DEADLINE;
  let entries = [];
  while (performance.now() < until) {
    const journal = await (await fetch(`${environment('SIM_URL')}/_sim/journal`)).json();
    entries = journal.filter((entry) => entry.body.includes(mark));
    if (entries.length === 1 && done(entries[0])) return entries[0];
    await pause(50);
  }
  throw new Error(`the journal never said it of ${mark}: ${JSON.stringify(entries)}`);
}
