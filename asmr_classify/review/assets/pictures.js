// What is seen of a stretch: its waveform, as in the report, and its mel spectrogram.

const pictures = new Map(); // promises of what is drawn, by number

function pictureOf(number) {
  if (!pictures.has(number)) pictures.set(number, ask(`picture/${number}`));
  for (const known of pictures.keys()) if (Math.abs(known - number) > KEPT) pictures.delete(known);
  return pictures.get(number);
}

async function drawPicture(stretch) {
  let picture;
  try {
    picture = await pictureOf(stretch.number);
  } catch (reason) {
    pictures.delete(stretch.number); // it may be there again later
    if (isAtHand(stretch)) {
      clearPicture();
      trouble(reason.message);
    }
    return;
  }
  if (!isAtHand(stretch)) return;
  drawTimeline(find("wave"), asFile(stretch, picture));
  drawSpectrogram(find("mel"), picture);
  find("picture").dataset.drawn = stretch.number;
}

function clearPicture() {
  for (const id of ["wave", "mel"]) prepare(find(id), sizeOf(find(id)));
  delete find("picture").dataset.drawn;
}

// A stretch as a file of the report: labels that were answered cover the whole of it.
function asFile(stretch, { peaks }) {
  const length = Math.round(100 * (stretch.end - stretch.start));
  const held = (stretch.labels ?? []).map((name) => labels.findIndex((label) => label.name === name));
  return { peaks, duration: length, decoded: length, segments: held.filter((label) => label >= 0).flatMap((label) => [label, 0, length, 100]) };
}

// A byte a band and column, the lowest band first, becomes a point: the louder, the less of the
// ground is seen through it.
function drawSpectrogram(canvas, { mel, bands }) {
  const levels = Uint8Array.from(atob(mel), (char) => char.charCodeAt(0));
  const columns = levels.length / bands;
  const points = new ImageData(columns, bands);
  const [red, green, blue] = colourOf("accent");
  levels.forEach((level, k) => {
    const row = bands - 1 - (k % bands);
    points.data.set([red, green, blue, level], 4 * (row * columns + Math.floor(k / bands)));
  });
  const small = make("canvas", { width: columns, height: bands });
  small.getContext("2d").putImageData(points, 0, 0);
  const size = sizeOf(canvas);
  prepare(canvas, size).drawImage(small, 0, 0, size.width, size.height);
}

// The parts of a colour of the style, from 0 to 255, however the browser writes it.
function colourOf(name) {
  const context = make("canvas", { width: 1, height: 1 }).getContext("2d");
  const probe = make("span", { hidden: "" });
  document.body.append(probe);
  probe.style.color = `var(--${name})`;
  context.fillStyle = getComputedStyle(probe).color;
  probe.remove();
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}
