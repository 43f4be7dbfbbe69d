// One suite of conversations through every SDK, every provider, and every fallback between two.

import { describe, test } from 'node:test';

import { deliveriesOf, judge, PLAN, PROVIDERS } from './neutral.mjs';
import { Talk as AnthropicTalk } from './speak_anthropic.mjs';
import { Talk as OpenAiTalk } from './speak_openai.mjs';
import * as vercel from './speak_vercel.mjs';
import { journalEntry, newMark } from './support.mjs';

const CLIENTS = {
  'openai-node': OpenAiTalk,
  'vercel-openai': vercel.OpenAiTalk,
  'vercel-compatible': vercel.CompatibleTalk,
};
if (PROVIDERS.includes('anthropic')) {
  CLIENTS['anthropic-node'] = AnthropicTalk;
  CLIENTS['vercel-anthropic'] = vercel.AnthropicTalk;
}

for (const [client, Talk] of Object.entries(CLIENTS)) {
  describe(`conversations by ${client}`, () => {
    for (const held of PLAN.held) {
      for (const delivery of deliveriesOf(held, client, Talk.deliveries)) {
        test(`${held.name}|${client}|${held.chain}|${delivery}`, async () => {
          const talk = new Talk(held);
          for (const step of held.steps) {
            judge(step, await talk.ask(step, delivery), delivery, talk.record.headers);
          }
        });
      }
    }

    for (const provider of PROVIDERS) {
      test(`leaving an answer closes the provider’s|${client}|${provider}`, async () => {
        const mark = newMark();
        await new Talk({}).leave(`leave@${provider}`, mark);
        await journalEntry(mark, (entry) => entry.end === 'client_closed');
      });
    }
  });
}
