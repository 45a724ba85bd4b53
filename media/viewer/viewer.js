// Starts the page, and what belongs to no part of it: colours, help, saving, the keyboard.

const FAR_STEP = 10; // pixels that an arrow key moves with Shift

function say(text) {
  element("status").textContent = text;
}

function switchTheme() {
  const root = document.documentElement;
  root.dataset.theme = isDark() ? "light" : "dark";
  showTheme();
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function showTheme() {
  element("theme").setAttribute("aria-pressed", String(isDark()));
  element("theme").querySelector("use").setAttribute("href", isDark() ? "#icon-light" : "#icon-dark");
}

function openHelp() {
  element("help").showModal();
}

// What a key without Ctrl, Alt and Meta does: key → action. Letters work with Shift too.
function keyActions(stack, stage, save) {
  const move = (dx, dy) => (event) => {
    const layer = stack.selected;
    const step = event.shiftKey ? FAR_STEP : 1;
    stack.move(layer, layer.dx + step * dx, layer.dy + step * dy);
    say(`${shortened(layer.name)}: ${layer.left + layer.dx}, ${layer.top + layer.dy}`);
  };
  return {
    1: () => stage.setMode("arrange"),
    2: () => stage.setMode("explode"),
    3: () => stage.setMode("compare"),
    "[": () => stack.selectNext(-1),
    "]": () => stack.selectNext(1),
    ArrowLeft: move(-1, 0),
    ArrowRight: move(1, 0),
    ArrowUp: move(0, -1),
    ArrowDown: move(0, 1),
    v: () => stack.toggleVisible(stack.selected),
    s: () => stack.toggleSolo(stack.selected),
    r: () => stack.reset(),
    d: save,
    t: switchTheme,
    "+": () => stage.zoomBy(ZOOM_STEP),
    "=": () => stage.zoomBy(ZOOM_STEP),
    "-": () => stage.zoomBy(1 / ZOOM_STEP),
    0: () => stage.fit(),
    "?": openHelp,
    Escape: () => stack.solo && stack.toggleSolo(stack.solo),
  };
}

// Whether the key belongs to the browser. Some keyboards have "[" and "]" on AltGr, which may read as Ctrl and Alt, or on Alt.
function isShortcutOfTheBrowser(event) {
  if (event.getModifierState("AltGraph")) return false;
  return event.ctrlKey || event.metaKey || (event.altKey && !"[]".includes(event.key));
}

function bindKeyboard(actions, gestures) {
  document.addEventListener("keydown", (event) => {
    if (element("help").open || isShortcutOfTheBrowser(event)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.target.matches("input[type=number]")) return;
    if (event.target.matches("input[type=range]") && key.startsWith("Arrow")) return; // they move the slider
    if (key === " " && event.target === element("stage")) {
      gestures.holdSpace(true);
      event.preventDefault();
    }
    const action = actions[key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
  document.addEventListener("keyup", (event) => event.key === " " && gestures.holdSpace(false));
  window.addEventListener("blur", () => gestures.holdSpace(false));
}

// One layer after the other: each is decoded once here, and by the browser where it is shown.
async function load(stack, stage, panel) {
  for (const layer of stack.layers.filter((each) => !each.empty)) {
    const bitmap = await layer.load();
    stage.setPicture(layer);
    panel.setThumbnail(layer, bitmap);
    bitmap.close();
  }
  stack.changed();
}

async function start() {
  const data = JSON.parse(element("data").textContent);
  const original = embeddedPng("png-original");
  const stack = new Stack(data);
  const panel = new Panel(stack, data);
  const stage = new Stage(stack, original !== null);
  const gestures = new Gestures(stack, stage);
  if (original) stage.setOriginal(URL.createObjectURL(original));

  const saving = (make, name) => () =>
    make().then((png) => download(png, name()), (error) => say(`It could not be saved: ${error.message}`));
  const selected = () => stack.selected;
  const save = saving(() => compositePng(stack), () => fileName(data.title, " (layers)"));
  element("save-composite").addEventListener("click", save);
  element("save-cropped").addEventListener("click",
    saving(async () => selected().png, () => fileName(selected().name, " (cropped)")));
  element("save-full").addEventListener("click",
    saving(() => fullSizePng(stack, selected()), () => fileName(selected().name, "")));

  element("theme").addEventListener("click", switchTheme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
  element("help-open").addEventListener("click", openHelp);
  element("help-close").addEventListener("click", () => element("help").close());
  bindKeyboard(keyActions(stack, stage, save), gestures);
  showTheme();

  await load(stack, stage, panel);
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  element("summary").textContent = `This page cannot be shown: ${error.message}`;
  throw error;
});
