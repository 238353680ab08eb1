// Which files are shown, and in which order.

const COLUMNS = [
  { id: "file", title: "File", key: (file) => file.place },
  { id: "tags", title: "Triggers", key: tagKey },
  { id: "timeline", title: "Timeline", key: (file) => file.labelled, hint: "share of the recording in which a trigger is heard", most: true },
  { id: "length", title: "Length", key: (file) => file.duration ?? -1, most: true },
  { id: "talk", title: "Talking", key: talkKey },
  { id: "status", title: "Status", key: (file) => Object.keys(STATUSES).indexOf(file.status), most: true },
];

const view = {
  column: COLUMNS[0],
  descending: false,
  page: 0,
  pageSize: 50,
  triggers: new Set(), // all of these must be tagged
  order: [], // the files that are shown, sorted
};

// By main trigger, the surest first; untagged files last.
function tagKey(file) {
  if (!file.tags.length) return labels.length;
  const surety = isSet(file, "trigger") ? 100 : (file.scores?.[file.tags[0]] ?? 0);
  return file.tags[0] + 1 - surety / 101;
}

// Without talking first, then by the longest stretch of it; unknown last.
function talkKey(file) {
  if (file.quiet === undefined) return Infinity;
  return file.quiet ? -1 : (file.talk ?? 0);
}

function readFilters() {
  const words = find("text").value.normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean);
  const minutes = (id) => (find(id).value === "" ? null : Number(find(id).value) * 6000);
  return {
    words,
    tagged: find("tagged").value,
    kind: find("kind").value,
    talking: find("talking").value,
    shortest: minutes("shortest"),
    longest: minutes("longest"),
    status: find("status").value,
    looks: readLooks(),
    triggers: [...view.triggers],
  };
}

function wanted(file, filters) {
  const { words, tagged, kind, talking, shortest, longest, status, looks, triggers } = filters;
  if (status && file.status !== status) return false;
  if (tagged && (tagged === "some") !== file.tags.length > 0) return false;
  if (kind && !kindsOf(file).some((told) => told.kind === Number(kind))) return false;
  if (talking && (file.quiet === undefined || (talking === "no") !== file.quiet)) return false;
  if (shortest !== null && !(file.duration >= shortest)) return false;
  if (longest !== null && !(file.duration <= longest)) return false;
  if (!looksSo(file, looks)) return false;
  return triggers.every((trigger) => file.tags.includes(trigger)) && words.every((word) => file.search.includes(word));
}

// Chooses and sorts anew; ties stay in the order of paths.
function arrange() {
  const filters = readFilters();
  const { key } = view.column;
  const sign = view.descending ? -1 : 1;
  const keyed = [];
  for (const file of files) if (wanted(file, filters)) keyed.push([key(file), file]);
  keyed.sort(([a, one], [b, other]) => (a < b ? -sign : a > b ? sign : one.place - other.place));
  view.order = keyed.map(([, file]) => file);
}

const lastPage = () => Math.max(0, Math.ceil(view.order.length / view.pageSize) - 1);
