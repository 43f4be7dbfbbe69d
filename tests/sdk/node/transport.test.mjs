// Connections: TLS is verified, HTTP/2 is spoken, and a client that leaves is noticed.

import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import { test } from 'node:test';

import OpenAI from 'openai';

import { connect, dispatcher, DOORS, environment, HELLO, journalEntry, newMark } from './support.mjs';

for (const [allowH2, protocol] of [[false, 'http/1.1'], [true, 'h2']]) {
  test(`the protocol is the one offered: ${protocol}`, async () => {
    const protocols = [];
    const note = ({ socket }) => protocols.push(socket.alpnProtocol);
    diagnostics.subscribe('undici:client:connected', note);
    const agent = dispatcher(environment('CA'), allowH2);
    try {
      const client = connect('tls', { agent });
      const answer = await client.chat.completions.create({ model: 'text', messages: HELLO });
      assert.equal(answer.choices[0].finish_reason, 'stop');
    } finally {
      diagnostics.unsubscribe('undici:client:connected', note);
      await agent.close();
    }
    assert.deepEqual(protocols, [protocol]);
  });

  test(`a certificate of another authority is not accepted: ${protocol}`, async () => {
    const agent = dispatcher(environment('OTHER_CA'), allowH2);
    const client = connect('tls', { agent });
    await assert.rejects(client.models.retrieve('text'), (error) => {
      assert.ok(error instanceof OpenAI.APIConnectionError, String(error));
      assert.match(String(error.cause?.cause?.code ?? error.cause?.code), /CERT|SIGNATURE|ISSUER/);
      return true;
    });
    await agent.close();
  });
}

for (const door of DOORS) {
  test(`answers carry the headers that tell how they came about, by ${door}`, async () => {
    const { data, response } = await connect(door)
      .chat.completions.create({ model: 'text', messages: HELLO })
      .withResponse();
    assert.equal(data.choices[0].finish_reason, 'stop');
    assert.match(response.headers.get('content-type'), /^application\/json/);
    assert.ok(response.headers.get('x-request-id'));
    assert.equal(response.headers.get('x-segue-route'), 'text');
    assert.equal(response.headers.get('x-segue-target'), 'sim/text');
    assert.equal(response.headers.get('x-segue-attempts'), '1');
  });

  for (const how of ['break', 'abort']) {
    test(`leaving a stream closes the provider’s: ${how}, by ${door}`, async () => {
      const mark = newMark();
      const stream = await connect(door).chat.completions.create({
        model: 'endless',
        messages: HELLO,
        stream: true,
        user: `canary:${mark}`,
      });
      let seen = 0;
      for await (const chunk of stream) {
        assert.ok(chunk.choices);
        seen += 1;
        if (seen === 5) {
          if (how === 'break') break;
          stream.controller.abort();
        }
      }
      assert.ok(seen >= 5);
      await journalEntry(mark, (entry) => entry.end === 'client_closed');
    });
  }
}
