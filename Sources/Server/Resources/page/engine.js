// The engine at work, live: what runs and waits, pages, prefixes, speed, latencies.
import { events, get, request } from "./api.js";
import { histogram, LineChart, PageMap, prefixTree } from "./charts.js";
import { el, fill } from "./dom.js";
import { bytes, count, counted, duration, percent, rate } from "./format.js";

/** Seconds of history that the lines show. */
const span = 300;
const requestRows = 40;

export class EngineView {
  #stop = null;
  #models = new Map();
  #chosen = null;

  constructor(root) {
    this.root = root;
    this.state = el("p", { class: "dim state", role: "status" }, "Connecting…");
    this.select = el("div", { class: "model-tabs", role: "group", "aria-label": "Models" });
    this.body = el("div", { class: "engine-body" });
    fill(
      root,
      el(
        "div",
        { class: "page-head" },
        el("h1", {}, "Engine"),
        this.select,
        el("span", { class: "spring" }),
        this.state,
      ),
      this.body,
    );
  }

  /** Watches while the view is shown. */
  enter() {
    if (this.#stop) return;
    const abort = new AbortController();
    this.#stop = () => abort.abort();
    this.#watch(abort.signal);
  }

  leave() {
    this.#stop?.();
    this.#stop = null;
  }

  async #watch(signal) {
    let wait = 1;
    while (!signal.aborted) {
      try {
        const response = await request("apus/engine/events", { signal });
        for await (const { data } of events(response)) {
          wait = 1;
          this.#take(JSON.parse(data));
        }
        if (!signal.aborted) this.#say("The stream ended; connecting again…", true);
      } catch (error) {
        if (signal.aborted) return;
        this.#say(`${error.message} Trying again…`, true);
        if (error.status === 404) return this.#say("This server shows no engine.", true);
      }
      await new Promise((resolve) => setTimeout(resolve, wait * 1000));
      wait = Math.min(wait * 2, 15);
    }
  }

