// An answer token by token, coloured by probability. One stop for the Tab key; arrows move among tokens; a card tells the
// alternatives.
import { button, el, fill } from "./dom.js";
import { percent } from "./format.js";

/** Tokens that a view has at once; more make the page slow and nobody reads them. */
const limit = 4000;

export class TokenView {
  #tokens = [];
  #spans = [];
  #current = 0;
  #pinned = false;
  #decoder = new TextDecoder();

  /** `branch(index, text)`: goes on from there with another token; null where that cannot be asked for. */
  constructor(branch = null) {
    this.branch = branch;
    this.text = el("div", {
      class: "tokens",
      role: "listbox",
      "aria-label": "Tokens by probability. Arrow keys move, Enter opens the alternatives.",
      "aria-orientation": "horizontal",
      onkeydown: (event) => this.#key(event),
      onpointerover: (event) => {
        if (!this.#pinned) this.#show(this.#spans.indexOf(event.target.closest(".token")));
      },
      onpointerleave: () => {
        if (!this.#pinned) this.#hide();
      },
      onclick: (event) => {
        const index = this.#spans.indexOf(event.target.closest(".token"));
        if (index < 0) return;
        this.#move(index);
        this.#pin();
      },
      onfocusin: (event) => this.#show(this.#spans.indexOf(event.target)),
    });
    this.card = el("div", {
      class: "card",
      hidden: true,
      onkeydown: (event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        this.#hide();
        this.#spans[this.#current]?.focus();
      },
    });
    this.element = el(
      "div",
      {
        class: "token-view",
        onfocusout: (event) => {
          if (!this.element.contains(event.relatedTarget)) this.#hide();
        },
      },
      this.text,
      this.card,
    );
  }

  /** Draws what has come since. */
  update(tokens) {
    if (tokens.length < this.#tokens.length) {
      this.#spans = [];
      fill(this.text);
    }
    for (const token of tokens.slice(this.#spans.length, limit)) {
      const span = el(
        "span",
        { class: `token ${shade(token[1])}`, role: "option", tabindex: this.#spans.length === 0 ? "0" : "-1" },
        this.#written(token),
      );
      this.#spans.push(span);
      this.text.append(span);
    }
    this.#tokens = tokens;
  }

  /** The text of a token; one that is part of a character shows nothing until the character is whole. */
  #written([text, , , bytes]) {
    const whole = bytes ? this.#decoder.decode(new Uint8Array(bytes), { stream: true }) : text;
    return whole === "" ? "·" : whole.replace(/\n/g, "⏎\n");
  }

  #key(event) {
    const last = this.#spans.length - 1;
    const target = {
      ArrowRight: Math.min(last, this.#current + 1),
      ArrowLeft: Math.max(0, this.#current - 1),
      Home: 0,
      End: last,
      ArrowDown: this.#line(1),
      ArrowUp: this.#line(-1),
    }[event.key];
    if (target !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      this.#move(target);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.#pin();
      this.card.querySelector("button")?.focus();
    } else if (event.key === "Escape" && !this.card.hidden) {
      event.stopPropagation();
      this.#hide();
    }
  }

  /** The token in the next line, or that before, nearest to the current one. */
  #line(direction) {
    const here = this.#spans[this.#current]?.getBoundingClientRect();
    if (!here) return 0;
    let best = this.#current;
    let distance = Infinity;
    let line = null;
    for (let index = this.#current + direction; index >= 0 && index < this.#spans.length; index += direction) {
      const box = this.#spans[index].getBoundingClientRect();
      if (Math.abs(box.top - here.top) < here.height / 2) continue;
      line ??= box.top;
      if (Math.abs(box.top - line) > here.height / 2) break;
      if (Math.abs(box.left - here.left) < distance) {
        distance = Math.abs(box.left - here.left);
        best = index;
      }
    }
    return best;
  }

  #move(index) {
    this.#spans[this.#current]?.setAttribute("tabindex", "-1");
    this.#current = index;
    const span = this.#spans[index];
    span.setAttribute("tabindex", "0");
    span.setAttribute("aria-label", describe(this.#tokens[index]));
    span.focus();
  }

  #show(index) {
    if (index < 0) return;
    this.#pinned = false;
    const [text, logprob, top, bytes] = this.#tokens[index];
    const rows = top.some(([other]) => other === text) ? top : [...top, [text, logprob]];
    fill(
      this.card,
      el(
        "div",
        { class: "card-head" },
        el("code", {}, visible(text)),
        el("span", {}, logprob === null ? "no probability" : percent(Math.exp(logprob))),
      ),
      bytes
        ? el("p", { class: "dim" }, `bytes ${bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}`)
        : null,
      rows.map(([other, value]) => {
        const probability = Math.exp(value);
        const bar = el("span", { class: "meter" });
        bar.style.setProperty("--share", probability);
        const name =
          other === text || !this.branch
            ? el("code", {}, visible(other))
            : button(visible(other), () => this.branch(index, other), {
                class: "alternative",
                title: "Go on from here with this token",
                tabindex: "-1",
              });
        return el(
          "div",
          { class: other === text ? "row-token taken" : "row-token" },
          name,
          bar,
          el("span", { class: "number" }, percent(probability)),
        );
      }),
    );
    this.card.hidden = false;
    this.card.classList.toggle("pinned", false);
    const span = this.#spans[index];
    const left = Math.min(span.offsetLeft, this.element.clientWidth - this.card.offsetWidth);
    this.card.style.left = `${Math.max(0, left)}px`;
    this.card.style.top = `${span.offsetTop + span.offsetHeight + 4}px`;
  }

  #pin() {
    this.#show(this.#current);
    this.#pinned = true;
    this.card.classList.add("pinned");
    for (const each of this.card.querySelectorAll("button")) each.setAttribute("tabindex", "0");
  }

  #hide() {
    this.#pinned = false;
    this.card.hidden = true;
  }
}

/** A class for a log-probability: p9 is nearly certain, p0 below 2 %. Steps of equal information, not of equal probability. */
export function shade(logprob) {
  if (logprob === null) return "none";
  const probability = Math.exp(logprob);
  const bounds = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.95];
  return `p${bounds.filter((bound) => probability >= bound).length}`;
}

export const legend = () =>
  el(
    "p",
    { class: "legend dim" },
    "probability of each token: ",
    [
      ["p0", "< 2 %"],
      ["p2", "5 %"],
      ["p4", "20 %"],
      ["p6", "50 %"],
      ["p8", "85 %"],
      ["p9", "95 %"],
    ].map(([name, label]) => el("span", { class: `token ${name}` }, label)),
  );

const visible = (text) =>
  text === "" ? "(empty)" : text.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥");

function describe([text, logprob, top]) {
  const chance = (value) => (value === null ? "without probability" : percent(Math.exp(value)));
  const others = top.filter(([other]) => other !== text).map(([other, value]) => `${visible(other)} ${chance(value)}`);
  return `${visible(text)}, ${chance(logprob)}${others.length ? `; instead ${others.join(", ")}` : ""}`;
}
