// Conversations in the browser's storage: one entry each, so that saving one does not write all.
import { notice } from "./dom.js";

const prefix = "apus.conversation.";

/** All conversations by id; read once, then kept up to date with other tabs. */
export const conversations = new Map();
/** Called when another tab has changed something: with the id. */
export const watchers = new Set();

let complained = false;

export function load() {
  try {
    for (let index = 0; index < localStorage.length; index += 1) {
      const key = localStorage.key(index);
      if (key.startsWith(prefix)) take(key, localStorage.getItem(key));
    }
  } catch {
    notice("The browser keeps nothing for this page: conversations are gone when it closes.", { error: true });
  }
  addEventListener("storage", (event) => {
    if (!event.key?.startsWith(prefix)) return;
    const id = event.key.slice(prefix.length);
    if (event.newValue === null) conversations.delete(id);
    else take(event.key, event.newValue);
    for (const watcher of watchers) watcher(id);
  });
}

function take(key, text) {
  try {
    const conversation = JSON.parse(text);
    // What was being written when the page closed is as far as it came.
    for (const node of conversation.nodes) delete node.running;
    conversations.set(conversation.id, conversation);
  } catch {
    notice(`A stored conversation cannot be read and is left as it is (${key}).`, { error: true });
  }
}

/** Writes one conversation. Where the storage is full, token details of the oldest ones go first, and it is said. */
export function save(conversation) {
  conversations.set(conversation.id, conversation);
  if (conversation.nodes.length === 0) return;
  for (;;) {
    try {
      localStorage.setItem(prefix + conversation.id, JSON.stringify(conversation));
      complained = false;
      return;
    } catch {
      if (!dropDetails(conversation)) break;
    }
  }
  if (complained) return;
  complained = true;
  notice("The browser's storage is full: this conversation is not saved. Export it, or delete others.", {
    error: true,
  });
}

/** Drops the token details of the conversation that was used longest ago. Returns whether there was one. */
function dropDetails(current) {
  const heavy = [...conversations.values()].filter(
    (each) => each !== current && each.nodes.some((node) => node.tokens),
  );
  const oldest = heavy.sort((a, b) => a.updated - b.updated)[0];
  if (!oldest) return false;
  for (const node of oldest.nodes) delete node.tokens;
  try {
    localStorage.setItem(prefix + oldest.id, JSON.stringify(oldest));
  } catch {
    return false;
  }
  notice("The storage was full: token details of an old conversation were dropped, its texts are all there.");
  return true;
}

export function remove(id) {
  conversations.delete(id);
  try {
    localStorage.removeItem(prefix + id);
  } catch {
    /* It was never there. */
  }
}

/** A small setting that outlives the page. */
export function setting(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`apus.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function keepSetting(name, value) {
  try {
    localStorage.setItem(`apus.${name}`, JSON.stringify(value));
  } catch {
    /* It lasts as long as the page. */
  }
}
