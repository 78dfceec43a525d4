// The list of conversations.
import { button, confirmed, download, el, fill, notice } from "./dom.js";
import { exported, readExport, titleOf } from "./conversation.js";
import { running } from "./generate.js";
import { conversations, remove, save } from "./store.js";

export class Sidebar {
  /** - actions: `open(conversation)`, `create()`, `close()`; `current()` is the one that is shown. */
  constructor(actions) {
    this.actions = actions;
    this.list = el("ol", { class: "conversations" });
    this.search = el("input", {
      type: "search",
      placeholder: "Search",
      "aria-label": "Search conversations",
      oninput: () => this.draw(),
    });
    this.file = el("input", {
      type: "file",
      accept: "application/json,.json",
      hidden: true,
      onchange: () => this.#import(),
    });
    this.element = el(
      "aside",
      { class: "side conversations-side", id: "conversations", "aria-label": "Conversations", tabindex: "-1" },
      el(
        "div",
        { class: "side-head" },
        button("New conversation", () => actions.create(), { class: "primary grow", title: "New conversation (n)" }),
        button("×", () => actions.close(), { class: "icon narrow-only", "aria-label": "Close the list" }),
      ),
      this.search,
      this.list,
      el(
        "div",
        { class: "side-foot" },
        button("Export all", () => this.#export(), { class: "plain" }),
        button("Import", () => this.file.click(), { class: "plain" }),
        this.file,
      ),
    );
  }

  draw() {
    const wanted = this.search.value.trim().toLowerCase();
    const found = [...conversations.values()]
      .filter((each) => each.nodes.length > 0 || each === this.actions.current())
      .filter(
        (each) =>
          wanted === "" ||
          titleOf(each).toLowerCase().includes(wanted) ||
          each.nodes.some((node) => node.content.toLowerCase().includes(wanted)),
      )
      .sort((a, b) => b.updated - a.updated);
    const busy = new Set([...running.values()].map((each) => each.conversation.id));
    fill(
      this.list,
      found.map((each) => {
        const isCurrent = each === this.actions.current();
        return el(
          "li",
          { class: isCurrent ? "current" : null },
          button(titleOf(each), () => this.actions.open(each), {
            class: "plain title",
            "aria-current": isCurrent ? "true" : null,
            title: titleOf(each),
          }),
          busy.has(each.id) ? el("span", { class: "pulse", title: "An answer is under way" }) : null,
          button("×", () => this.#remove(each), {
            class: "icon",
            "aria-label": `Delete ${titleOf(each)}`,
            title: "Delete",
          }),
        );
      }),
      found.length === 0 ? el("li", { class: "dim" }, wanted ? "Nothing found." : "Nothing yet.") : null,
    );
  }

  async #remove(conversation) {
    if (
      conversation.nodes.length > 0 &&
      !(await confirmed(`Delete “${titleOf(conversation)}” with all its versions?`, "Delete"))
    )
      return;
    for (const each of running.values()) if (each.conversation === conversation) each.stop();
    remove(conversation.id);
    if (this.actions.current() === conversation) this.actions.create();
    this.draw();
  }

  #export() {
    const all = [...conversations.values()].filter((each) => each.nodes.length > 0);
    if (all.length === 0) return notice("There is nothing to export yet.");
    download(`apus-conversations-${new Date().toISOString().slice(0, 10)}.json`, exported(all));
  }

  async #import() {
    const [file] = this.file.files;
    this.file.value = "";
    if (!file) return;
    try {
      const found = readExport(await file.text());
      found.forEach(save);
      notice(`${found.length === 1 ? "One conversation" : `${found.length} conversations`} imported.`);
      if (found[0]) this.actions.open(found[0]);
      this.draw();
    } catch (error) {
      notice(`${file.name} was not imported. ${error.message}`, { error: true });
    }
  }
}
