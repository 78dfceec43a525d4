// One message of the path that is shown.
import { button, copy, el, fill } from "./dom.js";
import { counted, duration, rate } from "./format.js";
import { show } from "./markdown.js";
import { TokenView } from "./tokens.js";

const finishes = {
  length: "cut at the limit of tokens",
  stopped: "stopped by you",
  content_filter: "filtered",
  timeout: "out of time",
  cancelled: "cancelled",
};

export class MessageView {
  #editor = null;
  #tokenView = null;

  /**
   * - actions: `edit(node, text)`, `again(node)`, `remove(node)`, `choose(node)`, `branch(node, index, text)`, `asText(node)`,
   *   `isBusy()`.
   */
  constructor(node, actions) {
    this.node = node;
    this.actions = actions;
    this.head = el("header", { class: "message-head" });
    this.body = el("div", { class: "message-body" });
    this.foot = el("footer", { class: "message-foot" });
    this.element = el(
      "article",
      { class: `message ${node.role}`, tabindex: "-1", dataset: { node: node.id } },
      this.head,
      this.body,
      this.foot,
    );
  }

  get isEditing() {
    return this.#editor !== null;
  }

  /** - siblings: this node's, itself among them. */
  update({ siblings, isText, showsTokens }) {
    Object.assign(this, { siblings, isText, showsTokens });
    const { node } = this;
    this.element.setAttribute(
      "aria-label",
      `${this.#role()}${siblings.length > 1 ? `, ${siblings.indexOf(node) + 1} of ${siblings.length}` : ""}`,
    );
    this.element.setAttribute("aria-busy", node.running ? "true" : "false");
    this.element.classList.toggle("running", Boolean(node.running));
    this.element.classList.toggle("text", isText);
    this.drawHead();
    this.drawBody();
  }

