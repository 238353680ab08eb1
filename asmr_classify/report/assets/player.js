// The player: one recording, its waveform, and a lane of segments for each label in it.

const player = { file: null, media: null, segments: [], wanted: null };

const isOpen = () => !find("player").hidden;

// Shows a recording in the player, and plays it if asked to, from a time in seconds.
function openFile(file, { play = false, at = null } = {}) {
  if (player.file !== file) load(file);
  if (at !== null) seek(at);
  if (play) start();
}

function load(file) {
  unload();
  player.file = file;
  player.segments = segmentsOf(file);
  const [folder, name] = splitPath(file.shown);
  find("now-name").textContent = name;
  find("now-about").textContent = [folder, describeCorrection(file), file.error && printable(file.error[1]), printable(models[file.model])].filter(Boolean).join(" · ");
  find("player").hidden = false;
  find("trouble").hidden = true;
  showAddress(file);
  buildLanes(file);
  drawPlayer();
  markRow();
  showTime();
}

function showAddress(file) {
  const link = find("open");
  link.hidden = !file.url;
  if (file.url) link.href = file.url;
}

// The element that plays is made only now: a page of thousands loads none of them.
function mediaOf(file) {
  if (player.media) return player.media;
  const media = make(file.video ? "video" : "audio", { preload: "metadata" });
  media.volume = find("volume").value / 100;
  media.addEventListener("loadedmetadata", () => {
    if (player.wanted !== null) media.currentTime = player.wanted;
    player.wanted = null;
  });
  media.addEventListener("timeupdate", showTime);
  for (const name of ["play", "pause", "ended"]) media.addEventListener(name, showState);
  media.addEventListener("error", () => tellTrouble(file));
  media.src = file.url;
  find("stage").append(media);
  player.media = media;
  return media;
}

function tellTrouble(file) {
  if (player.file !== file) return;
  find("trouble").textContent = "This browser cannot play it, or it is not where it was when the report was made.";
  find("trouble").hidden = false;
  showState();
}

function unload() {
  if (player.media) {
    player.media.pause();
    player.media.removeAttribute("src");
    player.media.load();
    player.media.remove();
  }
  Object.assign(player, { file: null, media: null, segments: [], wanted: null });
  showState();
}

function closePlayer() {
  const { file } = player;
  unload();
  find("player").hidden = true;
  const row = [...find("rows").children].find((each) => each.file === file);
  (row?.querySelector("button") ?? find("text")).focus();
}

function start() {
  if (!player.file?.url) return tellTrouble(player.file);
  mediaOf(player.file).play().catch((reason) => {
    if (reason.name !== "AbortError") tellTrouble(player.file ?? {});
  });
}

function toggle() {
  if (player.media && !player.media.paused) player.media.pause();
  else start();
}

function seek(seconds) {
  if (!player.file.url) return;
  const media = mediaOf(player.file);
  const place = Math.max(0, Math.min(seconds, secondsOf(player.file)));
  if (media.readyState > 0) media.currentTime = place;
  else player.wanted = place;
  showTime();
}

const currentTime = () => player.wanted ?? player.media?.currentTime ?? 0;

// Plays the segment before or after the one at hand.
function stepSegment(step) {
  const now = currentTime();
  const starts = [...new Set(player.segments.map((segment) => segment.start))].sort((a, b) => a - b);
  const next = step > 0 ? starts.find((each) => each > now + 0.05) : starts.findLast((each) => each < now - 1);
  if (next === undefined && step > 0) return;
  seek(next ?? 0);
  start();
}

const isPlaying = () => Boolean(player.media && !player.media.paused && !player.media.ended);

