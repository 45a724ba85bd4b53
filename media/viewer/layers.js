// What the file holds: the layers, their pictures, and what the person did to them.

// Alpha, of 255, from which a pixel counts as something to see and to take hold of: models leave a haze of less over
// a whole layer. In a layer that is all faint it is half of the highest.
const SEEN_ALPHA = 32;

// The longest side of the grid that says where a layer can be taken hold of.
const GRID_SIDE = 512;

const element = (id) => document.getElementById(id);

// A picture embedded in the page, or null when there is none.
function embeddedPng(id) {
  const data = element(id);
  if (!data) return null;
  const text = atob(data.textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  return new Blob([bytes], { type: "image/png" });
}

// A name that fits into a label or a tooltip.
function shortened(text, length = 80) {
  const characters = Array.from(text);
  return characters.length > length ? characters.slice(0, length - 1).join("") + "…" : text;
}

class Layer {
  // `entry` is the layer's part of the page's data; boxes are in pixels of the document.
  constructor(index, entry) {
    this.index = index;
    this.name = entry.name || `Layer ${index + 1}`;
    this.left = entry.left;
    this.top = entry.top;
    this.width = entry.width;
    this.height = entry.height;
    this.empty = entry.width === 0;
    this.png = null; // Blob, set by load()
    this.url = "";
    this.seen = null; // the box, relative to the layer's, that holds all there is to see
    this.grid = null;
    this.reset();
  }

  reset() {
    this.visible = true;
    this.opacity = 1;
    this.dx = 0;
    this.dy = 0;
  }

  get moved() {
    return this.dx !== 0 || this.dy !== 0;
  }

  // Returns the layer's picture, which the caller has to close.
  async load() {
    this.png = embeddedPng(`png-layer-${this.index}`);
    this.url = URL.createObjectURL(this.png);
    const bitmap = await createImageBitmap(this.png);
    const canvas = new OffscreenCanvas(this.width, this.height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    this.study(context.getImageData(0, 0, this.width, this.height).data);
    return bitmap;
  }

  // Finds out where there is something to see.
  study(pixels) {
    let highest = 0;
    for (let i = 3; i < pixels.length; i += 4) highest = Math.max(highest, pixels[i]);
    const seenAlpha = Math.min(SEEN_ALPHA, highest / 2);
    const step = Math.max(1, Math.ceil(Math.max(this.width, this.height) / GRID_SIDE));
    const columns = Math.ceil(this.width / step);
    const grid = new Uint8Array(columns * Math.ceil(this.height / step));
    let left = this.width, right = -1, top = this.height, bottom = -1;
    for (let y = 0; y < this.height; ++y) {
      for (let x = 0; x < this.width; ++x) {
        if (pixels[4 * (y * this.width + x) + 3] < seenAlpha) continue;
        grid[Math.floor(y / step) * columns + Math.floor(x / step)] = 1;
        left = Math.min(left, x);
        right = Math.max(right, x);
        top = Math.min(top, y);
        bottom = y;
      }
    }
    this.grid = { step, columns, cells: grid };
    this.seen = { left, top, width: right - left + 1, height: bottom - top + 1 };
  }

  // Whether the layer can be seen at a place of the document.
  covers(x, y) {
    const column = Math.floor(x - this.left - this.dx);
    const row = Math.floor(y - this.top - this.dy);
    if (!this.grid || column < 0 || row < 0 || column >= this.width || row >= this.height) return false;
    const { step, columns, cells } = this.grid;
    return cells[Math.floor(row / step) * columns + Math.floor(column / step)] === 1;
  }
}

// All layers, and which of them is selected or alone to be seen. Whoever changes something calls changed().
class Stack extends EventTarget {
  constructor(data) {
    super();
    this.width = data.width;
    this.height = data.height;
    this.layers = data.layers.map((entry, index) => new Layer(index, entry));
    this.selected = this.layers.findLast((layer) => !layer.empty) ?? this.layers[0];
    this.solo = null;
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  shows(layer) {
    if (layer.empty) return false;
    return this.solo ? this.solo === layer : layer.visible;
  }

  // The front layer that can be seen at a place of the document, or undefined.
  layerAt(x, y) {
    return this.layers.findLast((layer) => this.shows(layer) && layer.opacity > 0 && layer.covers(x, y));
  }

  select(layer) {
    this.selected = layer;
    this.changed();
  }

  // The next layer with content, in front when `direction` is 1 and behind when it is -1.
  selectNext(direction) {
    const next = (layer) => this.layers[layer.index + direction];
    let layer = next(this.selected);
    while (layer?.empty) layer = next(layer);
    if (layer) this.select(layer);
  }

  toggleVisible(layer) {
    if (layer.empty) return;
    layer.visible = !layer.visible;
    this.changed();
  }

  toggleSolo(layer) {
    if (layer.empty) return;
    this.solo = this.solo === layer ? null : layer;
    this.changed();
  }

  setOpacity(layer, opacity) {
    layer.opacity = opacity;
    this.changed();
  }

  // Distances in whole pixels from where the layer was.
  move(layer, dx, dy) {
    if (layer.empty) return;
    layer.dx = Math.round(dx);
    layer.dy = Math.round(dy);
    this.changed();
  }

  reset() {
    for (const layer of this.layers) layer.reset();
    this.solo = null;
    this.changed();
  }
}