  #say(text, wrong = false) {
    // A line that changes each second is not for a screen reader.
    this.state.setAttribute("aria-live", wrong ? "polite" : "off");
    this.state.classList.toggle("wrong", wrong);
    if (this.state.textContent !== text) this.state.textContent = text;
  }

  #take(snapshot) {
    const age = Date.now() / 1000 - snapshot.time;
    // Clocks of two machines differ; only what a long step can cause is told.
    const late = age > 2 && age < 120 ? ` · as of ${duration(age)} ago: a long step is under way` : "";
    this.#say(
      `${snapshot.draining ? "draining · " : ""}up ${duration(snapshot.time - snapshot.started)}${snapshot.resident_bytes ? ` · ${bytes(snapshot.resident_bytes)} resident` : ""}${late}`,
    );
    for (const model of snapshot.models) this.#remember(model, snapshot.time);
    const names = snapshot.models.map((model) => model.id);
    if (!names.includes(this.#chosen))
      this.#chosen =
        (
          snapshot.models.find((model) => model.running > 0) ??
          snapshot.models.find((model) => model.state === "loaded")
        )?.id ?? names[0];
    this.#drawTabs(snapshot.models);
    const model = snapshot.models.find((each) => each.id === this.#chosen);
    if (model) this.#draw(model, snapshot.time);
    this.latest = snapshot;
  }

  /** Keeps what the lines need: counters over time. */
  #remember(model, time) {
    let memory = this.#models.get(model.id);
    if (!memory) this.#models.set(model.id, (memory = []));
    const add = ([at, prefilled, generated, running, waiting, used]) => {
      const last = memory.at(-1);
      if (last && at <= last.at) return;
      // The engine was made anew: its counters begin at zero again.
      if (last && (prefilled < last.prefilled || generated < last.generated)) memory.length = 0;
      memory.push({ at, prefilled, generated, running, waiting, used });
    };
    for (const entry of model.history ?? []) add(entry);
    if (model.counters)
      add([
        time,
        model.counters.prefilled_tokens,
        model.counters.generated_tokens,
        model.running,
        model.waiting,
        model.pages?.used ?? 0,
      ]);
    const first = memory.findIndex((entry) => entry.at >= time - span - 2);
    if (first > 0) memory.splice(0, first);
  }

  #drawTabs(models) {
    const signature = models.map((model) => `${model.id} ${model.state} ${this.#chosen}`).join("\n");
    if (signature === this.tabs) return;
    this.tabs = signature;
    fill(
      this.select,
      models.length < 2
        ? el("strong", {}, models[0]?.id ?? "")
        : models.map((model) =>
            el(
              "button",
              {
                type: "button",
                class: "small",
                "aria-pressed": String(model.id === this.#chosen),
                onclick: () => {
                  this.#chosen = model.id;
                  this.#take(this.latest);
                  this.select.querySelector("[aria-pressed=true]")?.focus();
                },
              },
              model.id,
              model.state === "loaded" ? null : el("span", { class: "dim" }, ` ${model.state}`),
            ),
          ),
    );
  }

  #draw(model, time) {
    if (model.state !== "loaded" || !model.counters) {
      this.parts = null;
      return fill(
        this.body,
        el(
          "p",
          { class: "dim empty" },
          model.state === "loading"
            ? `${model.id} is being loaded.`
            : `${model.id} is not loaded; the next request to it loads it.`,
        ),
      );
    }
    if (this.parts?.id !== model.id) this.#lay(model.id);
    const { parts } = this;
    const memory = this.#models.get(model.id);
    const rates = (name) =>
      memory.slice(1).map((entry, place) => {
        const before = memory[place];
        return [entry.at, Math.max(0, (entry[name] - before[name]) / Math.max(0.05, entry.at - before.at))];
      });
    parts.decode.update(rates("generated"), time);
    parts.prefill.update(rates("prefilled"), time);
    parts.running.update(
      memory.map((entry) => [entry.at, entry.running + entry.waiting]),
      time,
    );
    fill(
      parts.facts,
      this.#facts(model).map(([label, value, title]) => el("div", { title }, el("dt", {}, label), el("dd", {}, value))),
    );
    this.#drawRequests(model);
    parts.pages.update(model.pages);
    parts.pageTitle.textContent = `${counted(model.pages.total, "page")} of ${model.pages.size} tokens, ${bytes(model.pages.total * model.pages.bytes)}`;
    fill(
      parts.tree,
      model.prefix_tree
        ? prefixTree(model.prefix_tree, model.pages.size)
        : el("p", { class: "dim empty" }, "This server does not tell."),
    );
    this.#drawLatency(model.latency);
    parts.model.textContent = [
      model.architecture,
      model.parameters && `${short(model.parameters)} parameters`,
      model.weight_bytes && `${bytes(model.weight_bytes)} of weights`,
      model.context && `context ${count(model.context)}`,
      model.kernels && `kernels ${model.kernels}`,
      model.threads && counted(model.threads, "thread"),
      model.token_budget && `${count(model.token_budget)} rows a step`,
    ]
      .filter(Boolean)
      .join(" · ");
  }

  /** The panels of a model; they stay while figures change. */
  #lay(id) {
    const parts = (this.parts = {
      id,
      decode: new LineChart("tokens a second, answers", span),
      prefill: new LineChart("tokens a second, prompts", span),
      running: new LineChart("requests", span),
      pages: new PageMap(),
      facts: el("dl", { class: "facts" }),
      model: el("p", { class: "dim" }),
      pageTitle: el("span", { class: "dim" }),
      requests: el("div", {}),
      requestTitle: el("span", { class: "dim" }),
      tree: el("div", {}),
      latency: el("div", { class: "quarters" }),
      latencyTitle: el("span", { class: "dim" }),
    });
    const panel = (title, note, ...children) =>
      el("section", { class: "panel" }, el("header", {}, el("h2", {}, title), note), ...children);
    fill(
      this.body,
      parts.model,
      el("div", { class: "thirds" }, parts.decode.element, parts.prefill.element, parts.running.element),
      parts.facts,
      panel("Requests", parts.requestTitle, parts.requests),
      el(
        "div",
        { class: "halves" },
        panel("Pages", parts.pageTitle, parts.pages.element),
        panel("Prefixes", null, parts.tree),
      ),
      panel("Latency", parts.latencyTitle, parts.latency),
    );
  }

  #facts({ counters }) {
    const share = counters.queried_tokens > 0 ? percent(counters.hit_tokens / counters.queried_tokens) : "–";
    const facts = [
      ["submitted", count(counters.submitted)],
      ["finished", count(counters.finished)],
      ["cancelled", count(counters.cancelled)],
      ["failed", count(counters.failed)],
      ["steps", count(counters.steps)],
      [
        "rows a step",
        counters.steps > 0 ? rate(counters.rows / counters.steps) : "–",
        "tokens that one pass through the network computes, on average",
      ],
      [
        "found in the cache",
        share,
        `${count(counters.hit_tokens)} of ${count(counters.queried_tokens)} tokens of prompts`,
      ],
      ["preemptions", count(counters.preemptions), "times a running request gave up its pages"],
    ];
    if (counters.forks) facts.push(["forks", count(counters.forks)]);
    if (counters.evictions)
      facts.push(["evictions", count(counters.evictions), "pages that left the prefix index for others"]);
    return facts;
  }

  #drawRequests(model) {
    const { parts } = this;
    parts.requestTitle.textContent = `${count(model.running)} running, ${count(model.waiting)} waiting`;
    const shown = (model.requests ?? []).slice(0, requestRows);
    const rest = model.running + model.waiting - shown.length;
    if (shown.length === 0) return fill(parts.requests, el("p", { class: "dim empty" }, "Nothing to do."));
    const head = ["request", "state", "prompt", "from cache", "answer", "pages", "age"];
    fill(
      parts.requests,
      el(
        "div",
        { class: "scroll", tabindex: "0", role: "group", "aria-label": "Requests" },
        el(
          "table",
          { class: "requests" },
          el(
            "thead",
            {},
            el(
              "tr",
              {},
              head.map((each, place) => el("th", { scope: "col", class: place > 1 ? "number" : null }, each)),
            ),
          ),
          el(
            "tbody",
            {},
            shown.map((each) =>
              el(
                "tr",
                { class: each.state },
                el(
                  "td",
                  {},
                  el("code", { title: each.id }, each.id.length > 22 ? `${each.id.slice(0, 21)}…` : each.id),
                  each.sample ? ` #${each.sample}` : null,
                  each.priority ? el("span", { class: "dim" }, ` ${each.priority}`) : null,
                ),
                el("td", {}, progress(each), el("span", {}, stage(each))),
                el("td", { class: "number" }, count(each.prompt_tokens)),
                el("td", { class: "number" }, count(each.cached_tokens)),
                el(
                  "td",
                  { class: "number" },
                  each.limit ? `${count(each.generated)} / ${count(each.limit)}` : count(each.generated),
                ),
                el("td", { class: "number" }, each.pages ?? "–"),
                el("td", { class: "number" }, duration(each.age)),
              ),
            ),
          ),
        ),
      ),
      rest > 0 ? el("p", { class: "dim" }, `and ${counted(rest, "more", "more")}`) : null,
    );
  }

  #drawLatency(latency) {
    const { parts } = this;
    if (!latency) return fill(parts.latency, el("p", { class: "dim empty" }, "This server does not tell."));
    parts.latencyTitle.textContent = `last ${duration(latency.window)}`;
    const names = {
      time_to_first_token: "until the first token",
      inter_token: "between tokens",
      queue: "in the queue",
      end_to_end: "whole request",
    };
    fill(
      parts.latency,
      Object.entries(names)
        .filter(([name]) => latency[name])
        .map(([name, label]) => histogram(label, latency[name])),
    );
  }
}

/** What a request is doing, in a word. */
function stage({ state, computed, prompt_tokens: prompt, generated }) {
  if (state !== "running") return state;
  return generated > 0 || computed >= prompt ? "answering" : "reading";
}

/** How far it is: the prompt's share while it is read, the answer's of its limit afterwards. */
function progress(each) {
  const isReading = stage(each) !== "answering";
  const share = isReading
    ? Math.min(1, each.computed / Math.max(1, each.prompt_tokens))
    : each.limit
      ? Math.min(1, each.generated / each.limit)
      : 1;
  const bar = el("span", { class: isReading ? "progress reading" : "progress" });
  bar.style.setProperty("--share", share);
  return bar;
}

const short = (number) =>
  number >= 1e9 ? `${Number((number / 1e9).toPrecision(3))} G` : `${Number((number / 1e6).toPrecision(3))} M`;

export const version = async () => {
  try {
    return (await get("version", { quiet: true })).version ?? null;
  } catch {
    return null;
  }
};
