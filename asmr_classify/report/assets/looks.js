// How videos look: in words, as a filmstrip, and as lanes of motion and light.

const LEVELS = {
  picture: ["video", "still"],
  motion: ["still", "slow", "lively"],
  light: ["dark", "dim", "bright"],
};
const UNSEEN = 255;

const levelOf = (file, what) => (what === "picture" ? file.seen?.picture : file.seen?.[what]?.[0]);

// The line below the triggers; how much it is stands in the title.
function looksLine(file) {
  if (file.unseen) return [make("span", { class: "kinds looks", title: printable(file.unseen[1]), text: "picture not seen" })];
  if (!file.seen) return [];
  const { picture, motion, light } = file.seen;
  const text = [picture === "still" && "still picture", motion && `motion ${motion[0]}`, light && `light ${light[0]}`].filter(Boolean).join(", ");
  return [make("span", { class: "kinds looks", title: describeLook(file), text: text || picture })];
}

function describeLook({ seen: { motion, light, cuts, flashes } }) {
  return [
    motion && `motion ${motion[0]} (${motion[1]})`,
    light && `light ${light[0]} (${light[1]})`,
    cuts !== undefined && `${cuts} cuts a minute`,
    flashes !== undefined && `most flashes in a second: ${flashes}`,
  ].filter(Boolean).join(", ");
}

// A picture is read only when it comes into sight.
function filmOf(file) {
  if (!file.film) return [];
  const title = file.seen ? describeLook(file) : null;
  return [make("img", { class: "film", alt: "", title, loading: "lazy", decoding: "async", src: `data:image/jpeg;base64,${file.film}` })];
}

function setUpLooks() {
  find("of-looks").hidden = !files.some((file) => file.seen);
  for (const [what, levels] of Object.entries(LEVELS)) {
    for (const level of levels) {
      const number = files.filter((file) => levelOf(file, what) === level).length;
      if (number) find(what).append(make("option", { value: level, text: `${level} (${number.toLocaleString("en")})` }));
    }
  }
}

const readLooks = () => Object.keys(LEVELS).map((what) => [what, find(what).value]).filter(([, level]) => level);

const looksSo = (file, looks) => looks.every(([what, level]) => levelOf(file, what) === level);

// The values of a lane with their times in seconds.
function valuesOf(file, what) {
  const [top, packed] = file.lanes?.[what] ?? [0, ""];
  const bytes = [...atob(packed)].map((char) => char.charCodeAt(0));
  const step = (file.lanes?.seconds ?? 0) / 100 / (bytes.length || 1);
  return bytes.map((byte, k) => ({ start: k * step, end: (k + 1) * step, height: byte / 254, value: byte === UNSEEN ? null : top * (byte / 254) ** 2 }));
}

function lookLanes(file) {
  return ["motion", "light"].filter((what) => valuesOf(file, what).length).map((what) => buildLookLane(file, what));
}

function buildLookLane(file, what) {
  const level = levelOf(file, what) ?? "";
  const track = make("div", { class: "track", role: "img", "aria-label": `${what} over time: ${level}` }, make("canvas", { "aria-hidden": "true" }));
  const values = valuesOf(file, what);
  const secondsAt = (event) => {
    const box = track.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * secondsOf(file);
  };
  track.addEventListener("click", (event) => openFile(file, { play: true, at: secondsAt(event) }));
  track.addEventListener("pointermove", (event) => {
    const seconds = secondsAt(event);
    const here = values.find(({ start, end }) => start <= seconds && seconds < end);
    track.title = `${what} ${here?.value?.toPrecision(2) ?? "not seen"} at ${clock(seconds)}`;
  });
  const lane = make("div", { class: "lane of-looks" },
    make("div", { class: "lane-name" }, make("span", { text: what }), make("span", { class: "faint", text: level })),
    track);
  lane.draw = () => drawLook(track.firstChild, file, values);
  return lane;
}

function drawLook(canvas, file, values) {
  const size = sizeOf(canvas);
  const context = prepare(canvas, size);
  context.fillStyle = getComputedStyle(canvas).color;
  const scale = size.width / (secondsOf(file) || 1);
  for (const { start, end, height, value } of values) {
    const tall = Math.max(1, height * size.height);
    if (value !== null) context.fillRect(start * scale, size.height - tall, Math.max(1, (end - start) * scale - 0.5), tall);
  }
}
