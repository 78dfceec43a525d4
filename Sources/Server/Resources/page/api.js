// The server's API: requests with the key, errors in one shape, streams of events over fetch.
import { el } from "./dom.js";

/** The page lies in `page/` below the API. */
const base = new URL("../", import.meta.url);

/** What the server answered instead of what was asked for; `status` is 0 where there was no answer. */
export class RequestError extends Error {
  constructor(status, body, fallback) {
    const error = body?.error ?? body;
    super(error?.message ?? fallback);
    this.status = status;
    this.code = error?.code ?? null;
    this.parameter = error?.param ?? null;
  }
}

const keyName = "apus.key";
const key = () => read(sessionStorage) ?? read(localStorage);
const read = (storage) => {
  try {
    return storage.getItem(keyName);
  } catch {
    return null;
  }
};

/**
 * Sends a request and returns the response, once its status is good.
 *
 * `json` becomes the body. A 401 asks for the key and tries again, unless `quiet`.
 */
export async function request(path, { method = "GET", json, body, signal, quiet = false } = {}) {
  for (;;) {
    const headers = {};
    if (json !== undefined) headers["Content-Type"] = "application/json";
    const used = key();
    if (used) headers.Authorization = `Bearer ${used}`;
    let response;
    try {
      response = await fetch(new URL(path, base), {
        method,
        headers,
        signal,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        body: json === undefined ? body : JSON.stringify(json),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new RequestError(0, null, "The server does not answer. Is it running, and can this device reach it?");
    }
    if (response.ok) return response;
    let parsed = null;
    try {
      parsed = await response.json();
    } catch {
      /* An answer of something between the server and us. */
    }
    const error = new RequestError(
      response.status,
      parsed,
      `The server answered ${response.status} ${response.statusText}`,
    );
    if (response.status === 401 && !quiet && (await askForKey(used, error.message))) continue;
    throw error;
  }
}

export const get = async (path, options) => (await request(path, options)).json();
export const post = async (path, json, options = {}) =>
  (await request(path, { method: "POST", json, ...options })).json();

/** The events of a stream, `{ event, data }`, until it ends. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = "message";
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      // A line may end in CR LF whose halves come apart: a CR at the end waits for what follows.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield { event, data: data.join("\n") };
          event = "message";
          data = [];
        } else if (line.startsWith("data:")) {
          data.push(line.slice(line[5] === " " ? 6 : 5));
        } else if (line.startsWith("event:")) {
          event = line.slice(6).trim();
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** The JSON objects of an OpenAI stream until `[DONE]`. Throws where one of them is an error, or the end is missing. */
export async function* chunks(path, json, signal) {
  const response = await request(path, { method: "POST", json, signal });
  for await (const { data } of events(response)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new RequestError(response.status, chunk, "The server ended the answer with an error.");
    yield chunk;
  }
  throw new RequestError(0, null, "The connection ended before the answer did.");
}

let asking = null;

/** Asks for a key, one dialog however many requests wait for it. Resolves to whether one was given. */
function askForKey(used, message) {
  // Another request has brought a new key in the meantime.
  if (key() && key() !== used) return Promise.resolve(true);
  asking ??= new Promise((resolve) => {
    const field = el("input", {
      type: "password",
      name: "key",
      required: true,
      autocomplete: "current-password",
      autofocus: true,
      spellcheck: "false",
      "aria-describedby": "key-note",
    });
    const keep = el("input", { type: "checkbox", name: "keep" });
    const dialog = el(
      "dialog",
      { class: "small", "aria-labelledby": "key-title" },
      el(
        "form",
        { method: "dialog" },
        el("h2", { id: "key-title" }, "This server asks for a key"),
        el("p", { id: "key-note", class: used ? "wrong" : "dim" }, message),
        el("label", { class: "field" }, el("span", {}, "API key"), field),
        el("label", { class: "check" }, keep, " Keep it on this device"),
        el(
          "div",
          { class: "row end" },
          el("button", { value: "no", formnovalidate: true }, "Cancel"),
          el("button", { value: "yes", class: "primary" }, "Use it"),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "yes" && field.value.trim() !== "";
      if (given) storeKey(field.value.trim(), keep.checked);
      dialog.remove();
      asking = null;
      resolve(given);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}

function storeKey(value, keeps) {
  try {
    sessionStorage.setItem(keyName, value);
    if (keeps) localStorage.setItem(keyName, value);
    else localStorage.removeItem(keyName);
  } catch {
    /* Without storage each request asks again. */
  }
}

export const hasKey = () => key() !== null;

export function forgetKey() {
  try {
    sessionStorage.removeItem(keyName);
    localStorage.removeItem(keyName);
  } catch {
    /* There is none. */
  }
}
