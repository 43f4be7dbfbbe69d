// Good answers arrive whole: text, tools, documents, usage.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';

import { connect, DOORS, expectedText, HELLO, newMark, readStream } from './support.mjs';

const City = z.object({ city: z.string() });
const tools = [zodFunction({ name: 'get_weather', parameters: City })];

for (const door of DOORS) {
  describe(`answers by ${door}`, () => {
    const client = connect(door);
    const ask = (model, options = {}) =>
      client.chat.completions.create({ model, messages: HELLO, ...options });

    test('a whole answer is the provider’s own', async () => {
      const mark = newMark();
      const answer = await ask('text', { user: `canary:${mark}` });
      assert.equal(answer.object, 'chat.completion');
      assert.equal(answer.choices[0].message.content, expectedText(mark, 16));
      assert.equal(answer.choices[0].finish_reason, 'stop');
      assert.equal(answer.usage.completion_tokens, 16);
      assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + 16);
      assert.ok(answer._request_id);
    });

    for (const [model, tokens] of [
      ['text', 16],
      ['event_by_event', 8],
      ['sliced', 200],
      ['crlf', 8],
      ['compressed', 40],
      ['role_joined', 4],
      ['one_token', 1],
      ['no_done', 8],
      ['done_twice', 8],
    ]) {
      test(`a stream is the provider’s own and ends well: ${model}`, async () => {
        const mark = newMark();
        const read = await readStream(await ask(model, { stream: true, user: `canary:${mark}` }));
        assert.equal(read.text, expectedText(mark, tokens));
        assert.deepEqual(read.reasons, ['stop']);
        assert.equal(read.chunks.filter((chunk) => chunk.choices[0]?.delta.content).length, tokens);
        assert.equal(new Set(read.chunks.map((chunk) => chunk.id)).size, 1, 'one answer has one id');
        assert.equal(new Set(read.chunks.map((chunk) => chunk.model)).size, 1);
      });
    }

    test('a finish reason is passed on', async () => {
      assert.equal((await ask('length')).choices[0].finish_reason, 'length');
      assert.deepEqual((await readStream(await ask('length', { stream: true }))).reasons, ['length']);
    });

    test('usage comes last in a stream that asked for it', async () => {
      const options = { stream: true, stream_options: { include_usage: true } };
      const { chunks } = await readStream(await ask('counted', options));
      const last = chunks.pop();
      assert.deepEqual(last.choices, []);
      assert.equal(last.usage.prompt_tokens, 70);
      assert.equal(last.usage.prompt_tokens_details.cached_tokens, 64);
      assert.equal(last.usage.completion_tokens, 9);
      assert.ok(chunks.every((chunk) => chunk.usage == null));
    });

    for (const options of [{}, { stream_options: { include_usage: false } }]) {
      test(`usage stays out of a stream that did not ask: ${JSON.stringify(options)}`, async () => {
        const { chunks } = await readStream(await ask('counted', { stream: true, ...options }));
        assert.ok(chunks.every((chunk) => chunk.usage == null && chunk.choices.length > 0));
      });
    }

    test('streamed tools are those of the whole answer', async () => {
      const whole = await ask('tools', { tools });
      const calls = whole.choices[0].message.tool_calls;
      assert.equal(whole.choices[0].finish_reason, 'tool_calls');
      assert.deepEqual(calls.map((call) => call.function.name), ['get_weather', 'get_weather']);
      calls.forEach((call) => JSON.parse(call.function.arguments));

      const [names, pieces] = [[], []];
      const stream = await ask('tools', { tools, stream: true });
      const reasons = [];
      for await (const chunk of stream) {
        for (const choice of chunk.choices) {
          for (const call of choice.delta.tool_calls ?? []) {
            names[call.index] ??= call.function.name;
            pieces[call.index] = (pieces[call.index] ?? '') + (call.function.arguments ?? '');
          }
          if (choice.finish_reason) reasons.push(choice.finish_reason);
        }
      }
      assert.deepEqual(names, calls.map((call) => call.function.name));
      assert.deepEqual(pieces, calls.map((call) => call.function.arguments));
      assert.deepEqual(reasons, ['tool_calls']);
    });

    test('the SDK’s own accumulator sees one coherent answer', async () => {
      const mark = newMark();
      const stream = client.chat.completions.stream({
        model: 'text',
        messages: HELLO,
        user: `canary:${mark}`,
      });
      const final = await stream.finalChatCompletion();
      assert.equal(final.choices[0].message.content, expectedText(mark, 16));
      assert.equal(final.choices[0].finish_reason, 'stop');
    });

    test('a document is parsed by its schema', async () => {
      const answer = await client.chat.completions.parse({
        model: 'document',
        messages: HELLO,
        response_format: zodResponseFormat(City, 'city'),
      });
      assert.deepEqual(answer.choices[0].message.parsed, { city: 'Bern' });
      const stream = client.chat.completions.stream({
        model: 'document_stream',
        messages: HELLO,
        response_format: zodResponseFormat(City, 'city'),
      });
      const final = await stream.finalChatCompletion();
      assert.deepEqual(final.choices[0].message.parsed, { city: 'Bern' });
    });

    test('many streams at once never mix', async () => {
      await Promise.all(
        Array.from({ length: 24 }, async () => {
          const mark = newMark();
          const options = { stream: true, user: `canary:${mark}` };
          const { text } = await readStream(await ask('event_by_event', options));
          assert.equal(text, expectedText(mark, 8));
        }),
      );
    });

    test('models are the routes that the key may use', async () => {
      const ids = [];
      for await (const model of client.models.list()) ids.push(model.id);
      for (const id of ['text', 'tools', 'cut']) assert.ok(ids.includes(id), id);
      assert.equal((await client.models.retrieve('text')).id, 'text');
    });
  });
}
