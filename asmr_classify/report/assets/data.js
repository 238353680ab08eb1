// The data of the page: what the JSON holds, and how its values are written for people.

const { labels, kinds, models, files } = JSON.parse(document.getElementById("data").textContent);

const STATUSES = { ok: "ok", silent: "silent", no_audio: "no audio", partial: "partial", failed: "failed" };
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Co}\p{Zl}\p{Zp}]/gu;
const JOINERS = "\u200c\u200d"; // without width, but part of many scripts and emoji

const find = (id) => document.getElementById(id);

// Makes an element; text goes in as text, never as markup.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// What would act on the text around it, or show as nothing, is written as an escape. Bytes that
// are no UTF-8 came as the surrogates DC80 to DCFF.
function printable(text) {
  return text.replace(INVISIBLE, (char) => {
    const code = char.codePointAt(0);
    if (JOINERS.includes(char)) return char;
    if (code >= 0xdc80 && code <= 0xdcff) return "\\x" + (code - 0xdc00).toString(16);
    return code < 0x100 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u" + code.toString(16).padStart(4, "0");
  });
}

function splitPath(path) {
  const cut = path.lastIndexOf("/") + 1;
  return [path.slice(0, cut), path.slice(cut)];
}

const labelName = (label) => printable(label.name).replaceAll("_", " ");

const kindName = (kind) => printable(kinds[kind]).replaceAll("_", " ");

// The kinds of sound of a file with their scores, the surest first.
function kindsOf(file) {
  const flat = file.kinds ?? [];
  return Array.from({ length: flat.length / 2 }, (_, k) => ({ kind: flat[2 * k], score: flat[2 * k + 1] / 100 }));
}

// Seconds as 1:02:03 or 0:05; with tenths where asked for.
function clock(seconds, digits = 0) {
  const scale = 10 ** digits;
  const whole = Math.round(seconds * scale) / scale;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = (whole % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

// A length in words, as the head of the page writes it.
function describeLength(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  const hours = seconds / 3600;
  return hours < 100 ? `${hours.toFixed(1)} h` : `${Math.round(hours).toLocaleString("en")} h`;
}

const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

// The timeline of a file as objects, in seconds; made when it is needed.
function segmentsOf(file) {
  const flat = file.segments ?? [];
  const segments = [];
  for (let k = 0; k < flat.length; k += 4) {
    segments.push({
      label: flat[k],
      start: flat[k + 1] / 100,
      end: (flat[k + 1] + flat[k + 2]) / 100,
      score: flat[k + 3] / 100,
    });
  }
  return segments;
}

const peaksOf = (file) => Uint8Array.from(atob(file.peaks ?? ""), (char) => char.charCodeAt(0));

// What stands in the place of a score, which is the model's, where a person decided.
const SET = "set by hand";

const isSet = (file, what) => file.corrected?.includes(what) ?? false;

// In one line all that was set by hand; empty if nothing was.
function describeCorrection(file) {
  const tags = file.tags.map((tag) => labelName(labels[tag])).join(", ") || "none";
  const parts = [];
  if (isSet(file, "trigger")) parts.push(`triggers: ${tags}`);
  if (isSet(file, "no_talking")) parts.push(`talking: ${file.quiet ? "none" : "some"}`);
  return parts.length ? `${SET}: ${parts.join("; ")}` : "";
}

const secondsOf = (file) => Math.max(file.duration ?? 0, file.decoded ?? 0) / 100;

// How much of a file each label covers, as shares, most first.
function coverOf(file) {
  const flat = file.segments ?? [];
  const whole = Math.max(file.duration ?? 0, file.decoded ?? 0) || 1;
  const covers = new Map();
  for (let k = 0; k < flat.length; k += 4) {
    covers.set(flat[k], (covers.get(flat[k]) ?? 0) + flat[k + 2] / whole);
  }
  return [...covers].sort((a, b) => b[1] - a[1]);
}

// Share of a file in which some trigger is heard.
function triggerShare(file) {
  const flat = file.segments ?? [];
  let covered = 0;
  let until = 0;
  for (let k = 0; k < flat.length; k += 4) {
    if (!labels[flat[k]].trigger) continue;
    const end = flat[k + 1] + flat[k + 2];
    covered += Math.max(0, end - Math.max(until, flat[k + 1]));
    until = Math.max(until, end);
  }
  return covered / (Math.max(file.duration ?? 0, file.decoded ?? 0) || 1);
}

files.forEach((file, place) => {
  file.place = place; // files come sorted by path
  file.tags ??= [];
  file.shown = printable(file.path);
  file.search = `${file.path}\n${file.shown}`.normalize("NFKC").toLowerCase();
  file.labelled = triggerShare(file);
});
