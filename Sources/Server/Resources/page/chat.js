// The chat view: a conversation's path, the composer, and what can be done with messages.
import { messageActions } from "./actions.js";
import { Composer, Transcript } from "./composer.js";
import { announce, button, download, el, fill, notice } from "./dom.js";
import { exported, makeConversation, titleOf, Tree } from "./conversation.js";
import { Generation, runningIn } from "./generate.js";
import { MessageView } from "./message.js";
import { known, models, prefer, preferred, watch } from "./models.js";
import { ParameterPanel } from "./parameters.js";
import { Sidebar } from "./sidebar.js";
import { conversations, keepSetting, load, save, setting, watchers } from "./store.js";
import { legend } from "./tokens.js";

export class ChatView {
  #views = new Map();
  #actions = messageActions(this);
  #saveTimer = null;
  #frame = null;

  constructor(root) {
    this.root = root;
    this.showsTokens = setting("tokens", false);
    this.sidebar = new Sidebar({
      open: (conversation) => {
        this.open(conversation);
        this.drawer(null);
        this.composer.focus();
      },
      create: () => {
        this.create();
        this.drawer(null);
        this.composer.focus();
      },
      close: () => this.drawer(null),
      current: () => this.conversation,
    });
    this.panel = new ParameterPanel(() => this.#parametersChanged());
    this.panel.close = () => this.drawer(null);
    this.#build();
    load();
    watchers.add((id) => this.#changedElsewhere(id));
    const last = conversations.get(setting("open", ""));
    if (last) this.open(last);
    else this.create();
    watch(() => this.#drawModels());
    addEventListener("pagehide", () => {
      if (runningIn(this.conversation)) save(this.conversation);
    });
  }

  #build() {
    this.title = el("input", {
      class: "title",
      "aria-label": "Title of the conversation",
      spellcheck: "false",
      onchange: () => {
        this.conversation.title = this.title.value.trim();
        this.changed();
      },
    });
    this.select = el("select", {
      "aria-label": "Model",
      onchange: () => {
        this.conversation.model = this.select.value;
        prefer(this.select.value);
        this.#adoptMode();
        this.changed();
        this.draw();
      },
    });
    this.tokensButton = button("Tokens", () => this.toggleTokens(), {
      class: "small",
      "aria-pressed": "false",
      title: "Colour tokens by probability (t)",
    });
    const side = (name, label, title, more = {}) =>
      button(label, () => this.drawer(name), {
        class: "small",
        "aria-expanded": "false",
        "aria-controls": name,
        title,
        ...more,
      });
    this.sideButtons = {
      conversations: side("conversations", "☰", "Conversations (l)", { "aria-label": "Conversations" }),
      parameters: side("parameters", "Parameters", "Parameters (p)"),
    };
    this.legend = legend();
    this.messages = el("div", { class: "messages" });
    this.transcript = new Transcript(this.messages);
    this.composer = new Composer({
      submit: (text) => this.submit(text),
      stop: () => this.stopAnswer(),
      editLast: () => this.#editLast(),
    });
    fill(
      this.root,
      this.sidebar.element,
      el(
        "div",
        { class: "talk" },
        el(
          "div",
          { class: "talk-head" },
          this.sideButtons.conversations,
          this.title,
          this.select,
          this.tokensButton,
          button("Export", () => download(fileName(this.conversation), exported([this.conversation])), {
            class: "small wide-only",
            title: "Export this conversation as JSON",
          }),
          this.sideButtons.parameters,
        ),
        this.transcript.element,
        this.transcript.latest,
        this.composer.element,
      ),
      this.panel.element,
      el("div", { class: "shade", onclick: () => this.drawer(null) }),
    );
    const open = setting("drawer", null);
    if (open && matchMedia("(min-width: 1100px)").matches) this.drawer(open);
  }

  // MARK: Which conversation

  create() {
    const previous = this.conversation;
    this.open(
      makeConversation({
        model: preferred(),
        system: previous?.system ?? "",
        parameters: { ...(previous?.parameters ?? setting("parameters", {})) },
      }),
    );
    this.#adoptMode();
    this.draw();
  }

  open(conversation) {
    if (this.conversation && this.conversation.nodes.length === 0) conversations.delete(this.conversation.id);
    this.conversation = conversation;
    this.tree = new Tree(conversation);
    conversations.set(conversation.id, conversation);
    keepSetting("open", conversation.id);
    this.#views.clear();
    fill(this.messages);
    this.panel.show(conversation);
    this.#drawModels();
    this.draw();
    this.transcript.toEnd();
  }

  #changedElsewhere(id) {
    if (id === this.conversation.id && !runningIn(this.conversation) && conversations.has(id)) {
      this.conversation = conversations.get(id);
      this.tree = new Tree(this.conversation);
      this.#views.clear();
      fill(this.messages);
      this.draw();
    }
    this.sidebar.draw();
  }

  /** A model without a template is spoken to in plain text, where nothing was said yet. */
  #adoptMode() {
    const isChat = known(this.conversation.model)?.chat;
    if (this.conversation.nodes.length > 0 || typeof isChat !== "boolean") return;
    this.conversation.mode = isChat ? "chat" : "text";
    this.panel.show(this.conversation);
  }

