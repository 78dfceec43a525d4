// One answer on its way: the request, the stream, the figures about it. It goes on while another conversation is shown.
import { chunks } from "./api.js";
import { messagesFor, textFor } from "./conversation.js";
import { requestFields } from "./parameters.js";

/** Answers under way by the id of their node, in all conversations: `${conversation.id}/${node.id}`. */
export const running = new Map();

export const runningIn = (conversation) => [...running.values()].find((each) => each.conversation === conversation);

export class Generation {
  #abort = new AbortController();
  #change;

  /**
   * - node: the answer's node, empty, at the end of `path`.
   * - change: called with this whenever there is more, and at the end.
   */
  constructor(conversation, path, node, change) {
    Object.assign(this, { conversation, path, node });
    this.#change = change;
    this.key = `${conversation.id}/${node.id}`;
  }

  stop() {
    this.#abort.abort();
  }

  async run() {
    const { conversation, node } = this;
    const isText = conversation.mode === "text";
    const fields = requestFields(conversation.parameters, isText);
    // The seed is drawn here where none is given, so that every answer can be had again.
    fields.seed ??= crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;
    Object.assign(node, { model: conversation.model, seed: fields.seed, running: true });
    const details = conversation.parameters.details !== false;
    const body = { model: conversation.model, stream: true, stream_options: { include_usage: true }, ...fields };
    if (isText) Object.assign(body, { prompt: textFor(this.path.slice(0, -1)) }, details ? { logprobs: 5 } : {});
    else
      Object.assign(
        body,
        { messages: messagesFor(conversation, this.path.slice(0, -1)) },
        details ? { logprobs: true, top_logprobs: 5 } : {},
      );
    running.set(this.key, this);
    const start = performance.now();
    let first = null;
    let last = start;
    try {
      for await (const chunk of chunks(isText ? "v1/completions" : "v1/chat/completions", body, this.#abort.signal)) {
        const choice = chunk.choices?.[0];
        const piece = choice?.delta?.content ?? choice?.text ?? "";
        const tokens = tokensOf(choice?.logprobs);
        if (piece !== "" || tokens.length > 0) {
          last = performance.now();
          first ??= last;
        }
        node.content += piece;
        if (tokens.length > 0) (node.tokens ??= []).push(...tokens);
        if (choice?.finish_reason) node.finish = choice.finish_reason;
        if (chunk.usage) node.usage = usageOf(chunk.usage);
        this.#change(this);
      }
    } catch (error) {
      if (error.name === "AbortError") node.finish = "stopped";
      else node.error = { message: error.message, status: error.status ?? 0, code: error.code ?? null };
    }
    if (first !== null) node.timing = { first: (first - start) / 1000, total: (last - start) / 1000 };
    delete node.running;
    running.delete(this.key);
    conversation.updated = Date.now();
    this.#change(this);
  }
}

/** Tokens with their log-probabilities in both endpoints' shapes as `[text, logprob, [[text, logprob], …], bytes]`; bytes only where the text alone is broken. */
function tokensOf(logprobs) {
  if (Array.isArray(logprobs?.content)) {
    return logprobs.content.map(({ token, logprob, bytes, top_logprobs: top }) =>
      withBytes([token, round(logprob), (top ?? []).map((each) => [each.token, round(each.logprob)])], bytes),
    );
  }
  if (Array.isArray(logprobs?.tokens)) {
    return logprobs.tokens.map((token, index) => [
      token,
      round(logprobs.token_logprobs?.[index]),
      Object.entries(logprobs.top_logprobs?.[index] ?? {})
        .map(([text, logprob]) => [text, round(logprob)])
        .sort((a, b) => b[1] - a[1]),
    ]);
  }
  return [];
}

const round = (logprob) => (typeof logprob === "number" ? Number(logprob.toFixed(4)) : null);
const withBytes = (token, bytes) => (token[0].includes("\uFFFD") && Array.isArray(bytes) ? [...token, bytes] : token);

function usageOf(usage) {
  return {
    prompt: usage.prompt_tokens,
    answer: usage.completion_tokens,
    cached: usage.prompt_tokens_details?.cached_tokens ?? null,
  };
}
