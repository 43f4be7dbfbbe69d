// Conversations in the words of OpenAI's SDK.

import assert from 'node:assert/strict';

import OpenAI from 'openai';

import { Broken, callsOf, fileOf, LIMIT, recorder, refused, schemaOf, toolsOf } from './neutral.mjs';
import { DEADLINE, environment } from './support.mjs';

const FINISHES = { stop: 'stop', length: 'length', tool_calls: 'tools', content_filter: 'filtered' };
const WITH_USAGE = { stream_options: { include_usage: true } };

export class Talk {
  static deliveries = ['whole', 'stream', 'helper'];

  constructor(talk) {
    this.record = recorder();
    const { fetch } = this.record;
    const options = { apiKey: environment('KEY'), baseURL: environment('PLAIN_URL') };
    this.client = new OpenAI({ ...options, maxRetries: 0, timeout: DEADLINE, fetch });
    this.options = optionsOf(talk);
    this.messages = talk.system ? [{ role: 'system', content: talk.system }] : [];
    this.calls = [];
  }

  async ask(step, delivery) {
    this.messages.push(...said(step.say, this.calls));
    const request = { model: step.model, messages: this.messages, ...this.options };
    try {
      const { message, finish_reason: reason, usage } = await this[delivery](request);
      this.messages.push(message);
      this.calls = message.tool_calls ?? [];
      return told(message, reason, usage);
    } catch (error) {
      if (error instanceof Broken) return error.told;
      if (!(error instanceof OpenAI.APIError) || !error.status) throw error;
      return refused(error.status, error.message, error.headers, error.code ?? null);
    }
  }

  async whole(request) {
    const { choices, usage } = await this.client.chat.completions.create(request);
    assert.equal(choices.length, 1);
    return { ...choices[0], usage };
  }

  async stream(request) {
    const gathered = { message: { role: 'assistant', content: '' }, finish_reason: null };
    const stream = await this.client.chat.completions.create({ ...request, stream: true, ...WITH_USAGE });
    try {
      for await (const chunk of stream) {
        gathered.usage = chunk.usage ?? gathered.usage;
        for (const { delta, finish_reason: reason } of chunk.choices) {
          gather(gathered.message, delta);
          gathered.finish_reason = reason ?? gathered.finish_reason;
        }
      }
    } catch (error) {
      throw broken(error, gathered.message.content, gathered.finish_reason);
    }
    return gathered;
  }

  async helper(request) {
    let text = '';
    const stream = this.client.chat.completions.stream({ ...request, ...WITH_USAGE });
    stream.on('content', (delta) => (text += delta));
    try {
      const { choices, usage } = await stream.finalChatCompletion();
      assert.equal(text, choices[0].message.content ?? '');
      // This helper keeps the last piece alone of what it does not know.
      return { ...choices[0], message: { ...choices[0].message, reasoning_content: undefined }, usage };
    } catch (error) {
      throw error.status ? error : broken(error, text, null);
    }
  }

  // Begins to read an answer without end, and leaves.
  async leave(model, mark) {
    const messages = [{ role: 'user', content: mark }];
    const stream = await this.client.chat.completions.create({ model, messages, stream: true });
    let seen = 0;
    for await (const chunk of stream) {
      assert.ok(chunk.choices);
      if (++seen === 5) stream.controller.abort();
    }
  }
}

function broken(error, text, finish) {
  if (!(error instanceof OpenAI.APIError) || error instanceof OpenAI.APIConnectionError) return error;
  return new Broken({ message: error.message, text, finish });
}

function optionsOf(talk) {
  const { choice, stop, schema: name } = talk;
  const options = { max_completion_tokens: LIMIT };
  if (stop) options.stop = stop;
  if (talk.tools) {
    options.tools = toolsOf(talk).map((tool) => ({
      type: 'function',
      function: { name: tool.name, description: tool.description, parameters: tool.schema, strict: true },
    }));
  }
  if (choice) {
    options.tool_choice = talk.tools.includes(choice) ? { type: 'function', function: { name: choice } } : choice;
  }
  if (name) {
    options.response_format = { type: 'json_schema', json_schema: { name, schema: schemaOf(talk), strict: true } };
  }
  return options;
}

// Results as messages of their own, the rest as the user's; a text alone without parts.
function said(parts, calls) {
  const results = parts.filter((part) => 'result' in Object(part));
  const messages = results.map(({ result, text }) => ({ role: 'tool', tool_call_id: calls[result].id, content: text }));
  const rest = parts.filter((part) => !results.includes(part)).map(shown);
  if (rest.length === 0) return messages;
  const content = rest.length === 1 && rest[0].type === 'text' ? rest[0].text : rest;
  return [...messages, { role: 'user', content }];
}

function shown(part) {
  if (typeof part === 'string') return { type: 'text', text: part };
  if (part.image_at) return { type: 'image_url', image_url: { url: part.image_at } };
  const { type, data } = fileOf(part);
  const url = `data:${type};base64,${data}`;
  if (type.startsWith('image/')) return { type: 'image_url', image_url: { url } };
  return { type: 'file', file: { filename: 'file.pdf', file_data: url } };
}

// Adds a piece of a stream to the message that it makes, as an application does.
function gather(message, delta) {
  message.content += delta.content ?? '';
  if (delta.reasoning_content) message.reasoning_content = (message.reasoning_content ?? '') + delta.reasoning_content;
  for (const { index, id, function: called, extra_content: extra } of delta.tool_calls ?? []) {
    message.tool_calls ??= [];
    message.tool_calls[index] ??= {
      id,
      type: 'function',
      function: { name: called.name, arguments: '' },
      ...(extra && { extra_content: extra }),
    };
    message.tool_calls[index].function.arguments += called.arguments ?? '';
  }
}

function told(message, reason, usage) {
  const calls = message.tool_calls ?? [];
  return {
    text: message.content ?? '',
    reasoning: 'reasoning_content' in message ? message.reasoning_content : '',
    calls: callsOf(calls.map(({ id, function: { name, arguments: input } }) => ({ id, name, input: JSON.parse(input) }))),
    finish: FINISHES[reason],
    usage: usage && {
      input: usage.prompt_tokens,
      cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
      output: usage.completion_tokens,
    },
  };
}
