// Batch files: upload, run, watch, fetch.
import { get, post, request } from "./api.js";
import { button, confirmed, download, el, fill, notice } from "./dom.js";
import { bytes, count, counted, duration, moment } from "./format.js";

const endings = ["completed", "failed", "expired", "cancelled"];
const words = {
  validating: "checking",
  in_progress: "running",
  finalizing: "finishing",
  completed: "done",
  failed: "failed",
  expired: "expired",
  cancelling: "stopping",
  cancelled: "cancelled",
};

export class BatchView {
  #timer = null;
  #seen = new Map();

  constructor(root) {
    this.file = el("input", {
      type: "file",
      accept: ".jsonl,application/jsonl,application/x-ndjson",
      class: "unseen",
      id: "batch-file",
      onchange: () => {
        this.#take(this.file.files);
        this.file.value = "";
      },
    });
    const drop = el(
      "label",
      {
        class: "drop",
        for: "batch-file",
        ondragover: (event) => {
          event.preventDefault();
          drop.classList.add("over");
        },
        ondragleave: () => drop.classList.remove("over"),
        ondrop: (event) => {
          event.preventDefault();
          drop.classList.remove("over");
          this.#take(event.dataTransfer.files);
        },
      },
      el("strong", {}, "Choose a batch file"),
      el("span", { class: "dim" }, ' or drop it here. One request a line: {"custom_id", "method", "url", "body"}'),
    );
    this.chosen = el("div", {});
    this.list = el("div", { class: "batch-list" });
    this.files = el("div", {});
    fill(
      root,
      el("div", { class: "page-head" }, el("h1", {}, "Batches")),
      el(
        "div",
        { class: "batch-body" },
        el("div", { class: "drop-frame" }, this.file, drop),
        this.chosen,
        this.list,
        el(
          "details",
          {
            class: "panel",
            ontoggle: (event) => {
              this.showsFiles = event.target.open;
              this.refresh();
            },
          },
          el("summary", {}, "Files on the server"),
          this.files,
        ),
      ),
    );
  }

