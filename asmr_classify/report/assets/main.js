// What starts the page: filters, pages and keys.

function redraw() {
  readPalette();
  drawRows();
  drawPlayer();
}

function setUpFilters() {
  for (const [value, text] of Object.entries(STATUSES)) {
    const number = files.filter((file) => file.status === value).length;
    if (number) find("status").append(make("option", { value, text: `${text} (${number.toLocaleString("en")})` }));
  }
  const told = kinds.map((_, kind) => files.filter((file) => kindsOf(file).some((one) => one.kind === kind)).length);
  told.forEach((number, kind) => find("kind").append(make("option", { value: kind, text: `${kindName(kind)} (${number.toLocaleString("en")})` })));
  find("of-kind").hidden = !kinds.length;
  setUpLooks();
  find("filters").addEventListener("submit", (event) => event.preventDefault());
  find("filters").addEventListener("input", refresh);
  find("filters").addEventListener("reset", () => {
    view.triggers.clear();
    for (const button of triggerButtons()) button.setAttribute("aria-pressed", "false");
    setTimeout(refresh); // once the fields are empty
  });
  for (const button of triggerButtons()) button.addEventListener("click", () => toggleTrigger(button));
}

const triggerButtons = () => document.querySelectorAll("button.trigger");

function toggleTrigger(button) {
  const label = Number(button.dataset.label);
  const pressed = !view.triggers.delete(label);
  if (pressed) view.triggers.add(label);
  button.setAttribute("aria-pressed", String(pressed));
  refresh();
}

function setUpPages() {
  find("earlier").addEventListener("click", () => turnTo(view.page - 1));
  find("later").addEventListener("click", () => turnTo(view.page + 1));
  find("page").addEventListener("change", () => turnTo(Math.round(Number(find("page").value) || 1) - 1));
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  moveAmongRows(event);
  const typing = event.target.closest?.("input, select, textarea, button, a, summary, [role=slider]");
  if (event.key === "Escape" && isOpen() && !event.target.closest?.("input[type=search]")) closePlayer();
  else if (event.key === "/" && !event.target.closest?.("input")) {
    event.preventDefault();
    find("text").focus();
  } else if (event.key === " " && isOpen() && (!typing || typing.id === "wave")) {
    event.preventDefault();
    toggle();
  }
}

function setUp() {
  buildHeadings();
  setUpFilters();
  setUpPages();
  setUpPlayer();
  buildReasons();
  arrange();
  showPage();
  announce();
  setUpTheme();
  document.addEventListener("keydown", onKey);
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (width !== window.innerWidth) redraw();
    width = window.innerWidth;
  });
  document.documentElement.dataset.ready = "yes";
}

setUp();
