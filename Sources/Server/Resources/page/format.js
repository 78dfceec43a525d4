// Numbers for people.

const whole = new Intl.NumberFormat("en");
export const count = (number) => whole.format(Math.round(number));

/** 1 token, 2 tokens. */
export const counted = (number, one, many = one + "s") => `${count(number)} ${number === 1 ? one : many}`;

export function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (number >= 999.5 && unit < units.length - 1) {
    number /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? number : number.toPrecision(3)} ${units[unit]}`;
}

/** A duration with three digits at most: 420 µs, 12.3 ms, 1.2 s, 3 min 20 s, 2 h 5 min. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 0.0009995) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.9995) return `${Number((seconds * 1e3).toPrecision(3))} ms`;
  if (seconds < 59.95) return `${Number(seconds.toPrecision(seconds < 10 ? 2 : 3))} s`;
  if (seconds < 3599.5) return two(Math.round(seconds), 60, "min", "s");
  if (seconds < 86400) return two(Math.floor(seconds / 60), 60, "h", "min");
  return two(Math.floor(seconds / 3600), 24, "d", "h");
}

const two = (number, base, large, small) =>
  `${Math.floor(number / base)} ${large}${number % base ? ` ${number % base} ${small}` : ""}`;

/** A rate: 8.3, 128, 1,294. */
export const rate = (number) =>
  number >= 100 ? count(number) : String(Number(number.toPrecision(number < 10 ? 2 : 3)));

export const percent = (share) => `${share >= 0.9995 ? "100" : (share * 100).toPrecision(share < 0.001 ? 1 : 3)} %`;

export function moment(seconds) {
  const date = new Date(seconds * 1000);
  const today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString([], today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" });
}
