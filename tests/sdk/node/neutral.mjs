// What all conversations share: the plan, what a client told in words of no SDK, and the judgement.
//
// A talk is one conversation in one SDK's words: `ask(step, delivery)` gives what came back as
// text, reasoning, calls, finish, usage; or error, message and retryAfter. What a client cannot
// tell it leaves out.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { environment } from './support.mjs';

export const PLAN = JSON.parse(readFileSync(environment('PLAN'), 'utf8'));
export const PROVIDERS = environment('PROVIDERS').split(' ');
export const LIMIT = 256;

export const fileOf = (part) => PLAN.files[part.file];
export const schemaOf = (talk) => PLAN.schemas[talk.schema];
export const toolsOf = (talk) => (talk.tools ?? []).map((name) => ({ name, ...PLAN.tools[name] }));

// How a client gets the answers of a conversation; none where it is not for that client.
export function deliveriesOf(talk, client, own) {
  if (talk.except?.includes(client)) return [];
  return own.filter((delivery) => talk.deliveries?.includes(delivery) ?? true);
}

// A `fetch` that keeps the head of the last answer.
export function recorder() {
  const record = { headers: new Headers() };
  record.fetch = async (url, options) => {
    const response = await fetch(url, options);
    record.headers = response.headers;
    return response;
  };
  return record;
}

// What broke a stream after its head.
export class Broken extends Error {
  constructor(told) {
    super(told.message);
    this.told = { error: 'broken', ...told };
  }
}

// The neutral form of a status.
export function refused(status, message, headers, code) {
  const kind = { 400: 'bad_request', 429: 'rate_limited' }[status] ?? (status >= 500 ? 'server' : `status ${status}`);
  const after = new Headers(headers).get('retry-after');
  return { error: kind, message, retryAfter: after && Number(after), code };
}

const CHECKS = {
  heard(value, told) {
    const heard = JSON.parse(told.text);
    for (const [key, expected] of Object.entries(value)) assert.deepEqual(heard[key], expected, key);
  },
  document: (value, told) => assert.deepEqual(JSON.parse(told.text), value),
  says: (value, told) => assert.match(told.message, new RegExp(value, 'i')),
  retry_after: (value, told) => assert.ok(told.retryAfter >= 1 && told.retryAfter <= value, String(told.retryAfter)),
  part_of: (value, told) => assert.ok(told.text && value.startsWith(told.text), told.text),
  reasoning: (value, told) => assert.equal(told.reasoning ?? value, value),
  code: (value, told) => assert.equal(told.code === undefined ? value : told.code, value),
  usage(value, told) {
    for (const [key, expected] of Object.entries(value)) assert.equal(told.usage[key], expected, key);
  },
};

// Holds what a client told against what the table expects.
export function judge(step, told, delivery, headers) {
  const expected = delivery === 'whole' ? step.expect : (step.streamed ?? step.expect);
  if (!expected.error) {
    assert.equal(told.error, undefined, JSON.stringify(told));
    assert.equal(headers.get('x-segue-target'), step.target);
    assert.equal(headers.get('x-segue-attempts'), String(step.attempts));
  }
  for (const [what, value] of Object.entries(expected)) {
    if (CHECKS[what]) CHECKS[what](value, told);
    else assert.deepEqual(told[what], value, `${what}: ${JSON.stringify(told)}`);
  }
  if (expected.error === 'broken') assert.equal(told.finish ?? null, null, 'no success mark before or after the break');
}

// Calls as they are compared; every one has an id of its own.
export function callsOf(calls) {
  assert.equal(new Set(calls.map(({ id }) => id)).size, calls.length);
  return calls.map(({ name, input }) => ({ name, arguments: input }));
}
