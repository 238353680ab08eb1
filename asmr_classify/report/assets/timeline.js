// Waveforms and timelines as pictures. A file has its timeline and waveform as report/data.py
// writes them; `labels` is the list of labels of the page.

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

const secondsOf = (file) => Math.max(file.duration ?? 0, file.decoded ?? 0) / 100;

const palette = new Map(); // CSS colours of labels in the theme at hand

function readPalette({ plain = "line" } = {}) {
  const probe = make("span", { hidden: "" });
  document.body.append(probe);
  const resolve = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  for (const label of labels) palette.set(label, resolve(label.colour));
  palette.set("ink", resolve("on-label"));
  palette.set("plain", resolve(plain));
  probe.remove();
}

// For each of n parts of a file, the labels that cover most of it, triggers first, two at most.
function labelsByPart(segments, whole, n) {
  const covers = Array.from({ length: n }, () => new Map());
  const part = whole / n;
  for (const { label, start, end } of segments) {
    const last = Math.min(n, Math.ceil(end / part));
    for (let k = Math.floor(start / part); k < last; k++) {
      const cover = Math.min(end / part, k + 1) - Math.max(start / part, k);
      covers[k].set(label, (covers[k].get(label) ?? 0) + cover);
    }
  }
  return covers.map(mostCovering);
}

function mostCovering(cover) {
  const rank = (label) => (labels[label].name === "silence" ? 2 : labels[label].trigger ? 0 : 1);
  const all = [...cover].sort((a, b) => b[1] - a[1]);
  const enough = all.filter(([, share]) => share >= 0.2);
  const kept = (enough.length ? enough : all.slice(0, 1)).map(([label]) => label);
  kept.sort((a, b) => rank(a) - rank(b) || cover.get(b) - cover.get(a));
  return kept.slice(0, kept.length > 1 && rank(kept[1]) === 2 ? 1 : 2);
}

// Makes a canvas as sharp as the screen, and gives its context in CSS pixels.
function prepare(canvas, { width, height }) {
  const sharpness = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * sharpness);
  canvas.height = Math.round(height * sharpness);
  const context = canvas.getContext("2d");
  context.scale(sharpness, sharpness);
  return context;
}

// Sizes are measured before anything is drawn: drawing changes the layout, measuring computes it.
const sizeOf = (canvas) => ({ width: canvas.clientWidth, height: canvas.clientHeight });

// The height of the waveform, from 0 to 1, at each of n parts of the whole length.
function heights(file, n) {
  const peaks = peaksOf(file);
  const whole = secondsOf(file) || 1;
  const drawn = peaks.length ? Math.min(1, (file.decoded ?? file.duration) / 100 / whole) : 0;
  return Array.from({ length: n }, (_, k) => {
    const first = Math.floor((k / n / drawn) * peaks.length);
    const last = Math.max(first + 1, Math.floor(((k + 1) / n / drawn) * peaks.length));
    let height = 0;
    for (let i = first; i < last && i < peaks.length; i++) height = Math.max(height, peaks[i]);
    return height / 255;
  });
}

// Draws a waveform, coloured by label; `strip` pixels below it show labels with their letters.
function drawTimeline(canvas, file, { strip = 0, size = sizeOf(canvas) } = {}) {
  const { width, height } = size;
  const context = prepare(canvas, size);
  const n = Math.floor(width / 3);
  if (n < 1) return;
  const parts = labelsByPart(segmentsOf(file), secondsOf(file), n);
  const colour = (label) => (label === undefined ? palette.get("plain") : palette.get(labels[label]));
  drawBars(context, file, parts, { width, room: height - (strip ? strip + 4 : 0), colour });
  if (strip) drawStrip(context, parts, { width, top: height - strip, tall: strip, colour });
}

// Bars have no round ends: rectangles are filled twenty times as fast as paths.
function drawBars(context, file, parts, { width, room, colour }) {
  const bars = file.peaks ? heights(file, parts.length) : null;
  parts.forEach(([label], k) => {
    const plain = label === undefined || labels[label].name === "silence" ? 0 : 0.36;
    const tall = Math.max(2, (bars ? bars[k] : plain) * room);
    context.fillStyle = colour(label);
    context.fillRect(Math.round((k * width) / parts.length), (room - tall) / 2, 2, tall);
  });
}

function drawStrip(context, parts, { width, top, tall, colour }) {
  const n = parts.length;
  context.font = `700 ${tall - 3}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let k = 0; k < n; ) {
    let end = k + 1;
    while (end < n && String(parts[end]) === String(parts[k])) end++;
    const held = parts[k].filter((label) => labels[label].name !== "silence");
    const left = (k * width) / n;
    const long = ((end - k) * width) / n;
    held.forEach((label, i) => {
      const share = tall / held.length;
      context.fillStyle = colour(label);
      context.beginPath();
      context.roundRect(left + 0.5, top + i * share, Math.max(1, long - 1), share - (held.length > 1 ? 0.5 : 0), 2);
      context.fill();
    });
    if (held.length === 1 && long >= tall) letterOn(context, labels[held[0]].letter, left + long / 2, top + tall / 2);
    k = end;
  }
}

function letterOn(context, letter, x, y) {
  context.fillStyle = palette.get("ink");
  context.fillText(letter, x, y + 0.5);
}

// The segment that a picture shows at a time: a trigger's before a context's, the shortest first.
function segmentAt(file, seconds) {
  const held = segmentsOf(file).filter(({ start, end }) => start <= seconds && seconds < end);
  const rank = ({ label }) => (labels[label].name === "silence" ? 2 : labels[label].trigger ? 0 : 1);
  held.sort((a, b) => rank(a) - rank(b) || a.end - a.start - (b.end - b.start));
  return held[0];
}

const describeSegment = ({ label, start, end, score }) =>
  `${labelName(labels[label])}, ${clock(start, 1)} to ${clock(end, 1)}, score ${score.toFixed(2)}`;
