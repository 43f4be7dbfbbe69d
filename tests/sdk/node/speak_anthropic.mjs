// Conversations in the words of Anthropic's SDK.

import assert from 'node:assert/strict';

import Anthropic from '@anthropic-ai/sdk';

import { Broken, callsOf, fileOf, LIMIT, recorder, refused, schemaOf, toolsOf } from './neutral.mjs';
import { DEADLINE, environment } from './support.mjs';

const FINISHES = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  tool_use: 'tools',
  refusal: 'filtered',
};

// The address without `/v1`: this SDK adds it.
export function connect(options = {}) {
  const baseURL = environment('PLAIN_URL').replace(/\/v1$/, '');
  return new Anthropic({ apiKey: environment('KEY'), baseURL, maxRetries: 0, timeout: DEADLINE, ...options });
}

export class Talk {
  static deliveries = ['whole', 'stream', 'helper'];

  constructor(talk) {
    this.record = recorder();
    this.client = connect({ fetch: this.record.fetch });
    this.options = optionsOf(talk);
    this.messages = [];
    this.calls = [];
  }

  async ask(step, delivery) {
    this.messages.push({ role: 'user', content: step.say.map((part) => shown(part, this.calls)) });
    const request = { model: step.model, messages: this.messages, ...this.options };
    try {
      const message = await this[delivery](request);
      this.messages.push({ role: 'assistant', content: message.content });
      this.calls = message.content.filter(({ type }) => type === 'tool_use');
      return told(message);
    } catch (error) {
      if (error instanceof Broken) return error.told;
      if (!(error instanceof Anthropic.APIError) || !error.status) throw error;
      return refused(error.status, error.message, error.headers);
    }
  }

  whole(request) {
    return this.client.messages.create(request);
  }

  async stream(request) {
    const message = { content: [], usage: {}, stop_reason: null };
    const stream = await this.client.messages.create({ ...request, stream: true });
    try {
      for await (const event of stream) gather(message, event);
    } catch (error) {
      throw broken(error, textOf(message), message.stop_reason);
    }
    for (const block of message.content) {
      if (block.type === 'tool_use') block.input = JSON.parse(block.json || '{}');
      delete block.json;
    }
    return message;
  }

  async helper(request) {
    let text = '';
    const stream = this.client.messages.stream(request);
    stream.on('text', (delta) => (text += delta));
    try {
      const message = await stream.finalMessage();
      assert.equal(text, textOf(message));
      return message;
    } catch (error) {
      throw error.status ? error : broken(error, text, null);
    }
  }

  // Begins to read an answer without end, and leaves.
  async leave(model, mark) {
    const messages = [{ role: 'user', content: mark }];
    const stream = await this.client.messages.create({ model, messages, max_tokens: LIMIT, stream: true });
    let seen = 0;
    for await (const event of stream) {
      assert.ok(event.type);
      if (++seen === 5) stream.controller.abort();
    }
  }
}

function broken(error, text, finish) {
  if (!(error instanceof Anthropic.APIError) || error instanceof Anthropic.APIConnectionError) return error;
  return new Broken({ message: error.message, text, finish });
}

function optionsOf(talk) {
  const { choice, stop, system } = talk;
  const options = { max_tokens: LIMIT };
  if (system) options.system = system;
  if (stop) options.stop_sequences = stop;
  if (talk.tools) {
    options.tools = toolsOf(talk).map(({ name, description, schema }) => ({ name, description, input_schema: schema }));
  }
  if (choice) {
    const words = { required: { type: 'any' }, none: { type: 'none' } };
    options.tool_choice = words[choice] ?? { type: 'tool', name: choice };
  }
  if (talk.schema) options.output_config = { format: { type: 'json_schema', schema: schemaOf(talk) } };
  return options;
}

function shown(part, calls) {
  if (typeof part === 'string') return { type: 'text', text: part };
  if (part.image_at) return { type: 'image', source: { type: 'url', url: part.image_at } };
  if ('result' in part) {
    const { result, text, error } = part;
    return { type: 'tool_result', tool_use_id: calls[result].id, content: text, ...(error && { is_error: true }) };
  }
  const { type, data } = fileOf(part);
  const source = { type: 'base64', media_type: type, data };
  return { type: type.startsWith('image/') ? 'image' : 'document', source };
}

// Adds an event to the message that it makes.
function gather(message, event) {
  if (event.type === 'message_start') message.usage = { ...event.message.usage };
  if (event.type === 'content_block_start') {
    assert.equal(event.index, message.content.length, 'blocks begin in order');
    message.content.push({ ...event.content_block, ...(event.content_block.type === 'tool_use' && { json: '' }) });
  }
  if (event.type === 'content_block_delta') {
    assert.equal(event.index, message.content.length - 1, 'blocks do not overlap');
    const [block, { delta }] = [message.content.at(-1), event];
    if (delta.type === 'text_delta') block.text += delta.text;
    if (delta.type === 'input_json_delta') block.json += delta.partial_json;
    if (delta.type === 'thinking_delta') block.thinking += delta.thinking;
    if (delta.type === 'signature_delta') block.signature = (block.signature ?? '') + delta.signature;
  }
  if (event.type === 'message_delta') {
    message.stop_reason = event.delta.stop_reason;
    const more = Object.entries(event.usage).filter(([, count]) => count != null);
    Object.assign(message.usage, Object.fromEntries(more));
  }
}

function joined(message, type, key) {
  const blocks = message.content.filter((block) => block.type === type);
  return blocks.map((block) => block[key]).join('');
}

function textOf(message) {
  return joined(message, 'text', 'text');
}

function told(message) {
  const { usage } = message;
  const cached = usage.cache_read_input_tokens ?? 0;
  return {
    text: textOf(message),
    reasoning: joined(message, 'thinking', 'thinking'),
    calls: callsOf(message.content.filter(({ type }) => type === 'tool_use')),
    finish: FINISHES[message.stop_reason],
    usage: {
      input: usage.input_tokens + cached + (usage.cache_creation_input_tokens ?? 0),
      cached,
      output: usage.output_tokens,
    },
  };
}