  enter() {
    if (this.#timer !== null) return;
    this.#timer = 0;
    this.refresh();
  }

  leave() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Asks for the batches, and again soon while one is under way. */
  async refresh() {
    clearTimeout(this.#timer);
    let soon = 10;
    try {
      const batches = (await get("v1/batches?limit=50")).data;
      this.#draw(batches);
      if (batches.some((batch) => !endings.includes(batch.status))) soon = 1;
      if (this.showsFiles) this.#drawFiles((await get("v1/files")).data);
    } catch (error) {
      fill(
        this.list,
        el("p", { class: "wrong empty" }, error.message),
        button("Try again", () => this.refresh(), { class: "small" }),
      );
    }
    if (this.#timer !== null) this.#timer = setTimeout(() => this.refresh(), soon * 1000);
  }

  // MARK: A new one

  async #take(files) {
    const [file] = files;
    if (!file) return;
    let survey;
    try {
      survey = await look(file);
    } catch (error) {
      return notice(`${file.name}: ${error.message}`, { error: true });
    }
    const start = button(`Upload and run`, () => this.#run(file, survey.endpoint, start), { class: "primary" });
    fill(
      this.chosen,
      el(
        "div",
        { class: "panel chosen" },
        el(
          "p",
          {},
          el("strong", {}, file.name),
          ` ${counted(survey.lines, "line")}, ${bytes(file.size)}, to `,
          el("code", {}, survey.endpoint),
        ),
        el("pre", { class: "excerpt", tabindex: "0", "aria-label": "The first line" }, survey.first),
        el(
          "div",
          { class: "row" },
          start,
          button("Leave it", () => fill(this.chosen)),
        ),
      ),
    );
    start.focus();
  }

  async #run(file, endpoint, control) {
    control.disabled = true;
    control.textContent = "Uploading…";
    try {
      const body = new FormData();
      body.append("purpose", "batch");
      body.append("file", file, file.name);
      const stored = await (await request("v1/files", { method: "POST", body })).json();
      const batch = await post("v1/batches", {
        input_file_id: stored.id,
        endpoint,
        completion_window: "24h",
        metadata: { name: file.name },
      });
      fill(this.chosen);
      notice(`${file.name} is under way.`);
      this.focus = batch.id;
      await this.refresh();
    } catch (error) {
      control.disabled = false;
      control.textContent = "Upload and run";
      notice(error.message, { error: true });
    }
  }

  // MARK: The list

  #draw(batches) {
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    fill(
      this.list,
      batches.length === 0
        ? el(
            "p",
            { class: "dim empty" },
            "No batch yet. Lines of a batch run behind everything else, and survive a restart of the server.",
          )
        : null,
      batches.map((batch) => this.#batch(batch)),
    );
    const wanted = this.focus
      ? this.list.querySelector(`[data-batch="${CSS.escape(this.focus)}"]`)
      : focused
        ? this.list.querySelector(`[data-key="${CSS.escape(focused)}"]`)
        : null;
    wanted?.focus({ preventScroll: true });
    this.focus = null;
  }

  #batch(batch) {
    const { total = 0, completed = 0, failed = 0 } = batch.request_counts ?? {};
    const done = completed + failed;
    const isOver = endings.includes(batch.status);
    const bar = el(
      "div",
      {
        class: `batch-bar ${batch.status}`,
        role: "progressbar",
        "aria-valuemin": 0,
        "aria-valuemax": Math.max(1, total),
        "aria-valuenow": done,
        "aria-label": `${count(done)} of ${count(total)} lines`,
      },
      el("span", { class: "good" }),
      el("span", { class: "bad" }),
    );
    bar.children[0].style.width = `${total ? (100 * completed) / total : 0}%`;
    bar.children[1].style.width = `${total ? (100 * failed) / total : 0}%`;
    const key = (name) => ({ "data-key": `${batch.id} ${name}`, class: "small" });
    const errors = batch.errors?.data ?? [];
    const name = batch.metadata?.name ?? batch.id;
    return el(
      "article",
      {
        class: "panel batch",
        tabindex: "-1",
        "data-batch": batch.id,
        "aria-label": `Batch ${name}: ${words[batch.status] ?? batch.status}`,
      },
      el(
        "header",
        {},
        el("h2", {}, name),
        el("span", { class: `badge ${batch.status}` }, words[batch.status] ?? batch.status),
        el("span", { class: "spring" }),
        isOver || batch.status === "cancelling" ? null : button("Cancel", () => this.#cancel(batch), key("cancel")),
        batch.output_file_id
          ? button("Answers", () => this.#fetch(batch.output_file_id, `${batch.id}-answers.jsonl`), key("answers"))
          : null,
        batch.error_file_id
          ? button("Errors", () => this.#fetch(batch.error_file_id, `${batch.id}-errors.jsonl`), key("errors"))
          : null,
      ),
      bar,
      el(
        "p",
        { class: "dim" },
        [
          `${count(done)} of ${count(total)} lines`,
          failed ? `${count(failed)} failed` : null,
          batch.endpoint,
          `created ${moment(batch.created_at)}`,
          this.#pace(batch, done, total, isOver),
        ]
          .filter(Boolean)
          .join(" · "),
      ),
      errors
        .slice(0, 5)
        .map((each) => el("p", { class: "wrong" }, `${each.line ? `Line ${each.line}: ` : ""}${each.message}`)),
    );
  }

  /** The time it took, or the time left by the rate since this page saw it first. */
  #pace(batch, done, total, isOver) {
    if (isOver) {
      const end = batch.completed_at ?? batch.cancelled_at ?? batch.failed_at ?? batch.expired_at;
      return end ? `took ${duration(end - (batch.in_progress_at ?? batch.created_at))}` : null;
    }
    const now = Date.now() / 1000;
    if (!this.#seen.has(batch.id)) this.#seen.set(batch.id, { now, done });
    const first = this.#seen.get(batch.id);
    const each = (now - first.now) / (done - first.done);
    return done > first.done && now - first.now > 3 ? `about ${duration((total - done) * each)} left` : null;
  }

  async #cancel(batch) {
    if (!(await confirmed("Stop this batch? What is answered stays.", "Stop it"))) return;
    try {
      await post(`v1/batches/${encodeURIComponent(batch.id)}/cancel`, {});
    } catch (error) {
      notice(error.message, { error: true });
    }
    this.refresh();
  }

  async #fetch(id, name) {
    try {
      download(name, await (await request(`v1/files/${encodeURIComponent(id)}/content`)).blob());
    } catch (error) {
      notice(error.message, { error: true });
    }
  }

  #drawFiles(files) {
    fill(
      this.files,
      files.length === 0
        ? el("p", { class: "dim empty" }, "None.")
        : el(
            "div",
            { class: "scroll" },
            el(
              "table",
              {},
              el(
                "thead",
                {},
                el(
                  "tr",
                  {},
                  ["name", "for", "size", "created", ""].map((each) => el("th", { scope: "col" }, each)),
                ),
              ),
              el(
                "tbody",
                {},
                files.map((file) =>
                  el(
                    "tr",
                    {},
                    el("td", {}, file.filename),
                    el("td", {}, file.purpose),
                    el("td", { class: "number" }, bytes(file.bytes)),
                    el("td", {}, moment(file.created_at)),
                    el(
                      "td",
                      {},
                      el(
                        "span",
                        { class: "row" },
                        button("Download", () => this.#fetch(file.id, file.filename), {
                          class: "plain",
                          "aria-label": `Download ${file.filename}`,
                        }),
                        button("Delete", () => this.#delete(file), {
                          class: "plain",
                          "aria-label": `Delete ${file.filename}`,
                        }),
                      ),
                    ),
                  ),
                ),
              ),
            ),
          ),
    );
  }

  async #delete(file) {
    if (!(await confirmed(`Delete ${file.filename} from the server?`, "Delete"))) return;
    try {
      await request(`v1/files/${encodeURIComponent(file.id)}`, { method: "DELETE" });
    } catch (error) {
      notice(error.message, { error: true });
    }
    this.refresh();
  }
}

/** Counts a file's lines without holding it all, and reads the first. */
async function look(file) {
  let lines = 0;
  let first = null;
  let head = "";
  let last = "\n";
  const reader = file.stream().pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    if (value === "") continue;
    for (let at = value.indexOf("\n"); at >= 0; at = value.indexOf("\n", at + 1)) lines += 1;
    last = value.at(-1);
    if (first === null) {
      head += value;
      if (head.trimStart().includes("\n")) first = head.trimStart().split("\n", 1)[0];
      else if (head.length > 4e6)
        throw new Error("its first line has no end within 4 MB; a batch file has one request a line.");
    }
  }
  if (last !== "\n") lines += 1;
  first ??= head.trim();
  if (first === "") throw new Error("the file is empty.");
  let request;
  try {
    request = JSON.parse(first);
  } catch (error) {
    throw new Error(`its first line is no JSON (${error.message}).`);
  }
  if (typeof request.url !== "string" || typeof request.body !== "object")
    throw new Error("its first line has no url and body; a batch file has one request a line.");
  return { lines, endpoint: request.url, first: first.length > 500 ? `${first.slice(0, 500)}…` : first };
}