  #role() {
    if (this.isText) return this.node.role === "user" ? "Your text" : "Continuation";
    return this.node.role === "user" ? "You" : (this.node.model ?? "Answer");
  }

  drawHead() {
    const { node, siblings, actions } = this;
    // Focus stays on the button that was pressed, though the row is made anew.
    const focused = this.head.contains(document.activeElement) ? document.activeElement.dataset.action : null;
    const place = siblings.indexOf(node);
    const step = (by) => () => actions.choose(siblings[place + by]);
    const act = (name, label, action, more = {}) =>
      button(label, action, { class: "plain", dataset: { action: name }, ...more });
    fill(
      this.head,
      el("h2", { class: "role" }, this.#role()),
      siblings.length > 1
        ? el(
            "span",
            { class: "siblings", role: "group", "aria-label": "Versions" },
            act("before", "‹", step(-1), {
              disabled: place === 0,
              "aria-label": "Version before",
              title: "Version before (←)",
            }),
            el("span", {}, `${place + 1} / ${siblings.length}`),
            act("after", "›", step(1), {
              disabled: place === siblings.length - 1,
              "aria-label": "Next version",
              title: "Next version (→)",
            }),
          )
        : null,
      el("span", { class: "spring" }),
      el(
        "span",
        { class: "actions" },
        act("copy", "Copy", () => copy(node.content), { title: "Copy (y)" }),
        node.running ? null : act("edit", "Edit", () => this.edit(), { title: "Edit into a new version (e)" }),
        node.running || node.role === "user"
          ? null
          : act("again", "Again", () => actions.again(node), { title: "Another answer, kept beside this one (r)" }),
        node.running
          ? null
          : act("remove", "Delete", () => actions.remove(node), { title: "Delete this and what follows (Delete)" }),
      ),
    );
    if (focused) (this.head.querySelector(`[data-action=${focused}]:not([disabled])`) ?? this.element).focus();
  }

  /** Draws what has changed while an answer grows. */
  drawBody() {
    if (this.#editor) return;
    const { node } = this;
    if (this.showsTokens && node.tokens && node.role === "assistant") {
      if (!this.#tokenView) {
        const branch = this.isText ? (index, text) => this.actions.branch(node, index, text) : null;
        this.#tokenView = new TokenView(branch);
        fill(this.body, this.#tokenView.element);
        this.body.blocks = null;
      }
      this.#tokenView.update(node.tokens);
    } else {
      if (this.#tokenView) fill(this.body);
      this.#tokenView = null;
      if (this.isText || node.role === "user") {
        this.body.blocks = null;
        fill(this.body, node.content === "" ? null : el("p", { class: "written" }, node.content));
      } else {
        this.body.blocks ??= fill(this.body) ?? [];
        show(node.content, this.body);
      }
    }
    this.drawFoot();
  }

  drawFoot() {
    const { node } = this;
    const parts = [];
    if (node.running) {
      parts.push(
        el("span", { class: "pulse" }, node.content === "" && !node.tokens ? "reading the prompt" : "writing"),
      );
    }
    if (node.usage) {
      parts.push(counted(node.usage.answer ?? 0, "token"));
      const { timing, usage } = node;
      if (timing && usage.answer > 1 && timing.total > timing.first)
        parts.push(`${rate((usage.answer - 1) / (timing.total - timing.first))} a second`);
      if (timing) parts.push(`first after ${duration(timing.first)}`);
      parts.push(
        `prompt of ${counted(usage.prompt, "token")}${usage.cached ? `, ${usage.cached} from the cache` : ""}`,
      );
    }
    if (finishes[node.finish]) parts.push(el("span", { class: "wrong" }, finishes[node.finish]));
    if (node.seed !== undefined && !node.running && !node.error) {
      parts.push(
        button(`seed ${node.seed}`, () => copy(String(node.seed), "Seed copied"), {
          class: "plain quiet",
          title: "Copy the seed",
        }),
      );
    }
    fill(
      this.foot,
      node.error
        ? el(
            "div",
            { class: "failure", role: "alert" },
            el("p", {}, node.error.message),
            el(
              "div",
              { class: "row" },
              button("Try again", () => this.actions.again(node), { class: "small" }),
              node.error.code === "no_chat_template"
                ? button("Continue it as plain text", () => this.actions.asText(node), { class: "small primary" })
                : null,
            ),
          )
        : null,
      parts.length > 0
        ? el(
            "p",
            { class: "figures" },
            parts.flatMap((part, index) => (index === 0 ? [part] : [el("span", { class: "dot" }, "·"), part])),
          )
        : null,
    );
  }

  edit() {
    if (this.#editor || this.node.running) return;
    const { node, actions } = this;
    const area = el("textarea", {
      class: "editor",
      value: node.content,
      "aria-label": `Edit: ${this.#role()}`,
      rows: 3,
    });
    const isMine = node.role === "user";
    const close = () => {
      this.#editor = null;
      this.#tokenView = null;
      this.body.blocks = null;
      fill(this.body);
      this.drawBody();
      this.element.focus();
    };
    const done = () => {
      const text = area.value;
      close();
      if (text !== node.content) actions.edit(node, text);
    };
    this.#editor = el(
      "form",
      {
        class: "edit",
        onsubmit: (event) => {
          event.preventDefault();
          done();
        },
        onkeydown: (event) => {
          if (event.key === "Escape") {
            event.stopPropagation();
            close();
          } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            done();
          }
        },
      },
      area,
      el(
        "div",
        { class: "row end" },
        el(
          "span",
          { class: "dim" },
          isMine
            ? "A new version is made; the old one stays."
            : "The answer is kept as you write it, beside the old one.",
        ),
        button("Cancel", close, { class: "small" }),
        el("button", { class: "small primary", title: "Ctrl + Enter" }, isMine && !this.isText ? "Send" : "Save"),
      ),
    );
    fill(this.body, this.#editor);
    fill(this.foot);
    area.style.height = `${Math.min(area.scrollHeight + 4, innerHeight * 0.6)}px`;
    area.focus();
  }
}
