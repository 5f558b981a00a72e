// Numbers and names as people read them; a value that is not there is a dash, never a zero.

export const NONE = "–";

// Up to `digits` significant digits without trailing zeros, as Python's `.4g`.
export function figure(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (value === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))));
  if (exponent < -4 || exponent >= digits) {
    if (exponent >= digits && exponent < 7) return grouped(Math.round(value));
    const [mantissa, power] = value.toExponential(digits - 1).split("e");
    return `${Number(mantissa)}e${power}`;
  }
  return String(Number(value.toPrecision(digits)));
}

// A whole number with thousands apart.
export function grouped(value) {
  return value === null || value === undefined ? NONE : Math.round(value).toLocaleString("en-US");
}

// A middle value with its interval.
export function interval(middle, low, high) {
  const known = low !== null && low !== undefined && high !== null && high !== undefined;
  return known ? `${figure(middle)} [${figure(low)}, ${figure(high)}]` : figure(middle);
}

// A change in percent with its sign, the minus a real one.
export function percent(ratio, digits = 0) {
  if (ratio === null || ratio === undefined || !Number.isFinite(ratio)) return NONE;
  const text = Math.abs(ratio * 100).toFixed(digits);
  return `${Number(text) === 0 ? "±" : ratio < 0 ? "−" : "+"}${text} %`;
}

// Seconds as h:mm:ss or m:ss.
export function clock(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

// How long ago something was, in words.
export function ago(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 129600 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} days ago`;
}

// A time of the database (ISO, UTC) in the reader's zone.
export function moment(text) {
  return text ? new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : NONE;
}

// "1 trial", "2 trials".
export function count(number, noun, plural = `${noun}s`) {
  return `${grouped(number)} ${number === 1 ? noun : plural}`;
}

// Several names in a sentence.
export function listed(names, most = 6) {
  const shown = names.slice(0, most).join(", ");
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
