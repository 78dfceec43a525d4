// Where a message is written, and the transcript that follows its end.
import { button, el, isTouch } from "./dom.js";

export class Composer {
  /** - actions: `submit(text)` says whether it was taken; `stop()`; `editLast()` says whether there was a message to edit. */
  constructor(actions) {
    this.actions = actions;
    this.input = el("textarea", {
      rows: 1,
      "aria-label": "Message",
      enterkeyhint: "send",
      oninput: () => this.#fit(),
      onkeydown: (event) => this.#key(event),
    });
    this.send = el("button", { class: "primary", type: "submit" }, "Send");
    this.stop = button("Stop", () => actions.stop(), { class: "stop", hidden: true, title: "Stop (Esc)" });
    const submits = (event) => {
      event.preventDefault();
      this.submit();
    };
    this.element = el("form", { class: "composer", onsubmit: submits }, this.input, this.send, this.stop);
  }

  draw(isText, isBusy) {
    this.input.placeholder = isText ? "Text to continue; empty goes on from the end" : "Message";
    this.send.textContent = isText ? "Continue" : "Send";
    this.send.hidden = isBusy;
    this.stop.hidden = !isBusy;
  }

  submit() {
    if (!this.actions.submit(this.input.value)) return;
    this.input.value = "";
    this.#fit();
  }

  /** On a phone the keyboard would cover what is there to be read. */
  focus() {
    if (!isTouch()) this.input.focus();
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey && (!isTouch() || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "ArrowUp" && this.input.value === "" && this.actions.editLast()) {
      event.preventDefault();
    }
  }

  #fit() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight + 2, innerHeight * 0.4)}px`;
  }
}

/** A scroller that stays at its end while it grows, until somebody scrolls away from there. */
export class Transcript {
  #follows = true;

  constructor(messages) {
    this.element = el(
      "div",
      {
        class: "transcript",
        tabindex: "0",
        role: "region",
        "aria-label": "Messages",
        onscroll: () => this.#scrolled(),
      },
      messages,
    );
    this.latest = button("↓ latest", () => this.toEnd(), { class: "latest small", hidden: true });
  }

  follow() {
    if (this.#follows) this.toEnd();
    else this.latest.hidden = false;
  }

  toEnd() {
    this.#follows = true;
    this.element.scrollTop = this.element.scrollHeight;
    this.latest.hidden = true;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    this.#follows = scrollHeight - scrollTop - clientHeight < 80;
    this.latest.hidden = this.#follows;
  }
}
