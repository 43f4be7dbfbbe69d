// Failures raise what an application expects, and a broken stream never ends as a success.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import OpenAI from 'openai';

import { connect, DOORS, environment, expectedText, HELLO, newMark, readStream, take } from './support.mjs';

async function raises(kind, call) {
  const error = await call().then(
    () => assert.fail(`nothing was raised; ${kind.name} was expected`),
    (error) => error,
  );
  assert.ok(error instanceof kind, `${error?.constructor?.name} instead of ${kind.name}: ${error?.stack}`);
  return error;
}

for (const door of DOORS) {
  describe(`failures by ${door}`, () => {
    const client = connect(door);
    const ask = (model, options = {}) =>
      client.chat.completions.create({ model, messages: HELLO, ...options });

    for (const options of [{}, { stream: true }]) {
      const how = options.stream ? 'streamed' : 'whole';

      test(`a request that the provider refuses comes back unchanged, ${how}`, async () => {
        const error = await raises(OpenAI.BadRequestError, () => ask('bad_request', options));
        assert.equal(error.code, 'unsupported_parameter');
        assert.match(error.message, /no-such-knob/);
        await raises(OpenAI.UnprocessableEntityError, () => ask('unprocessable', options));
      });

      test(`a rate limit says when to come back, ${how}`, async () => {
        const error = await raises(OpenAI.RateLimitError, () => ask('rate_limited', options));
        const after = Number(error.headers.get('retry-after'));
        assert.ok(after >= 1 && after <= 7, String(after));
      });

      for (const model of ['failing_500', 'failing_502', 'failing_503', 'foreign_credential']) {
        test(`a failing provider is a server error: ${model}, ${how}`, async () => {
          await raises(OpenAI.InternalServerError, () => ask(model, options));
        });
      }
    }

    test('a body that is no request is refused', async () => {
      await raises(OpenAI.BadRequestError, () => client.post('/chat/completions', { body: { messages: HELLO } }));
    });

    test('an unknown key is refused without a hint', async () => {
      const stranger = connect(door, { apiKey: 'sk-of-nobody' });
      const call = { model: 'text', messages: HELLO };
      const error = await raises(OpenAI.AuthenticationError, () => stranger.chat.completions.create(call));
      assert.doesNotMatch(error.message, /nobody/);
      await raises(OpenAI.AuthenticationError, () => stranger.models.retrieve('text'));
    });

    test('unknown and forbidden models look the same', async () => {
      const narrow = connect(door, { apiKey: environment('NARROW_KEY') });
      const messages = [];
      for (const model of ['tools', 'nosuch']) {
        const call = { model, messages: HELLO };
        const error = await raises(OpenAI.NotFoundError, () => narrow.chat.completions.create(call));
        assert.equal(error.code, 'model_not_found');
        messages.push(error.message.replaceAll(model, 'MODEL'));
        await raises(OpenAI.NotFoundError, () => narrow.models.retrieve(model));
      }
      assert.equal(messages[0], messages[1]);
    });

    test('a body over the limit is refused', async () => {
      const content = 'x'.repeat(Number(environment('BODY_LIMIT')));
      const messages = [{ role: 'user', content }];
      const error = await raises(OpenAI.APIError, () => ask('text', { messages }));
      assert.equal(error.status, 413);
    });

    for (const model of [
      'cut_before_head',
      'cut_in_head',
      'cut_before_text',
      'error_before_text',
      'no_answer',
      'empty',
      'wrong_type',
    ]) {
      test(`a failure before the first token is a proper status: ${model}`, async () => {
        await raises(OpenAI.InternalServerError, () => ask(model, { stream: true }));
      });
    }

    for (const model of ['cut_before_head', 'cut_document', 'empty', 'no_answer']) {
      test(`half a document is a server error: ${model}`, async () => {
        await raises(OpenAI.InternalServerError, () => ask(model));
      });
    }

    for (const model of ['cut', 'reset', 'stall', 'error_event', 'malformed', 'no_finish']) {
      test(`a break after the first bytes raises: ${model}`, async () => {
        const mark = newMark();
        const read = { text: '', reasons: [], chunks: [] };
        const error = await raises(OpenAI.APIError, async () => {
          const stream = await ask(model, { stream: true, user: `canary:${mark}` });
          for await (const chunk of stream) take(read, chunk);
        });
        assert.ok(read.text, 'the first bytes went out before the break');
        assert.ok(expectedText(mark, 16).startsWith(read.text), read.text);
        assert.deepEqual(read.reasons, [], 'no success marker before or after the break');
        assert.ok(error.message);
      });
    }

    test('the accumulator does not finish a broken answer', async () => {
      const stream = client.chat.completions.stream({ model: 'cut', messages: HELLO });
      await raises(OpenAI.OpenAIError, () => stream.finalChatCompletion());
    });

    test('a client is served again after a break', async () => {
      await raises(OpenAI.APIError, async () => readStream(await ask('error_event', { stream: true })));
      assert.equal((await ask('text')).choices[0].finish_reason, 'stop');
    });
  });
}
