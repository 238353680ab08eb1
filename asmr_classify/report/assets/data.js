// The data of the page: what the JSON holds, and how its values are written for people.

const { labels, kinds, models, files } = JSON.parse(document.getElementById("data").textContent);

const STATUSES = { ok: "ok", silent: "silent", no_audio: "no audio", partial: "partial", failed: "failed" };
const kindName = (kind) => printable(kinds[kind]).replaceAll("_", " ");

// The kinds of sound of a file with their scores, the surest first.
function kindsOf(file) {
  const flat = file.kinds ?? [];
  return Array.from({ length: flat.length / 2 }, (_, k) => ({ kind: flat[2 * k], score: flat[2 * k + 1] / 100 }));
}

// What stands in the place of a score, which is the model's, where a person decided.
const SET = "set by hand";

const isSet = (file, what) => file.corrected?.includes(what) ?? false;

// In one line all that was set by hand; empty if nothing was.
function describeCorrection(file) {
  const tags = file.tags.map((tag) => labelName(labels[tag])).join(", ") || "none";
  const parts = [];
  if (isSet(file, "trigger")) parts.push(`triggers: ${tags}`);
  if (isSet(file, "no_talking")) parts.push(`talking: ${file.quiet ? "none" : "some"}`);
  if (isSet(file, "kinds")) parts.push(`kinds: ${kindsOf(file).map(({ kind }) => kindName(kind)).join(", ") || "none"}`);
  return parts.length ? `${SET}: ${parts.join("; ")}` : "";
}

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
  if (!file.duration && !file.decoded && file.lanes) file.duration = file.lanes.seconds; // only seen
});
