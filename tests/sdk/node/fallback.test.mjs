// How every stream may end, as an application sees it (docs/fallback.md), and what a chain does about it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import OpenAI from 'openai';

import { connect, DEADLINE, DOORS, environment, expectedText, HELLO, newMark, readStream, take } from './support.mjs';

async function raises(kind, call) {
  const error = await call().then(
    () => assert.fail(`nothing was raised; ${kind.name} was expected`),
    (error) => error,
  );
  assert.ok(error instanceof kind, `${error?.constructor?.name} instead of ${kind.name}: ${error?.stack}`);
  return error;
}

async function raisesAfterSomeText(client, model, meanwhile = () => {}) {
  const read = { text: '', reasons: [], chunks: [] };
  const error = await raises(OpenAI.APIError, async () => {
    const stream = await client.chat.completions.create({ model, messages: HELLO, stream: true });
    for await (const chunk of stream) {
      take(read, chunk);
      meanwhile(read.chunks.length);
    }
  });
  assert.ok(read.text, 'the text comes');
  assert.deepEqual(read.reasons, [], 'and no success mark');
  assert.ok(error.message);
  return error;
}

for (const door of DOORS) {
  describe(`fallback by ${door}`, () => {
    const client = connect(door);
    const ask = (model, options = {}) => client.chat.completions.create({ model, messages: HELLO, ...options });

    for (const model of [
      'no_done',
      'done_twice',
      'cut_after_finish',
      'reset_after_finish',
      'stall_after_finish',
      'bare_last_frame',
    ]) {
      test(`a stream with a finish reason is a good end: ${model}`, async () => {
        const { text, reasons } = await readStream(await ask(model, { stream: true }));
        assert.ok(text);
        assert.deepEqual(reasons, ['stop']);
      });
    }

    for (const [model, reason] of [['filtered', 'content_filter'], ['length', 'length']]) {
      test(`the finish reason is the provider’s: ${model}`, async () => {
        assert.deepEqual((await readStream(await ask(model, { stream: true }))).reasons, [reason]);
      });
    }

    for (const model of [
      'cut',
      'reset',
      'stall',
      'no_finish',
      'no_finish_but_done',
      'error_event',
      'error_event_alone',
      'malformed',
      'unknown_shape',
      'too_long',
      'half_a_frame',
      'too_slow',
      'past_the_deadline',
      'broken_fallback',
    ]) {
      test(`a stream without a good end raises: ${model}`, () => raisesAfterSomeText(client, model));
    }

    for (const options of [{}, { stream: true }]) {
      const how = options.stream ? 'streamed' : 'whole';

      for (const fault of [
        'connection',
        'head',
        'status',
        'event',
        'credential',
        'model',
        'quota',
        'type',
        'empty',
        'silence',
      ]) {
        test(`a failure before the first token is never seen: ${fault}, ${how}`, async () => {
          const mark = newMark();
          const answer = await ask(`rescued_${fault}`, { user: `canary:${mark}`, ...options });
          const read = options.stream
            ? await readStream(answer)
            : { text: answer.choices[0].message.content, chunks: [answer] };
          assert.equal(read.text, expectedText(mark, 16));
          assert.deepEqual(new Set(read.chunks.map((chunk) => chunk.model)), new Set([`rescued_${fault}.1`]));
        });
      }

      test(`what the first target says against the request is raised, ${how}`, async () => {
        const error = await raises(OpenAI.BadRequestError, () => ask('refused_by_the_first', options));
        assert.equal(error.code, 'unsupported_parameter');
        assert.match(error.message, /no-such-knob/);
      });

      test(`a chain of limits says when to come back, ${how}`, async () => {
        const error = await raises(OpenAI.RateLimitError, () => ask('all_rate_limited', options));
        const after = Number(error.headers.get('retry-after'));
        assert.ok(after >= 1 && after <= 7, String(after));
      });

      for (const [model, kind, status] of [
        ['all_fail', OpenAI.InternalServerError, 502],
        ['all_silent', OpenAI.InternalServerError, 504],
      ]) {
        test(`an exhausted chain raises once: ${model}, ${how}`, async () => {
          const mark = newMark();
          const call = { model, messages: HELLO, user: `canary:${mark}`, ...options };
          const error = await raises(kind, () => client.chat.completions.create(call, { maxRetries: 2 }));
          assert.equal(error.status, status);
          const journal = await (await fetch(`${environment('SIM_URL')}/_sim/journal`)).json();
          assert.equal(journal.filter((entry) => entry.body.includes(mark)).length, 2);
        });
      }
    }

    for (const fault of ['cut', 'reset', 'stall', 'error', 'malformed', 'no_finish']) {
      test(`a failure while the head is held is never seen: ${fault}`, async () => {
        const mark = newMark();
        const call = { model: `held_${fault}`, messages: HELLO, stream: true, user: `canary:${mark}` };
        const { data, response } = await client.chat.completions.create(call).withResponse();
        assert.equal(response.headers.get('x-segue-target'), `sim/held_${fault}.1`);
        assert.equal(response.headers.get('x-segue-attempts'), '2');
        assert.equal((await readStream(data)).text, expectedText(mark, 16));
      });
    }
  });
}

test('a crawl raises', () => raisesAfterSomeText(connect('plain'), 'crawl'));

test('a stop whose drain is over raises', async () => {
  const client = new OpenAI({
    apiKey: environment('KEY'),
    baseURL: environment('STOPPING_URL'),
    maxRetries: 0,
    timeout: DEADLINE,
  });
  const error = await raisesAfterSomeText(client, 'endless', (chunks) => {
    if (chunks === 5) process.kill(Number(environment('STOPPING_PID')), 'SIGTERM');
  });
  assert.ok(!(error instanceof OpenAI.APIConnectionError), 'an error event, not a cut connection');
});
