// Making and filling elements. Text only ever becomes text nodes: nothing here, or elsewhere in the page, reads HTML.

/**
 * An element. `attributes`: `class`, `on…` handlers, `dataset`; booleans set or leave out; the rest are attributes.
 * Children: elements, texts, numbers; null and false are left out.
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...present(children));
  return element;
}

/** An element of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...present(children));
  return element;
}

const present = (children) =>
  children.flat().filter((child) => child !== null && child !== undefined && child !== false);

/** Replaces what an element holds. */
export const fill = (element, ...children) => element.replaceChildren(...present(children));

export function button(label, action, attributes = {}) {
  return el("button", { type: "button", onclick: action, ...attributes }, label);
}

/** Says something to screen readers alone. */
export function announce(text) {
  const region = document.getElementById("announcer");
  region.textContent = "";
  // A change in a later task is announced even where the text is the same.
  setTimeout(() => {
    region.textContent = text;
  }, 50);
}

/** A line at the foot of the page that goes away by itself; errors stay until dismissed. */
export function notice(text, { error = false, action = null } = {}) {
  const line = el("div", { class: error ? "notice error" : "notice" }, el("span", {}, text));
  if (action)
    line.append(
      button(
        action.label,
        () => {
          line.remove();
          action.run();
        },
        { class: "plain" },
      ),
    );
  line.append(button("×", () => line.remove(), { class: "icon", "aria-label": "Dismiss" }));
  document.getElementById("notices").append(line);
  if (!error) setTimeout(() => line.remove(), action ? 8000 : 4000);
  return line;
}

export async function copy(text, what = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Over plain HTTP from another machine the clipboard is closed to pages; a selection is not.
    const area = el("textarea", { class: "unseen", readonly: true, value: text });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) return notice("The browser does not let this page copy.", { error: true });
  }
  notice(what);
}

export function download(name, content, type = "application/json") {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** A question before something is lost. Resolves to whether it was confirmed. */
export function confirmed(question, label) {
  return new Promise((resolve) => {
    const dialog = el(
      "dialog",
      { class: "small", "aria-label": question },
      el("p", {}, question),
      el(
        "form",
        { method: "dialog", class: "row end" },
        el("button", { value: "no" }, "Cancel"),
        el("button", { value: "yes", class: "primary", autofocus: true }, label),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export const isTouch = () => matchMedia("(pointer: coarse)").matches;
