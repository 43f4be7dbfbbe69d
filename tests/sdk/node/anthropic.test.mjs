// What only Anthropic's SDK knows: its helpers, its errors, and what survives between its own format and itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { z } from 'zod';

import { PROVIDERS } from './neutral.mjs';
import { connect } from './speak_anthropic.mjs';
import { environment, journalEntry, newMark } from './support.mjs';

const HELLO = { max_tokens: 64, messages: [{ role: 'user', content: 'Say hello.' }] };
const City = z.object({ city: z.string(), people: z.number().int() });
const client = connect();

const marked = (content) => ({ ...HELLO, messages: [{ role: 'user', content }] });

async function raises(kind, word, call) {
  const error = await call().then(
    () => assert.fail(`nothing was raised; ${kind.name} was expected`),
    (error) => error,
  );
  assert.ok(error instanceof kind, `${error?.constructor?.name} instead of ${kind.name}: ${error?.stack}`);
  assert.equal(error.error?.type, 'error');
  if (word) assert.equal(error.error.error.type, word);
  return error;
}

function tests() {
  for (const provider of PROVIDERS) {
    test(`a stream keeps the grammar|${provider}`, async () => {
      const events = [];
      for await (const event of client.messages.stream({ model: `text.0@${provider}`, ...HELLO })) events.push(event);
      const kinds = events.map(({ type }) => type);
      assert.deepEqual(kinds.slice(0, 2), ['message_start', 'content_block_start']);
      assert.deepEqual(kinds.slice(-3), ['content_block_stop', 'message_delta', 'message_stop']);
      assert.deepEqual(new Set(kinds.slice(2, -3)), new Set(['content_block_delta']));
      assert.match(events[0].message.id, /^msg_/);
    });

    test(`a document is parsed by its schema|${provider}`, async () => {
      const format = zodOutputFormat(City);
      const message = await client.messages.parse({
        model: `schema.0@${provider}`,
        output_config: { format },
        ...HELLO,
      });
      assert.deepEqual(message.parsed_output, { city: 'Zürich', people: 448664 });
    });

    for (const name of ['error_event', 'cut', 'malformed', 'no_finish']) {
      test(`a break is an error event: ${name}|${provider}`, async () => {
        let text = '';
        const stream = client.messages.stream({ model: `${name}.0@${provider}`, ...HELLO });
        stream.on('text', (delta) => (text += delta));
        const error = await raises(Anthropic.APIError, null, () => stream.finalMessage());
        assert.equal(error.status, undefined);
        assert.ok(text);
        assert.ok(error.message);
      });
    }

    test(`cached tokens are told apart|${provider}`, async () => {
      const { usage } = await client.messages.create({ model: `usage_cached.0@${provider}`, ...HELLO });
      assert.deepEqual([usage.input_tokens, usage.cache_read_input_tokens], [6, 64]);
    });
  }

  test('models are the routes', async () => {
    const models = new Map();
    for await (const model of client.models.list()) models.set(model.id, model);
    assert.equal(models.get('text.0@anthropic').type, 'model');
    assert.equal((await client.models.retrieve('text')).id, 'text');
    await raises(Anthropic.NotFoundError, 'not_found_error', () => client.models.retrieve('nosuch'));
  });

  test('tokens are counted', async () => {
    const { messages } = HELLO;
    const counted = await client.messages.countTokens({ model: 'text.0@anthropic', messages });
    assert.ok(counted.input_tokens > 0);
  });

  for (const place of ['apiKey', 'authToken']) {
    test(`a key stands in either place: ${place}`, async () => {
      const own = connect({ apiKey: null, authToken: null, [place]: environment('KEY') });
      assert.ok((await own.messages.create({ model: 'text.0@anthropic', ...HELLO })).content);
      const stranger = connect({ apiKey: null, authToken: null, [place]: 'sk-of-nobody' });
      const error = await raises(Anthropic.AuthenticationError, 'authentication_error', () =>
        stranger.messages.create({ model: 'text.0@anthropic', ...HELLO }),
      );
      assert.doesNotMatch(error.message, /nobody/);
    });
  }

  for (const [model, kind, word] of [
    ['nosuch', Anthropic.NotFoundError, 'not_found_error'],
    ['rate_limited.0@anthropic', Anthropic.RateLimitError, 'rate_limit_error'],
    ['bad_request.0@anthropic', Anthropic.BadRequestError, 'invalid_request_error'],
    ['our_credential.0@anthropic', Anthropic.InternalServerError, 'api_error'],
  ]) {
    test(`refusals are errors of this format: ${model}`, async () => {
      const error = await raises(kind, word, () => client.messages.create({ model, ...HELLO }));
      assert.ok(error.requestID);
    });
  }

  test('what is new reaches the provider as it is', async () => {
    const mark = newMark();
    const more = { context_management: { edits: [{ type: 'clear_future_20270101', deep: [1, 2.5] }] } };
    const request = { model: 'text.0@anthropic', ...more, ...marked(mark) };
    await client.beta.messages.create({ ...request, betas: ['future-2027-01-01'] });
    const entry = await journalEntry(mark, ({ end }) => end === 'served');
    assert.deepEqual(JSON.parse(entry.body).context_management, more.context_management);
    const headers = new Headers(entry.headers);
    assert.equal(headers.get('anthropic-beta'), 'future-2027-01-01');
    assert.match(headers.get('anthropic-version'), /^20\d\d-\d\d-\d\d$/);
  });
}

if (PROVIDERS.includes('anthropic')) tests();