  #drawModels() {
    if (!this.conversation) return;
    if (!this.conversation.model && preferred()) {
      this.conversation.model = preferred();
      this.#adoptMode();
      this.draw();
    }
    const names = models.list.map((each) => each.id);
    const { model } = this.conversation;
    if (model && !names.includes(model)) names.unshift(model);
    fill(
      this.select,
      names.length === 0 ? el("option", { value: "" }, models.error ? "no server" : "…") : null,
      names.map((name) =>
        el(
          "option",
          { value: name, selected: name === model },
          models.list.length > 0 && !known(name) ? `${name} (not served here)` : name,
        ),
      ),
    );
    this.select.value = model ?? "";
  }

  // MARK: Drawing

  draw() {
    const { conversation, tree } = this;
    const isText = conversation.mode === "text";
    const busy = runningIn(conversation);
    this.title.value = conversation.title;
    this.title.placeholder = titleOf({ ...conversation, title: "" });
    document.title = conversation.nodes.length > 0 ? `${titleOf(conversation)} – Apus` : "Apus";
    const views = tree.path().map((node) => {
      let view = this.#views.get(node.id);
      if (!view || view.node !== node) this.#views.set(node.id, (view = new MessageView(node, this.#actions)));
      view.update({ siblings: tree.siblings(node), isText, showsTokens: this.showsTokens });
      return view.element;
    });
    // Elements that stay are not moved, so that focus and selections outlive a redraw.
    const wanted = new Set(views);
    for (const child of [...this.messages.children]) if (!wanted.has(child)) child.remove();
    views.forEach((view, place) => {
      if (this.messages.children[place] !== view)
        this.messages.insertBefore(view, this.messages.children[place] ?? null);
    });
    if (views.length === 0) fill(this.messages, this.#welcome(isText));
    this.messages.classList.toggle("text", isText);
    this.tokensButton.setAttribute("aria-pressed", String(this.showsTokens));
    if (this.showsTokens && views.length > 0) this.messages.prepend(this.legend);
    else this.legend.remove();
    this.composer.draw(isText, Boolean(busy));
    this.sidebar.draw();
  }

  #welcome(isText) {
    const name = this.conversation.model;
    return el(
      "div",
      { class: "welcome" },
      el(
        "p",
        { class: "lead" },
        name
          ? [
              isText ? "Write the beginning of a text; " : "Say something; ",
              el("strong", {}, name),
              isText ? " goes on." : " answers.",
            ]
          : models.error
            ? models.error.message
            : "Looking for models…",
      ),
      el(
        "p",
        { class: "dim" },
        isText
          ? "This model has no chat template, or you chose plain text: what you write is continued as it stands."
          : "Any message can be edited; every version is kept. Answers are reproducible: each carries its seed.",
      ),
      el("p", { class: "dim wide-only" }, el("kbd", {}, "?"), " lists the shortcuts."),
    );
  }

  /** Saves soon and lists the conversation anew. */
  changed() {
    this.conversation.updated = Date.now();
    clearTimeout(this.#saveTimer);
    const { conversation } = this;
    this.#saveTimer = setTimeout(() => save(conversation), 200);
    this.sidebar.draw();
  }

  #parametersChanged() {
    keepSetting("parameters", this.conversation.parameters);
    this.changed();
    this.draw();
  }

  // MARK: What can be done

  refusesWhileBusy() {
    if (!runningIn(this.conversation)) return false;
    notice("An answer is being written; stop it first.");
    return true;
  }

  /** Takes what was written. Returns whether it was taken. */
  submit(text) {
    if (this.refusesWhileBusy()) return false;
    let last = this.tree.path().at(-1) ?? null;
    // An empty line makes a text go on.
    const goesOn = this.conversation.mode === "text" && (last || text !== "");
    if (text.trim() === "" && !goesOn) return false;
    if (!this.conversation.model) {
      notice(models.error?.message ?? "There is no model to ask.", { error: true });
      return false;
    }
    if (text !== "") last = this.tree.add(last?.id ?? null, { role: "user", content: text });
    this.answer(last);
    return true;
  }

  /** Asks for an answer below a node. */
  async answer(parent) {
    const { conversation, tree } = this;
    const node = tree.add(parent?.id ?? null, { role: "assistant" });
    const generation = new Generation(conversation, tree.pathTo(node), node, () => this.#grew(conversation, node));
    const done = generation.run();
    this.changed();
    this.draw();
    this.transcript.toEnd();
    announce("Asked.");
    await done;
    save(conversation);
    if (this.conversation === conversation) {
      this.draw();
      this.transcript.follow();
    } else {
      this.sidebar.draw();
    }
    if (!node.error) announce(`Answer: ${node.content.slice(0, 600)}`);
  }

  /** Draws an answer that has grown, once a frame. */
  #grew(conversation, node) {
    if (this.conversation !== conversation || this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = null;
      this.#views.get(node.id)?.drawBody();
      this.transcript.follow();
    });
  }

  stopAnswer() {
    const generation = runningIn(this.conversation);
    generation?.stop();
    if (generation) this.composer.focus();
    return Boolean(generation);
  }

  toggleTokens() {
    this.showsTokens = !this.showsTokens;
    keepSetting("tokens", this.showsTokens);
    this.draw();
    if (
      this.showsTokens &&
      this.tree.path().some((node) => node.role === "assistant") &&
      !this.tree.path().some((node) => node.tokens)
    ) {
      notice("These answers carry no probabilities. “Ask for token probabilities” is among the parameters.");
    }
  }

  /** Opens one of the side panels, closes it where it is open, closes both with null. */
  drawer(name) {
    const open = name !== null && this.root.dataset.drawer !== name ? name : null;
    const before = this.root.dataset.drawer;
    if (open) this.root.dataset.drawer = open;
    else delete this.root.dataset.drawer;
    keepSetting("drawer", open);
    for (const [each, control] of Object.entries(this.sideButtons))
      control.setAttribute("aria-expanded", String(each === open));
    if (open) document.getElementById(open)?.focus({ preventScroll: true });
    else if (before && document.getElementById(before)?.contains(document.activeElement))
      this.sideButtons[before].focus();
  }

  // MARK: Focus

  focusNode(node) {
    this.#views.get(node.id)?.element.focus();
  }

  /** The message that has the focus, or holds what has. */
  get focused() {
    const element = document.activeElement?.closest(".message");
    return element ? this.#views.get(element.dataset.node) : undefined;
  }

  /** Moves the focus among messages. */
  step(by) {
    const views = this.tree.path().map((node) => this.#views.get(node.id));
    const place = views.indexOf(this.focused);
    const next = place < 0 ? (by > 0 ? 0 : views.length - 1) : Math.min(views.length - 1, Math.max(0, place + by));
    views[next]?.element.focus({ preventScroll: true });
    views[next]?.element.scrollIntoView({ block: "nearest" });
  }

  #editLast() {
    const mine = this.tree.path().findLast((node) => node.role === "user");
    if (!mine || runningIn(this.conversation)) return false;
    this.#views.get(mine.id).edit();
    return true;
  }
}

const fileName = (conversation) =>
  `${titleOf(conversation)
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .slice(0, 40)}.json`;
