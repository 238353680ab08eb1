// The page: a stretch at hand, keys and buttons that answer, and what the answers came to.

const hand = { number: begin.first, moved: false };

const atHand = () => queue.get(hand.number);
const isAtHand = (stretch) => stretch.number === hand.number;
const nameOf = (name) => printable(name).replaceAll("_", " ");

// Shows a stretch, plays it once the user has moved, and gets ready what may come next.
async function show(number, { aloud = false, fresh = false } = {}) {
  stop();
  hand.number = number;
  trouble("");
  say(""); // what was told is of the stretch before
  if (!queue.has(number)) {
    try {
      await fetchFrom(number);
    } catch (reason) {
      trouble(reason.message);
    }
    if (hand.number !== number) return; // the user was quicker
  } else if (!fresh) refresh(number);
  const stretch = atHand();
  if (!stretch) return;
  if (aloud) play(stretch);
  else soundOf(stretch);
  showStretch(stretch);
  await drawPicture(stretch);
  prefetch(number);
}

function showStretch(stretch) {
  const [folder, name] = splitPath(printable(stretch.path));
  find("name").textContent = name;
  find("folder").textContent = folder;
  find("span").textContent = `${clock(stretch.start, 1)} to ${clock(stretch.end, 1)} of ${clock(stretch.duration)}`;
  find("place").textContent = `Stretch ${(stretch.number + 1).toLocaleString("en")} of ${begin.total.toLocaleString("en")}`;
  find("back").disabled = stretch.number === 0;
  find("on").disabled = stretch.number === begin.total - 1;
  showNeedle(0);
  showPlaying();
  if (find("picture").dataset.drawn !== String(stretch.number)) clearPicture();
  showAnswer(stretch);
  document.documentElement.dataset.shown = stretch.number;
}

function showAnswer(stretch) {
  const heard = stretch.labels;
  for (const button of document.querySelectorAll("#labels button")) {
    const pressed = button.dataset.label === undefined ? heard?.length === 0 : heard?.includes(button.dataset.label);
    button.setAttribute("aria-pressed", String(Boolean(pressed)));
  }
  showOpinion(stretch);
}

function showOpinion({ labels: heard, opinion }) {
  find("opinion").hidden = opinion === null;
  if (opinion === null) return;
  const told = Object.entries(opinion).filter(([, score]) => score >= 0.1).sort((a, b) => b[1] - a[1]);
  const differs = Object.entries(opinion).some(([name, score]) => heard !== null && heard.includes(name) !== score >= 0.5);
  const unknown = (heard ?? []).filter((name) => !(name in opinion));
  const agrees = differs ? " You hear it otherwise." : unknown.length ? "" : " You agree.";
  const verdict = (heard === null ? "" : agrees) + (unknown.length ? ` It does not know ${unknown.map(nameOf).join(", ")}.` : "");
  const text = told.length ? told.map(([name, score]) => `${nameOf(name)} ${score.toFixed(2)}`).join(", ") : "none of its labels";
  find("opinion").textContent = `The model: ${text}.${verdict}`;
}

// Reads again what may have been answered in another tab, or by another person.
async function refresh(number) {
  const before = queue.get(number);
  try {
    await fetchFrom(number);
  } catch {
    return; // told as soon as something is answered
  }
  const stretch = atHand();
  if (!stretch || stretch.number !== number || String(before.labels) === String(stretch.labels)) return;
  showAnswer(stretch);
  drawPicture(stretch);
}

async function prefetch(number) {
  forgetSounds(number);
  if (!queue.has(number + 1) && number + 1 < begin.total) await fetchFrom(number + 1).catch(() => {});
  for (const next of [number + 1, number + 2]) {
    const stretch = queue.get(next);
    if (!stretch || hand.number !== number) return;
    soundOf(stretch);
    await pictureOf(next).catch(() => pictures.delete(next));
  }
}

function toggle(name) {
  const stretch = atHand();
  if (!stretch) return;
  const heard = stretch.labels ?? [];
  const now = heard.includes(name) ? heard.filter((each) => each !== name) : [...heard, name];
  return answer(stretch, now.length ? now : null);
}

function answerNone() {
  const stretch = atHand();
  if (stretch) answer(stretch, stretch.labels?.length === 0 ? null : []);
}

// Shows an answer at once, and what was there before if it could not be kept.
async function answer(stretch, heard) {
  queue.set(stretch.number, { ...stretch, labels: heard });
  if (isAtHand(stretch)) showAnswer(atHand());
  try {
    const told = await send("answer", { number: stretch.number, labels: heard, asked: labels.map(({ name }) => name), tab }, stretch.number);
    if (!isWaiting(stretch.number)) take(told);
    say(heard === null ? "answer taken back" : `kept: ${heard.map(nameOf).join(", ") || "none of these"}`);
    trouble("");
  } catch (reason) {
    if (!isWaiting(stretch.number)) queue.set(stretch.number, stretch);
    if (isAtHand(stretch)) showAnswer(atHand());
    trouble(`Not kept. ${reason.message}`);
  }
}

function take({ stretch, progress }) {
  queue.set(stretch.number, stretch);
  showProgress(progress);
  if (!isAtHand(stretch)) return;
  showAnswer(stretch);
  drawPicture(stretch);
}

async function undo() {
  try {
    const told = await send("undo", { tab });
    queue.set(told.stretch.number, told.stretch);
    if (!isAtHand(told.stretch)) await show(told.stretch.number);
    take(told);
    say("undone");
  } catch (reason) {
    trouble(reason.message);
  }
}