function showState() {
  const playing = isPlaying();
  find("play").classList.toggle("playing", playing);
  find("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  document.body.classList.toggle("playing", playing);
  markRow();
}

function showTime() {
  if (!player.file) return;
  const whole = secondsOf(player.file) || player.media?.duration || 0;
  const now = currentTime();
  const share = whole ? Math.min(1, now / whole) : 0;
  find("clock").textContent = `${clock(now)} / ${clock(whole)}`;
  find("wave").setAttribute("aria-valuemax", whole.toFixed(1));
  find("wave").setAttribute("aria-valuenow", now.toFixed(1));
  find("wave").setAttribute("aria-valuetext", `${clock(now)} of ${clock(whole)}`);
  document.documentElement.style.setProperty("--played", share);
  for (const button of find("lanes").querySelectorAll("button")) {
    const { start: from, end } = player.segments[button.place];
    button.classList.toggle("sounding", from <= now && now < end && Boolean(player.media));
  }
}

// Marks the row of the recording in the player, whose button pauses while that plays.
function markRow() {
  for (const row of find("rows").children) {
    const current = row.file === player.file;
    if (current) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
    row.querySelector("button").setAttribute("aria-label", `${current && isPlaying() ? "Pause" : "Play"} ${row.file.shown}`);
  }
}

function buildLanes(file) {
  const held = [...new Set(player.segments.map((segment) => segment.label))].sort((a, b) => a - b);
  find("lanes").replaceChildren(...held.map((label) => buildLane(file, label)), ...lookLanes(file));
  const first = find("lanes").querySelector("button");
  if (first) first.tabIndex = 0;
}

function buildLane(file, label) {
  const score = file.scores?.[label] ?? -1;
  const set = isSet(file, "trigger") && file.tags.includes(label);
  const text = set ? SET : score < 0 ? "" : (score / 100).toFixed(2);
  const track = make("div", { class: "track" });
  player.segments.forEach((segment, place) => {
    if (segment.label === label) track.append(segmentButton(file, segment, place));
  });
  return make("div", { class: `lane colour-${labels[label].colour}` },
    make("div", { class: "lane-name" },
      make("span", { class: "letter", "aria-hidden": "true", text: labels[label].letter || "·" }),
      make("span", { text: labelName(labels[label]) }),
      make("span", { class: "faint", text })),
    track);
}

function segmentButton(file, segment, place) {
  const whole = secondsOf(file) || 1;
  const text = describeSegment(segment);
  const button = make("button", { type: "button", class: "segment", title: text, "aria-label": `Play ${text}`, tabindex: "-1" });
  button.style.left = `${(100 * segment.start) / whole}%`;
  button.style.width = `${(100 * (segment.end - segment.start)) / whole}%`;
  button.style.setProperty("--surety", segment.score);
  button.place = place;
  button.addEventListener("click", () => openFile(file, { play: true, at: segment.start }));
  return button;
}

// One segment is in the tab order; arrow keys go to the others, in time and from lane to lane.
function moveAmongSegments(event) {
  const here = event.target.closest?.(".segment");
  if (!here) return;
  const buttons = [...find("lanes").querySelectorAll(".segment")].sort((a, b) => a.place - b.place);
  const at = buttons.indexOf(here);
  const target = {
    ArrowRight: () => buttons[at + 1],
    ArrowLeft: () => buttons[at - 1],
    Home: () => buttons[0],
    End: () => buttons.at(-1),
    ArrowDown: () => nearestInLane(here, "nextElementSibling"),
    ArrowUp: () => nearestInLane(here, "previousElementSibling"),
  }[event.key]?.();
  if (!target) return;
  event.preventDefault();
  here.tabIndex = -1;
  target.tabIndex = 0;
  target.focus();
}

function nearestInLane(here, direction) {
  const lane = here.closest(".lane")[direction];
  if (!lane) return undefined;
  const from = player.segments[here.place].start;
  const away = (button) => Math.abs(player.segments[button.place].start - from);
  return [...lane.querySelectorAll(".segment")].sort((a, b) => away(a) - away(b))[0];
}

function moveOnWave(event) {
  const step = { ArrowRight: 5, ArrowLeft: -5, ArrowUp: 5, ArrowDown: -5, PageUp: 60, PageDown: -60 }[event.key];
  const whole = secondsOf(player.file);
  const place = step ? currentTime() + step : { Home: 0, End: whole }[event.key];
  if (place === undefined) return;
  event.preventDefault();
  seek(place);
}

function drawPlayer() {
  if (!player.file) return;
  drawTimeline(find("wave").querySelector("canvas"), player.file);
  for (const lane of find("lanes").children) lane.draw?.();
}

function setUpPlayer() {
  find("play").addEventListener("click", toggle);
  find("previous").addEventListener("click", () => stepSegment(-1));
  find("next").addEventListener("click", () => stepSegment(1));
  find("close").addEventListener("click", closePlayer);
  find("volume").addEventListener("input", () => {
    if (player.media) player.media.volume = find("volume").value / 100;
  });
  find("lanes").addEventListener("keydown", moveAmongSegments);
  find("wave").addEventListener("keydown", moveOnWave);
  find("wave").addEventListener("click", (event) => {
    const box = find("wave").getBoundingClientRect();
    openFile(player.file, { play: true, at: ((event.clientX - box.left) / box.width) * secondsOf(player.file) });
  });
  new ResizeObserver(([entry]) => {
    const height = isOpen() ? entry.target.offsetHeight : 0;
    document.documentElement.style.setProperty("--player-height", `${height}px`);
  }).observe(find("player"));
}
