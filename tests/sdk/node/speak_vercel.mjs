// Conversations in the words of Vercel's AI SDK, by three of its providers.

import assert from 'node:assert/strict';

import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, jsonSchema, Output, streamText, tool } from 'ai';

import { Broken, callsOf, fileOf, LIMIT, recorder, refused, schemaOf, toolsOf } from './neutral.mjs';
import { environment } from './support.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

const FINISHES = { stop: 'stop', length: 'length', 'tool-calls': 'tools', 'content-filter': 'filtered' };

// One of each for all conversations: they take longer to make than an answer to come.
const record = recorder();
const options = { apiKey: environment('KEY'), baseURL: environment('PLAIN_URL'), fetch: record.fetch };
const openai = createOpenAI(options).chat;
const anthropic = createAnthropic(options);
const more = { name: 'segue', includeUsage: true, supportsStructuredOutputs: true };
const compatible = createOpenAICompatible({ ...options, ...more }).chatModel;

class Talk {
  static deliveries = ['whole', 'stream'];

  // `reasons`: whether it shows reasoning.
  constructor(talk, connected, reasons) {
    this.record = record;
    this.connected = connected;
    this.options = optionsOf(talk);
    this.messages = [];
    this.calls = [];
    this.reasons = reasons;
  }

  async ask(step, delivery) {
    this.messages.push(...said(step.say, this.calls));
    const request = { model: this.connected(step.model), messages: this.messages, ...this.options };
    try {
      const answer = await this[delivery](request);
      this.messages.push(...answer.responseMessages);
      this.calls = answer.toolCalls;
      return { ...told(answer), reasoning: this.reasons ? (answer.reasoningText ?? '') : undefined };
    } catch (error) {
      if (error instanceof Broken) return error.told;
      if (!APICallError.isInstance(error) || !error.statusCode) throw error;
      return refused(error.statusCode, error.message, error.responseHeaders, error.data?.error?.code);
    }
  }

  whole(request) {
    return generateText(request);
  }

  async stream(request) {
    const gathered = { text: '', reasoningText: '', finishReason: null };
    const stream = streamText({ ...request, onError() {} });
    for await (const part of stream.fullStream) {
      if (part.type === 'text-delta') gathered.text += part.text;
      if (part.type === 'reasoning-delta') gathered.reasoningText += part.text;
      if (part.type === 'error') throw broken(part.error, gathered.text);
    }
    for (const key of ['toolCalls', 'finishReason', 'usage', 'responseMessages']) gathered[key] = await stream[key];
    assert.equal(gathered.text, await stream.text);
    return gathered;
  }

  // Begins to read an answer without end, and leaves.
  async leave(name, mark) {
    const leaving = new AbortController();
    const model = this.connected(name);
    const { fullStream } = streamText({ model, prompt: mark, maxRetries: 0, abortSignal: leaving.signal, onError() {} });
    let [seen, left] = [0, false];
    for await (const { type } of fullStream) {
      if (type === 'text-delta' && ++seen === 5) leaving.abort();
      left ||= type === 'abort';
    }
    assert.ok(left);
  }
}

export class OpenAiTalk extends Talk {
  constructor(talk) {
    super(talk, openai, false);
  }
}

export class CompatibleTalk extends Talk {
  constructor(talk) {
    super(talk, compatible, true);
  }
}

export class AnthropicTalk extends Talk {
  constructor(talk) {
    super(talk, anthropic, true);
    this.options.providerOptions = { anthropic: { structuredOutputMode: 'outputFormat' } };
  }
}

// An error part before any answer is the status; after it, what broke the stream.
function broken(error, text) {
  if (APICallError.isInstance(error) && error.statusCode && !(error.statusCode === 200)) return error;
  return new Broken({ message: String(error?.message ?? error), text, finish: null });
}

function optionsOf(talk) {
  const options = { maxOutputTokens: LIMIT, maxRetries: 0 };
  if (talk.system) options.instructions = talk.system;
  if (talk.stop) options.stopSequences = talk.stop;
  if (talk.tools) {
    const tools = toolsOf(talk).map(({ name, description, schema }) => [
      name,
      tool({ description, inputSchema: jsonSchema(schema) }),
    ]);
    options.tools = Object.fromEntries(tools);
  }
  const { choice } = talk;
  if (choice) options.toolChoice = talk.tools.includes(choice) ? { type: 'tool', toolName: choice } : choice;
  if (talk.schema) options.output = Output.object({ name: talk.schema, schema: jsonSchema(schemaOf(talk)) });
  return options;
}

function said(parts, calls) {
  const results = parts.filter((part) => 'result' in Object(part));
  const messages = [];
  if (results.length) messages.push({ role: 'tool', content: results.map((part) => result(part, calls)) });
  const content = parts.filter((part) => !results.includes(part)).map(shown);
  if (content.length) messages.push({ role: 'user', content });
  return messages;
}

function result({ result: place, text: value, error }, calls) {
  const { toolCallId, toolName } = calls[place];
  return { type: 'tool-result', toolCallId, toolName, output: { type: error ? 'error-text' : 'text', value } };
}

function shown(part) {
  if (typeof part === 'string') return { type: 'text', text: part };
  if (part.image_at) return { type: 'image', image: new URL(part.image_at) };
  const { type: mediaType, data } = fileOf(part);
  return { type: 'file', mediaType, data, filename: mediaType === 'application/pdf' ? 'file.pdf' : undefined };
}

function told({ text, toolCalls, finishReason, usage }) {
  const calls = toolCalls.map(({ toolCallId, toolName, input }) => ({ id: toolCallId, name: toolName, input }));
  return {
    text,
    calls: callsOf(calls),
    finish: FINISHES[finishReason],
    usage: {
      input: usage.inputTokens,
      cached: usage.inputTokenDetails.cacheReadTokens ?? 0,
      output: usage.outputTokens,
    },
  };
}
