// The table: headings that sort, a page of rows, and the count above them.

function buildHeadings() {
  for (const column of COLUMNS) {
    const button = make("button", { type: "button", text: column.title, title: `Sort by ${column.hint ?? column.title.toLowerCase()}` });
    button.addEventListener("click", () => sortBy(column));
    column.heading = make("th", { scope: "col", role: "columnheader", class: `at-${column.id}` }, button);
    find("headings").append(column.heading);
  }
}

function sortBy(column) {
  view.descending = view.column === column ? !view.descending : Boolean(column.most);
  view.column = column;
  refresh();
}

// Shows what the filters and the order now give, from the first page.
function refresh() {
  arrange();
  view.page = 0;
  showPage();
  announce();
}

function announce() {
  const seconds = view.order.reduce((sum, file) => sum + (file.duration ?? 0), 0) / 100;
  const all = view.order.length === files.length;
  const shown = all ? count(files.length, "recording") : `${view.order.length.toLocaleString("en")} of ${count(files.length, "recording")}`;
  find("count").textContent = `${shown}, ${describeLength(seconds)}`;
}

function showPage() {
  const first = view.page * view.pageSize;
  const page = view.order.slice(first, first + view.pageSize);
  const rows = page.map((file, k) => buildRow(file, first + k));
  find("rows").replaceChildren(...rows);
  find("table").setAttribute("aria-rowcount", view.order.length + 1);
  find("table").hidden = page.length === 0;
  find("nothing").hidden = page.length > 0;
  for (const column of COLUMNS) {
    const sorted = column === view.column ? (view.descending ? "descending" : "ascending") : "none";
    column.heading.setAttribute("aria-sort", sorted);
  }
  find("pages").hidden = lastPage() === 0;
  find("page").value = view.page + 1;
  find("page").max = lastPage() + 1;
  find("last-page").textContent = `of ${(lastPage() + 1).toLocaleString("en")}`;
  find("earlier").disabled = view.page === 0;
  find("later").disabled = view.page === lastPage();
  drawRows();
  markRow();
}

function turnTo(page) {
  view.page = Math.min(lastPage(), Math.max(0, page));
  showPage();
  find("recordings").scrollIntoView();
}

function drawRows() {
  const canvases = [...find("rows").querySelectorAll("canvas")];
  const sizes = canvases.map(sizeOf);
  canvases.forEach((canvas, k) => drawTimeline(canvas, canvas.closest("tr").file, { strip: 12, size: sizes[k] }));
}

function buildRow(file, place) {
  const row = make("tr", { role: "row", "aria-rowindex": place + 2 },
    cell("file", nameButton(file)),
    cell("tags", ...tagChips(file), ...kindsLine(file), ...looksLine(file)),
    cell("timeline", ...filmOf(file), timelineOf(file)),
    cell("length", make("span", { text: file.duration === undefined ? "–" : clock(file.duration / 100) })),
    cell("talk", make("span", { text: describeTalk(file), class: file.quiet ? "good" : "" }), ...setMark(file, "no_talking")),
    cell("status", make("span", { text: STATUSES[file.status], class: `status ${file.status}` })));
  row.file = file;
  return row;
}

function cell(id, ...children) {
  const title = COLUMNS.find((column) => column.id === id).title;
  return make("td", { role: "cell", class: `at-${id}`, "data-title": title }, ...children);
}

// The button that plays and pauses a file; its folder stands above the name.
function nameButton(file) {
  const [folder, name] = splitPath(file.shown);
  const button = make("button", { type: "button", class: "opener", title: file.shown, "aria-label": `Play ${file.shown}` },
    make("span", { class: "cue", "aria-hidden": "true" }),
    make("span", { class: "words" }, make("bdi", { class: "folder", text: folder }), make("bdi", { text: name })));
  button.addEventListener("click", () => (player.file === file ? toggle() : openFile(file, { play: true })));
  return button;
}

