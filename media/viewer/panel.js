// The list of the layers, what is known about the selected one, and the parameters of the run.

const NARROW = "(max-width: 820px)";

class Panel {
  constructor(stack, data) {
    this.stack = stack;
    this.list = element("layers");
    this.rows = new Map(); // layer → the elements of its row
    for (const layer of [...stack.layers].reverse()) this.rows.set(layer, this.makeRow(layer)); // front first
    this.bindInspector();
    this.describe(data);
    stack.addEventListener("change", () => this.show());
    this.show();
  }

  makeRow(layer) {
    const item = element("layer-row").content.cloneNode(true).firstElementChild;
    const find = (selector) => item.querySelector(selector);
    const row = {
      item,
      select: find(".select"),
      solo: find(".solo"),
      visible: find(".visible"),
      slider: find(".opacity input"),
      percent: find(".opacity output"),
      thumbnail: find(".thumbnail"),
    };
    const label = shortened(layer.name);
    item.dataset.layer = layer.index;
    find(".name").textContent = shortened(layer.name, 200);
    find(".size").textContent = layer.empty ? "Empty" : `${layer.width} × ${layer.height}`;
    row.select.title = label;
    row.select.setAttribute("aria-label", layer.empty ? `${label}, empty` : label);
    row.solo.setAttribute("aria-label", `Show only ${label}`);
    row.visible.setAttribute("aria-label", `Show ${label}`);
    row.slider.setAttribute("aria-label", `Opacity of ${label}`);
    item.classList.toggle("empty", layer.empty);
    for (const control of [row.solo, row.visible, row.slider]) control.disabled = layer.empty;
    row.select.addEventListener("click", () => this.stack.select(layer));
    row.solo.addEventListener("click", () => this.stack.toggleSolo(layer));
    row.visible.addEventListener("click", () => this.stack.toggleVisible(layer));
    row.slider.addEventListener("input", () => this.stack.setOpacity(layer, row.slider.valueAsNumber / 100));
    this.list.append(item);
    return row;
  }

  bindInspector() {
    const place = () => {
      const layer = this.stack.selected;
      const [x, y] = [element("position-x").valueAsNumber, element("position-y").valueAsNumber];
      if (!Number.isNaN(x) && !Number.isNaN(y)) this.stack.move(layer, x - layer.left, y - layer.top);
    };
    element("position-x").addEventListener("input", place);
    element("position-y").addEventListener("input", place);
    element("position-reset").addEventListener("click", () => this.stack.move(this.stack.selected, 0, 0));
    element("reset").addEventListener("click", () => this.stack.reset());
  }

  describe(data) {
    const count = data.layers.length;
    const size = `${data.width} × ${data.height} pixels`;
    element("title").textContent = shortened(data.title, 300) || "Layers";
    element("title").title = shortened(data.title, 600);
    element("summary").textContent =
      [size, count === 1 ? "1 layer" : `${count} layers`, data.generator].filter(Boolean).join(" · ");
    const entries = [["Title", data.title], ["Size", size], ["Made by", data.generator], ...data.parameters];
    for (const [name, value] of entries.filter(([, text]) => text !== "")) {
      const term = document.createElement("dt");
      const description = document.createElement("dd");
      term.textContent = name;
      description.textContent = value;
      element("parameters").append(term, description);
    }
    element("details").open = !matchMedia(NARROW).matches;
  }

  // The part of the layer in which something can be seen.
  setThumbnail(layer, bitmap) {
    const { thumbnail } = this.rows.get(layer);
    const { left, top, width, height } = layer.seen;
    const scale = Math.min(thumbnail.width / width, thumbnail.height / height);
    const [shownWidth, shownHeight] = [width * scale, height * scale];
    const context = thumbnail.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, left, top, width, height, (thumbnail.width - shownWidth) / 2,
                      (thumbnail.height - shownHeight) / 2, shownWidth, shownHeight);
  }

  show() {
    for (const [layer, row] of this.rows) {
      const percent = Math.round(100 * layer.opacity);
      row.item.classList.toggle("selected", layer === this.stack.selected);
      row.item.classList.toggle("unseen", !this.stack.shows(layer));
      row.select.setAttribute("aria-pressed", String(layer === this.stack.selected));
      row.solo.setAttribute("aria-pressed", String(layer === this.stack.solo));
      row.visible.setAttribute("aria-checked", String(layer.visible && !layer.empty));
      row.visible.querySelector("use")
        .setAttribute("href", layer.visible && !layer.empty ? "#icon-shown" : "#icon-hidden");
      row.slider.value = percent;
      row.slider.style.setProperty("--filled", `${percent}%`); // the part of its track up to the thumb
      row.percent.textContent = `${percent} %`;
    }
    this.showInspector(this.stack.selected);
  }

  showInspector(layer) {
    element("inspector-name").textContent = shortened(layer.name, 200);
    element("inspector-size").textContent = layer.empty
      ? "This layer is empty: nothing in it can be seen."
      : `${layer.width} × ${layer.height} pixels` + (layer.moved ? `, moved by ${signed(layer.dx)}, ${signed(layer.dy)}` : "");
    for (const [id, value] of [["position-x", layer.left + layer.dx], ["position-y", layer.top + layer.dy]]) {
      // Writing into the field that is being typed in would move its caret.
      if (document.activeElement !== element(id)) element(id).value = value;
      element(id).disabled = layer.empty;
    }
    element("position-reset").disabled = !layer.moved;
    element("save-cropped").disabled = layer.empty;
    element("save-full").disabled = layer.empty;
  }
}

// "+3", "−4", "0"
function signed(number) {
  return number === 0 ? "0" : number > 0 ? `+${number}` : `−${-number}`;
}
