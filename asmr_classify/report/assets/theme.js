// Light, dark, or as the system has it. `redraw` of the page draws its pictures in the new colours.

const THEMES = { auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" };

function remembered(value) {
  try {
    if (value !== undefined) localStorage.setItem("asmr-classify-theme", value);
    return localStorage.getItem("asmr-classify-theme");
  } catch {
    return null; // pages on a disk may not be allowed to keep anything
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  find("theme").textContent = THEMES[theme];
  redraw();
}

function setUpTheme() {
  const names = Object.keys(THEMES);
  const kept = remembered();
  find("theme").hidden = false;
  find("theme").addEventListener("click", () => {
    const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
    remembered(next);
    setTheme(next);
  });
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", redraw);
  setTheme(names.includes(kept) ? kept : "auto");
}
