// What a conversation asks of the sampler. An empty field is not sent: the model's own recommendation stands.
import { button, el, fill } from "./dom.js";

const fields = [
  { name: "temperature", label: "Temperature", min: 0, max: 5, step: 0.05, hint: "0 takes the likeliest token" },
  { name: "top_p", label: "Top p", min: 0, max: 1, step: 0.01, hint: "the likeliest that sum to this" },
  { name: "top_k", label: "Top k", min: 0, step: 1, hint: "as many of the likeliest" },
  { name: "min_p", label: "Min p", min: 0, max: 1, step: 0.01, hint: "share of the likeliest's probability" },
  { name: "max_tokens", label: "Most tokens", min: 0, step: 1, hint: "of one answer" },
  { name: "seed", label: "Seed", min: 0, step: 1, hint: "empty: a new one each time" },
  { name: "presence_penalty", label: "Presence penalty", min: -2, max: 2, step: 0.1, hint: "of what was said at all" },
  { name: "frequency_penalty", label: "Frequency penalty", min: -2, max: 2, step: 0.1, hint: "by how often" },
  { name: "repetition_penalty", label: "Repetition penalty", min: 0.5, max: 3, step: 0.05, hint: "1 is none" },
];

/** The fields of a request. `parameters` holds what was typed: texts, so that nothing is rounded or lost. */
export function requestFields(parameters, isText) {
  const body = {};
  for (const { name } of fields) {
    const text = parameters[name]?.trim();
    if (text && Number.isFinite(Number(text))) body[name] = Number(text);
  }
  const stops = (parameters.stop ?? "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replaceAll("\\n", "\n").replaceAll("\\t", "\t"));
  if (stops.length > 0) body.stop = stops;
  // The API's own limit for texts is 16 tokens, which looks like a failure.
  if (isText) body.max_tokens ??= 200;
  return body;
}

/** The panel. `change` is called after each change of the conversation. */
export class ParameterPanel {
  constructor(change) {
    this.change = change;
    this.element = el("aside", {
      class: "side parameters",
      id: "parameters",
      "aria-label": "Parameters of this conversation",
      tabindex: "-1",
    });
  }

  show(conversation) {
    this.conversation = conversation;
    const parameters = conversation.parameters;
    const isText = conversation.mode === "text";
    const set = (name) => (event) => {
      if (event.target.value === "") delete parameters[name];
      else parameters[name] = event.target.value;
      this.change();
    };
    const system = el("textarea", {
      rows: 4,
      value: conversation.system,
      placeholder: "None",
      oninput: (event) => {
        conversation.system = event.target.value;
        this.change();
      },
    });
    this.system = isText ? null : system;
    const mode = (value, label) =>
      el(
        "label",
        {},
        el("input", {
          type: "radio",
          name: "mode",
          value,
          checked: conversation.mode === value,
          onchange: () => {
            conversation.mode = value;
            this.change();
            this.show(conversation);
            this.element.querySelector("[name=mode]:checked").focus();
          },
        }),
        el("span", {}, label),
      );
    fill(
      this.element,
      el(
        "div",
        { class: "side-head" },
        el("h2", {}, "Parameters"),
        button(
          "Reset",
          () => {
            conversation.parameters = {};
            this.change();
            this.show(conversation);
          },
          { class: "plain" },
        ),
        button("×", () => this.close?.(), { class: "icon narrow-only", "aria-label": "Close the parameters" }),
      ),
      el(
        "fieldset",
        { class: "field" },
        el("legend", { class: "dim" }, "What the model gets"),
        el("div", { class: "switch" }, mode("chat", "Conversation"), mode("text", "Text to continue")),
      ),
      isText ? null : el("label", { class: "field wide" }, el("span", {}, "System prompt"), system),
      el(
        "div",
        { class: "grid" },
        fields.map(({ name, label, hint, ...limits }) =>
          el(
            "label",
            { class: "field", title: hint },
            el("span", {}, label),
            el("input", {
              type: "number",
              name,
              inputmode: "decimal",
              placeholder: this.placeholder(name, isText),
              value: parameters[name] ?? "",
              ...limits,
              step: "any",
              "data-step": limits.step,
              oninput: set(name),
              onkeydown: stepped(limits),
            }),
          ),
        ),
      ),
      el(
        "label",
        { class: "field wide" },
        el("span", {}, "Stop texts, one a line (\\n is a new line)"),
        el("textarea", { rows: 2, value: parameters.stop ?? "", oninput: set("stop") }),
      ),
      el(
        "label",
        { class: "check" },
        el("input", {
          type: "checkbox",
          name: "details",
          checked: parameters.details !== false,
          onchange: (event) => {
            if (event.target.checked) delete parameters.details;
            else parameters.details = false;
            this.change();
          },
        }),
        " Ask for token probabilities",
      ),
      el(
        "p",
        { class: "dim" },
        "An empty field leaves the choice to the model's own recommendation. Each answer keeps its seed: with the same seed it comes out the same, bit by bit.",
      ),
    );
  }

  placeholder(name, isText) {
    if (name === "seed") return "new";
    if (name === "max_tokens") return isText ? "200" : "all";
    return "model’s";
  }
}

/** Arrow keys move by the field's own step, while any number may be typed. */
function stepped({ min = -Infinity, max = Infinity, step }) {
  return (event) => {
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!direction) return;
    event.preventDefault();
    const now =
      event.target.value === ""
        ? ({ top_p: 1, temperature: 1, repetition_penalty: 1 }[event.target.name] ?? 0)
        : Number(event.target.value);
    const next = Math.min(max, Math.max(min, now + direction * step * (event.shiftKey ? 10 : 1)));
    event.target.value = String(Number(next.toFixed(4)));
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  };
}
