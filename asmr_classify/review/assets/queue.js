// What the server knows: the queue of stretches, a few at a time, and the answers to them.

const begin = JSON.parse(document.getElementById("data").textContent);
const labels = begin.labels; // grows when new ones are named
const queue = new Map(begin.stretches.map((stretch) => [stretch.number, stretch])); // those that are known, by number
const PREFETCHED = 4; // stretches, that at hand among them
const KEPT = 40; // stretches that are remembered

const GONE = "The program does not answer: it has ended, or is busy. All answers that it kept are in the catalogue; start it again to go on.";

async function ask(place, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(place, { ...options, redirect: "error", cache: "no-store" });
  } catch {
    throw new Error(GONE);
  }
  const told = await response.json().catch(() => ({ error: GONE }));
  if (!response.ok) throw new Error(told.error);
  return told;
}

// Fetches a stretch and those after it, with what was answered of them here or elsewhere.
async function fetchFrom(number) {
  const { stretches } = await ask(`stretches?first=${number}&count=${PREFETCHED}`);
  for (const stretch of stretches) if (!isWaiting(stretch.number)) queue.set(stretch.number, stretch);
  for (const known of [...queue.keys()]) if (Math.abs(known - number) > KEPT) queue.delete(known);
}

// Which page this is, so that it undoes its own answers; also after it was loaded anew.
function nameTab() {
  const name = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16)).join("");
  try {
    const kept = sessionStorage.getItem(location.pathname) ?? name;
    sessionStorage.setItem(location.pathname, kept);
    return kept;
  } catch {
    return name;
  }
}

const tab = nameTab();
const waiting = new Map(); // how many answers of each stretch are on their way
let last = Promise.resolve();

const isWaiting = (number) => waiting.has(number);

// Answers reach the server one after another, in the order of the keys.
function send(place, body, number = null) {
  const count = (by) => {
    const now = (waiting.get(number) ?? 0) + by;
    if (now) waiting.set(number, now);
    else waiting.delete(number);
  };
  count(1);
  const done = last.then(() => ask(place, body)).finally(() => count(-1));
  last = done.catch(() => {});
  return done;
}
