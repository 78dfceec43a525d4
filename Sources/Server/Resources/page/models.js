// The models that the server offers.
import { get } from "./api.js";
import { keepSetting, setting } from "./store.js";

export const models = { list: [], error: null };
const listeners = new Set();

/** Calls `listener` now and after each change of the list. */
export function watch(listener) {
  listeners.add(listener);
  listener();
}

export async function refresh() {
  try {
    models.list = (await get("v1/models")).data ?? [];
    models.error = null;
  } catch (error) {
    models.error = error;
  }
  for (const listener of listeners) listener();
}

/** The model for a new conversation: the one used last, else the first. */
export function preferred() {
  const last = setting("model", null);
  return models.list.find((each) => each.id === last)?.id ?? models.list[0]?.id ?? null;
}

export const prefer = (id) => keepSetting("model", id);
export const known = (id) => models.list.find((each) => each.id === id);
