// A conversation is a tree: editing or repeating a message makes a sibling and loses nothing. One path through it is shown.

/** What a conversation begins with. `mode`: "chat" through the model's template, "text" plain continuation. */
export function makeConversation(fields = {}) {
  const now = Date.now();
  return {
    id: crypto.randomUUID?.() ?? `${now}-${Math.random().toString(36).slice(2)}`,
    title: "",
    named: false,
    created: now,
    updated: now,
    mode: "chat",
    model: null,
    system: "",
    parameters: {},
    nodes: [],
    chosen: {},
    ...fields,
  };
}

/**
 * The tree of a conversation. A node: `{ id, parent, role, content, created, … }`, `parent` null at the beginning; roles are `user` and
 * `assistant`, in a text "what I wrote" and "what the model wrote". Further members of an answer: `model`, `seed`,
 * `finish`, `usage`, `timing`, `tokens`, `error`, `running`.
 */
export class Tree {
  #children = new Map();
  #byId = new Map();

  constructor(conversation) {
    this.conversation = conversation;
    for (const node of conversation.nodes) this.#index(node);
  }

  #index(node) {
    this.#byId.set(node.id, node);
    const siblings = this.#children.get(node.parent);
    if (siblings) siblings.push(node);
    else this.#children.set(node.parent, [node]);
  }

  node(id) {
    return this.#byId.get(id);
  }
  children(id) {
    return this.#children.get(id) ?? [];
  }
  siblings(node) {
    return this.children(node.parent);
  }
  chosen(id) {
    return this.#byId.get(this.conversation.chosen[id ?? "root"]) ?? this.children(id).at(-1);
  }

  /** The nodes shown, from the first on. */
  path() {
    const path = [];
    for (let node = this.chosen(null); node; node = this.chosen(node.id)) path.push(node);
    return path;
  }

  /** The nodes from the first to this one. */
  pathTo(node) {
    const path = [];
    for (let at = node; at; at = this.#byId.get(at.parent)) path.unshift(at);
    return path;
  }

  /** Adds a node below `parent` (an id, or null) and shows it. */
  add(parent, fields) {
    const number = (this.conversation.nodes.at(-1)?.number ?? 0) + 1;
    const node = { id: `n${number}`, number, parent, created: Date.now(), content: "", ...fields };
    this.conversation.nodes.push(node);
    this.#index(node);
    this.choose(node);
    return node;
  }

  /** Shows this node among its siblings. */
  choose(node) {
    this.conversation.chosen[node.parent ?? "root"] = node.id;
  }

  /** Takes a node out, with all that follows it. Returns a way to undo that. */
  remove(node) {
    const doomed = new Set();
    const visit = (at) => {
      doomed.add(at.id);
      this.children(at.id).forEach(visit);
    };
    visit(node);
    const before = { nodes: this.conversation.nodes, chosen: { ...this.conversation.chosen } };
    const siblings = this.siblings(node);
    const next = siblings[siblings.indexOf(node) + 1] ?? siblings[siblings.indexOf(node) - 1];
    this.conversation.nodes = before.nodes.filter((each) => !doomed.has(each.id));
    for (const id of doomed) delete this.conversation.chosen[id];
    if (next) this.choose(next);
    else delete this.conversation.chosen[node.parent ?? "root"];
    this.#reindex();
    return () => {
      this.conversation.nodes = before.nodes;
      this.conversation.chosen = before.chosen;
      this.#reindex();
    };
  }

  #reindex() {
    this.#byId.clear();
    this.#children.clear();
    for (const node of this.conversation.nodes) this.#index(node);
  }
}

/** The bodies of requests: what a node is to follow. */
export function messagesFor(conversation, path) {
  const messages = path.map(({ role, content }) => ({ role, content }));
  return conversation.system.trim() ? [{ role: "system", content: conversation.system }, ...messages] : messages;
}

export const textFor = (path) => path.map((node) => node.content).join("");

/** A title out of the first words. */
export function titleOf(conversation) {
  if (conversation.title) return conversation.title;
  const first =
    conversation.nodes
      .find((node) => node.role === "user")
      ?.content.trim()
      .replace(/\s+/g, " ") ?? "";
  return first.length > 60 ? first.slice(0, 59).trimEnd() + "…" : first || "New conversation";
}

/**
 * Checks what a file holds and returns its conversations as ours; each gets an id of its own.
 *
 * Throws an error that says what is wrong.
 */
export function readExport(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`The file is no JSON: ${error.message}`);
  }
  const list = Array.isArray(value?.conversations) ? value.conversations : [value];
  return list.map((given, place) => {
    const where = `Conversation ${place + 1} of the file`;
    if (typeof given !== "object" || given === null || !Array.isArray(given.nodes))
      throw new Error(`${where} has no list of nodes.`);
    const known = new Set();
    for (const node of given.nodes) {
      if (typeof node?.id !== "string" || known.has(node.id))
        throw new Error(`${where} has a node without an id of its own.`);
      if (node.parent !== null && !known.has(node.parent))
        throw new Error(`${where}: node ${node.id} stands before its parent.`);
      if (!["user", "assistant"].includes(node.role))
        throw new Error(`${where}: node ${node.id} has the role '${node.role}'.`);
      if (typeof node.content !== "string") throw new Error(`${where}: node ${node.id} has no text.`);
      known.add(node.id);
    }
    const text = (name, otherwise) => (typeof given[name] === "string" ? given[name] : otherwise);
    return makeConversation({
      title: text("title", ""),
      mode: given.mode === "text" ? "text" : "chat",
      model: text("model", null),
      system: text("system", ""),
      parameters: Object.fromEntries(
        Object.entries(given.parameters ?? {}).filter(([, each]) => ["string", "boolean"].includes(typeof each)),
      ),
      nodes: given.nodes.map((node, index) => ({ ...node, number: index + 1, running: undefined })),
      chosen: Object.fromEntries(Object.entries(given.chosen ?? {}).filter(([, id]) => known.has(id))),
    });
  });
}

export const exported = (conversations) =>
  JSON.stringify({ format: "apus.conversations", version: 1, conversations }, null, 1);
