// Figures as a person writes them, as the terminal report does: with their unit, and three digits that matter.

const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

function threeDigits(value) {
  const size = Math.abs(value);
  return trimmed(value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2));
}

/** A count, with its thousands apart. */
const count = (value) => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");

/** A number that need not be whole. */
const number = (value) => (Math.abs(value) >= 999.5 ? count(value) : threeDigits(value));

/** A rate. */
const rate = (value) => `${number(value)}/s`;

/** A time, from milliseconds. */
function duration(ms) {
  if (ms === 0) return "0 ms";
  const units = [[3600e3, "h"], [60e3, "min"], [1e3, "s"], [1, "ms"], [1e-3, "µs"], [1e-6, "ns"]];
  // A minute and a half is 90 s: larger units only where they help.
  const [unit, name] = units.find(([unit]) => ms >= unit * (unit >= 60e3 ? 3 : 0.9995)) || units[units.length - 1];
  return `${threeDigits(ms / unit)} ${name}`;
}

/** Memory, from MiB. */
const mib = (value) => (value >= 10240 ? `${number(value / 1024)} GiB` : `${number(value)} MiB`);

/** A share; all and nothing are said only of all and nothing. */
function share(value) {
  const text = trimmed((value * 100).toFixed(value < 0.1 ? 2 : 1));
  if (text === "100" && value < 1) return ">99.9 %";
  if (text === "0" && value > 0) return "<0.01 %";
  return `${text} %`;
}

/** A point in time, from seconds. */
function at(seconds) {
  if (seconds >= 600) {
    const whole = Math.floor(seconds);
    const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const shown = parts[0] > 0 ? parts : parts.slice(1);
    return shown.map((part, i) => (i > 0 ? String(part).padStart(2, "0") : String(part))).join(":");
  }
  return `${trimmed(seconds.toFixed(seconds < 1 ? 3 : 2))} s`;
}

/** Round values from 0 to at least `most`, about so many. */
function ticks(most, about) {
  if (!(most > 0)) return [0];
  const rough = most / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough * 0.999);
  const values = [];
  for (let i = 0; i * step <= most * 1.0001; i++) values.push(i * step);
  return values;
}

/** Round times from 0 to `end` seconds. */
function timeTicks(end, about) {
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400];
  const step = steps.find((step) => end / step <= about) || end / about;
  const values = [];
  for (let i = 0; i * step <= end * 1.0001; i++) values.push(i * step);
  return values;
}
