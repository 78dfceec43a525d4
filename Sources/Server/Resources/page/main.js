// Views, shortcuts, colours.
import { forgetKey, hasKey } from "./api.js";
import { BatchView } from "./batches.js";
import { ChatView } from "./chat.js";
import { announce, button, el, notice } from "./dom.js";
import { EngineView, version } from "./engine.js";
import { models, refresh, watch } from "./models.js";
import { keepSetting, setting } from "./store.js";

const section = (name) => document.getElementById(`view-${name}`);
const chat = new ChatView(section("chat"));
const views = { chat, engine: new EngineView(section("engine")), batches: new BatchView(section("batches")) };
let shown = null;

function route() {
  const name = location.hash.slice(1) in views ? location.hash.slice(1) : "chat";
  if (name === shown) return;
  views[shown]?.leave?.();
  shown = name;
  for (const each of Object.keys(views)) section(each).hidden = each !== name;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.body.dataset.view = name;
  views[name].enter?.();
  if (name === "chat") chat.composer.focus();
  else document.title = `${name === "engine" ? "Engine" : "Batches"} – Apus`;
}

function go(name) {
  location.hash = name;
  if (name !== "chat") document.getElementById("main").focus();
}

// A hidden page watches nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) views[shown]?.leave?.();
  else views[shown]?.enter?.();
});

// MARK: Colours

const themes = ["system", "light", "dark"];
const themeButton = document.getElementById("theme");
let theme = document.documentElement.dataset.theme ?? "system";

function drawTheme() {
  themeButton.textContent = { system: "◐", light: "○", dark: "●" }[theme];
  themeButton.setAttribute("aria-label", `Colours: ${theme === "system" ? "as the system has them" : theme}`);
}

function nextTheme() {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("apus.theme", theme);
  } catch {
    /* It lasts as long as the page. */
  }
  drawTheme();
  announce(themeButton.getAttribute("aria-label"));
}

themeButton.addEventListener("click", nextTheme);
drawTheme();

// MARK: Shortcuts

/** Single keys, while no field has the focus. `[keys, what, action, view]`. */
const shortcuts = [
  [["1"], "chat", () => go("chat")],
  [["2"], "engine", () => go("engine")],
  [["3"], "batches", () => go("batches")],
  [
    ["/", "i"],
    "write a message",
    () => {
      go("chat");
      chat.composer.input.focus();
    },
  ],
  [
    ["n"],
    "new conversation",
    () => {
      go("chat");
      chat.create();
      chat.composer.input.focus();
    },
  ],
  [["l"], "list of conversations", () => chat.drawer("conversations"), "chat"],
  [["p"], "parameters", () => chat.drawer("parameters"), "chat"],
  [["t"], "colour tokens by probability", () => chat.toggleTokens(), "chat"],
  [["j", "k"], "next message, message before", (key) => chat.step(key === "j" ? 1 : -1), "chat"],
  [
    ["ArrowLeft", "ArrowRight"],
    "version before, next version of the message",
    (key) =>
      onMessage((view) => {
        const next = view.siblings[view.siblings.indexOf(view.node) + (key === "ArrowLeft" ? -1 : 1)];
        if (!next) return;
        view.actions.choose(next);
        document.querySelector(`[data-node="${next.id}"]`)?.focus();
      }),
    "chat",
  ],
  [["e"], "edit the message", () => onMessage((view) => view.edit()), "chat"],
  [
    ["r"],
    "another answer",
    () => onMessage((view) => view.node.role === "assistant" && !view.node.running && view.actions.again(view.node)),
    "chat",
  ],
  [
    ["y"],
    "copy the message",
    () => onMessage((view) => view.element.querySelector("[data-action=copy]").click()),
    "chat",
  ],
  [
    ["Delete"],
    "delete the message and what follows",
    () => onMessage((view) => !view.node.running && view.actions.remove(view.node)),
    "chat",
  ],
  [["d"], "colours: system, light, dark", nextTheme],
  [["?"], "this list", () => help()],
];

const fixed = [
  [["Enter"], "send"],
  [["Shift + Enter"], "new line"],
  [["Esc"], "stop the answer; leave a field; close a panel"],
  [["↑"], "in an empty field: edit your last message"],
  [["←", "→", "↑", "↓"], "among tokens: move; Enter opens the alternatives"],
];

/** Acts on the message that has the focus, else on the last one. */
function onMessage(action) {
  if (!chat.focused) chat.step(-1);
  if (chat.focused) action(chat.focused);
}

const usesKeys = () => setting("shortcuts", true);
const isField = (element) =>
  element.matches?.("input:not([type=checkbox], [type=radio], [type=file]), textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    if (shown === "chat" && chat.stopAnswer()) return;
    if (isField(event.target) && !event.target.closest(".side")) event.target.blur();
    else if (chat.root.dataset.drawer) chat.drawer(null);
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isField(event.target) || !usesKeys()) return;
  // In a group of choices the arrows are its own.
  if (event.key.startsWith("Arrow") && !event.target.closest?.(".message, body")) return;
  if (event.key.startsWith("Arrow") && event.target.matches?.("input, [role=option], pre, .scroll")) return;
  const found = shortcuts.find(([keys, , , view]) => keys.includes(event.key) && (!view || view === shown));
  if (!found) return;
  event.preventDefault();
  found[2](event.key);
});

function help() {
  const names = { ArrowLeft: "←", ArrowRight: "→" };
  const row = (keys, what) =>
    el(
      "div",
      {},
      el(
        "dt",
        {},
        keys.flatMap((key, place) => [place > 0 ? " " : null, el("kbd", {}, names[key] ?? key)]),
      ),
      el("dd", {}, what),
    );
  const dialog = el(
    "dialog",
    { class: "help", "aria-labelledby": "help-title" },
    el("h2", { id: "help-title" }, "Shortcuts"),
    el(
      "dl",
      { class: "keys" },
      shortcuts.map(([keys, what]) => row(keys, what)),
      fixed.map(([keys, what]) => row(keys, what)),
    ),
    el(
      "label",
      { class: "check" },
      el("input", {
        type: "checkbox",
        checked: usesKeys(),
        onchange: (event) => keepSetting("shortcuts", event.target.checked),
      }),
      " Single keys act",
    ),
    el(
      "p",
      { class: "dim", id: "about" },
      "Conversations lie in this browser alone. Answers with the same model, prompt, parameters and seed are the same bit by bit.",
    ),
    el(
      "form",
      { method: "dialog", class: "row end" },
      hasKey()
        ? button("Forget the key", () => {
            forgetKey();
            notice("The key is forgotten.");
            dialog.close();
          })
        : null,
      el("button", { class: "primary", autofocus: true }, "Close"),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  version().then((text) => {
    if (text) dialog.querySelector("#about").prepend(`Apus ${text}. `);
  });
}

document.getElementById("help").addEventListener("click", help);

// MARK: Start

const connection = document.getElementById("connection");
watch(() => {
  connection.hidden = !models.error;
  connection.textContent = models.error ? "no answer from the server" : "";
});
addEventListener("hashchange", route);
route();
refresh();
// A server that was restarted, or a model that was added, is noticed without a reload.
setInterval(() => {
  if (!document.hidden && (models.error || models.list.length === 0)) refresh();
}, 5000);
addEventListener("focus", refresh);