function move(step) {
  const number = hand.number + step;
  if (number < 0) return say("this is the first stretch");
  if (number >= begin.total) return say("that was the last stretch; you can end here");
  show(number, { aloud: hand.moved });
}

function playOrPause() {
  const stretch = atHand();
  hand.moved = true;
  if (!stretch) return;
  if (isSounding()) stop();
  else play(stretch);
}

function buildLabels() {
  const buttons = labels.map((label, k) => {
    const key = k < 9 ? String(k + 1) : "";
    const button = make("button", { type: "button", class: `answer colour-${label.colour}`, "aria-pressed": "false", "aria-keyshortcuts": key || null, title: label.definition || null, "data-label": label.name },
      make("kbd", { text: key, "aria-hidden": "true" }),
      make("span", { class: "letter", "aria-hidden": "true", text: label.letter || "·" }),
      make("bdi", { text: labelName(label) }));
    button.addEventListener("click", () => toggle(label.name));
    return button;
  });
  const none = make("button", { type: "button", class: "answer none", "aria-pressed": "false", "aria-keyshortcuts": "0" },
    make("kbd", { text: "0", "aria-hidden": "true" }), make("span", { text: "none of these" }));
  none.addEventListener("click", answerNone);
  find("labels").replaceChildren(...buttons, none);
  readPalette({ plain: "edge" });
}

async function nameLabel(event) {
  event.preventDefault();
  const field = find("new-label");
  const written = field.value.trim();
  if (!written) return;
  try {
    const told = await send("label", { name: written });
    labels.splice(0, labels.length, ...told.labels);
    buildLabels();
    field.value = "";
    field.blur();
    if (atHand() && !atHand().labels?.includes(told.name)) await toggle(told.name);
    if (told.name !== written) say(`the label is called ${printable(told.name)}: spaces in names are written as _`);
  } catch (reason) {
    trouble(reason.message);
  }
}

function showProgress({ answered, tally }) {
  find("answered").textContent = answered.toLocaleString("en");
  find("share").max = begin.total;
  find("share").value = answered;
  find("tally").replaceChildren(...tally.map(({ label, heard, against }) =>
    make("tr", {}, make("th", { scope: "row", text: nameOf(label) }), make("td", { text: heard }), make("td", { text: against }))));
  find("came-to").hidden = !tally.length;
}

function say(text) {
  find("said").textContent = text;
}

function trouble(text) {
  find("trouble").textContent = text;
  find("trouble").hidden = !text;
}

async function end() {
  stop();
  try {
    await send("end", {});
  } catch (reason) {
    return trouble(reason.message);
  }
  find("work").hidden = true;
  find("end").disabled = true;
  find("ended").hidden = false;
  find("ended").focus();
}

function redraw() {
  readPalette({ plain: "edge" });
  if (atHand()) drawPicture(atHand());
}

// The digit of a key, also where digits need the shift key.
function digitOf({ key, code, shiftKey }) {
  if (/^[0-9]$/.test(key)) return Number(key);
  const match = shiftKey ? null : /^Digit([0-9])$/.exec(code);
  return match ? Number(match[1]) : null;
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || find("help").open || find("work").hidden) return;
  const at = event.target.closest?.("input, button, summary, a");
  if (at?.type === "text") {
    if (event.key === "Escape") at.blur();
    return;
  }
  const digit = digitOf(event);
  const act = digit !== null ? () => press(digit) : KEYS[event.key];
  if (!act || (event.key === " " && at) || (at?.type === "range" && event.key.startsWith("Arrow"))) return;
  event.preventDefault();
  if (!event.repeat || event.key.startsWith("Arrow")) act();
}

const KEYS = {
  " ": playOrPause,
  p: playOrPause,
  ArrowRight: () => move(1),
  ArrowLeft: () => move(-1),
  u: undo,
  n: () => find("new-label").focus(),
  "?": () => find("help").showModal(),
};

function press(digit) {
  if (digit === 0) answerNone();
  else if (labels[digit - 1]) toggle(labels[digit - 1].name);
  else say(`no label has the key ${digit}`);
}

function setUp() {
  if (atHand()) soundOf(atHand()); // begins to load while all else is made
  buildLabels();
  setUpTheme();
  showProgress(begin.progress);
  find("total").textContent = begin.total.toLocaleString("en");
  find("play").addEventListener("click", playOrPause);
  find("back").addEventListener("click", () => move(-1));
  find("on").addEventListener("click", () => move(1));
  find("undo").addEventListener("click", undo);
  find("ask-help").addEventListener("click", () => find("help").showModal());
  find("close-help").addEventListener("click", () => find("help").close());
  find("end").addEventListener("click", end);
  find("name-label").addEventListener("submit", nameLabel);
  find("volume").addEventListener("input", () => {
    for (const { media } of sounds.values()) media.volume = find("volume").value / 100;
  });
  find("picture").addEventListener("click", (event) => {
    const box = find("picture").getBoundingClientRect();
    const stretch = atHand();
    hand.moved = true;
    if (stretch) play(stretch, ((event.clientX - box.left) / box.width) * (stretch.end - stretch.start));
  });
  // A button that was clicked does not take the keyboard, so that the space bar goes on to play.
  find("work").addEventListener("mousedown", (event) => {
    if (event.target.closest("button")) event.preventDefault();
  });
  document.addEventListener("keydown", onKey);
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (width !== window.innerWidth) redraw();
    width = window.innerWidth;
  });
  show(begin.first, { fresh: true });
}

setUp();