function tagChips(file) {
  if (!file.tags.length) {
    const known = file.scores || isSet(file, "trigger");
    return [make("span", { class: "faint", text: known ? "none" : "–" }), ...setMark(file, "trigger")];
  }
  const set = isSet(file, "trigger");
  return file.tags.map((tag, k) => {
    const score = file.scores?.[tag] ?? -1;
    const text = set || score < 0 ? "" : (score / 100).toFixed(2);
    return make("span", { class: `chip colour-${labels[tag].colour}${k ? "" : " main"}` },
      make("span", { class: "letter", "aria-hidden": "true", text: labels[tag].letter }),
      make("span", { text: labelName(labels[tag]) }),
      make("span", { class: "faint", text }));
  }).concat(setMark(file, "trigger"));
}

// The words that stand below what a person decided.
function setMark(file, what) {
  return isSet(file, what) ? [make("span", { class: "set", title: "corrected in the catalogue", text: SET })] : [];
}

// The kinds of sound below the triggers; what has no room is in the title.
function kindsLine(file) {
  const text = kindsOf(file).map(({ kind, score }) => `${kindName(kind)} ${isSet(file, "kinds") ? SET : score.toFixed(2)}`).join(", ");
  return text ? [make("span", { class: "kinds", title: text, text })] : [];
}

function describeTalk(file) {
  if (file.quiet === undefined) return "–";
  if (file.quiet) return "none";
  return file.talk ? `up to ${clock(file.talk / 100)}` : "some";
}

function timelineOf(file) {
  if (file.error && !file.segments) {
    return make("span", { class: "reason", text: printable(file.error[1]) });
  }
  const cover = coverOf(file).map(([label, share]) => `${labelName(labels[label])} ${Math.round(100 * share)} %`);
  const strip = make("div", { class: "strip" },
    make("canvas", { "aria-hidden": "true" }),
    make("span", { class: "for-readers", text: cover.join(", ") || "no label" }),
    make("span", { class: "here", "aria-hidden": "true" }));
  const secondsAt = (event) => {
    const box = strip.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * secondsOf(file);
  };
  strip.addEventListener("click", (event) => {
    const seconds = secondsAt(event);
    openFile(file, { play: true, at: segmentAt(file, seconds)?.start ?? seconds });
  });
  strip.addEventListener("pointermove", (event) => {
    const segment = segmentAt(file, secondsAt(event));
    strip.title = segment ? describeSegment(segment) : clock(secondsAt(event), 1);
  });
  return strip;
}

// Arrow keys go from row to row.
function moveAmongRows(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const row = event.target.closest?.("#rows tr");
  if (!step || !row) return;
  event.preventDefault();
  const rows = [...find("rows").children];
  const next = rows[rows.indexOf(row) + step];
  if (next) {
    next.querySelector("button").focus();
  } else if (view.page + step >= 0 && view.page + step <= lastPage()) {
    turnTo(view.page + step);
    const buttons = find("rows").querySelectorAll("button.opener");
    buttons[step > 0 ? 0 : buttons.length - 1].focus();
  }
}

const REASONS_AT_FIRST = 100;

function buildReasons() {
  const lost = files.filter((file) => file.error);
  if (!lost.length) return;
  const failed = lost.filter((file) => file.status === "failed").length;
  find("problems").hidden = false;
  find("problems-title").textContent = describeProblems(lost.length, failed);
  const show = (some) => find("reasons").replaceChildren(...some.map(reasonRow));
  show(lost.slice(0, REASONS_AT_FIRST));
  const more = find("more-reasons");
  more.hidden = lost.length <= REASONS_AT_FIRST;
  more.addEventListener("click", () => {
    show(lost);
    more.hidden = true;
  });
}

function describeProblems(lost, failed) {
  if (lost === failed) return `${count(lost, "file")} failed`;
  const rest = failed ? `, of which ${failed.toLocaleString("en")} failed` : "";
  return `Problems with ${count(lost, "file")}${rest}`;
}

function reasonRow(file) {
  const [kind, message] = file.error;
  return make("tr", {},
    make("td", {}, make("bdi", { text: file.shown })),
    make("td", {}, make("span", { class: `status ${file.status}`, text: STATUSES[file.status], title: printable(kind) })),
    make("td", { text: printable(message) }));
}
