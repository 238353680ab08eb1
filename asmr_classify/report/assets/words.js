// What pages share: elements, and how values are written for people.

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
