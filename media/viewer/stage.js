// The stage: the layers on each other, spread out, or beside the original.

const MOST_ZOOM = 32;
const LEAST_ZOOM = 0.02;
const MOST_FITTED_ZOOM = 8;
const ZOOM_STEP = 1.25;
const PIXELATED_ZOOM = 4; // from here on, a pixel shows as a square
const TAG_PIXELS = 18; // below each sheet of the exploded view
const TURN_MILLISECONDS = 450; // as the transition in viewer.css

class Stage {
  // `hasOriginal` says whether there is something to compare with.
  constructor(stack, hasOriginal) {
    this.stack = stack;
    this.hasOriginal = hasOriginal;
    this.stage = element("stage");
    this.artboard = element("artboard");
    this.scene = element("scene");
    this.original = element("original");
    this.mode = "arrange";
    this.view = { zoom: 1, x: 0, y: 0 }; // of the artboard's top left corner, from that of the stage
    this.fitted = true;
    this.planes = stack.layers.map((layer) => this.makePlane(layer));
    document.documentElement.style.setProperty("--aspect", stack.width / stack.height);
    this.bindControls();
    stack.addEventListener("change", () => this.showLayers());
    new ResizeObserver(() => this.fitted ? this.fit() : this.showView()).observe(this.stage);
    this.showLayers();
    this.fit();
  }

  // A layer's sheet, as large as the document: what lies beyond is cut off. Only its pixels are scaled, and not the
  // whole stage: browsers draw what is turned in space at the size it has before, and enlarge that.
  makePlane(layer) {
    const plane = document.createElement("div");
    plane.className = "plane";
    plane.dataset.layer = layer.index;
    const sheet = document.createElement("div");
    sheet.className = "sheet";
    const pixels = document.createElement("div");
    pixels.className = "pixels";
    const picture = document.createElement("img");
    picture.alt = "";
    picture.draggable = false;
    picture.style.left = `${layer.left}px`;
    picture.style.top = `${layer.top}px`;
    picture.style.width = `${layer.width}px`;
    picture.style.height = `${layer.height}px`;
    const outline = document.createElement("div");
    outline.className = "outline";
    const tag = document.createElement("span");
    tag.className = "tag";
    tag.textContent = shortened(layer.name, 40);
    pixels.append(picture);
    sheet.append(pixels);
    plane.append(sheet, outline, tag);
    plane.hidden = true;
    this.scene.append(plane);
    return { plane, picture, outline };
  }

  bindControls() {
    for (const button of document.querySelectorAll("button[data-mode]")) {
      button.addEventListener("click", () => this.setMode(button.dataset.mode));
    }
    element("mode-compare").disabled = !this.hasOriginal;
    if (!this.hasOriginal) element("mode-compare").title = "The file has no original to compare with";
    element("zoom-in").addEventListener("click", () => this.zoomBy(ZOOM_STEP));
    element("zoom-out").addEventListener("click", () => this.zoomBy(1 / ZOOM_STEP));
    element("zoom-actual").addEventListener("click", () => this.zoomBy(1 / this.view.zoom));
    element("zoom-fit").addEventListener("click", () => this.fit());
    for (const id of ["angle", "tilt", "spread"]) element(id).addEventListener("input", () => this.showSpread());
    element("split").addEventListener("input", () => this.showSplit());
  }

  // Shows the picture of a layer that has been loaded.
  setPicture(layer) {
    this.planes[layer.index].picture.src = layer.url;
  }

  setOriginal(url) {
    this.original.src = url;
  }

  setMode(mode) {
    if (mode === this.mode || (mode === "compare" && !this.hasOriginal)) return;
    this.turnSmoothly();
    this.mode = mode;
    this.stage.dataset.mode = mode;
    for (const button of document.querySelectorAll("button[data-mode]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    }
    element("explode-controls").hidden = mode !== "explode";
    element("compare-controls").hidden = mode !== "compare";
    element("divider").hidden = mode !== "compare";
    element("compare-labels").hidden = mode !== "compare";
    this.original.hidden = mode !== "compare";
    this.showSplit();
    this.fit();
  }

  // The next change of the view is a movement, where the person wants any. Outside it the scene is flat, which browsers draw sharper.
  turnSmoothly() {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.stage.classList.add("turning");
    clearTimeout(this.turning);
    this.turning = setTimeout(() => this.stage.classList.remove("turning"), TURN_MILLISECONDS);
    this.stage.getBoundingClientRect(); // the transition begins from what is shown now
  }

  showLayers() {
    for (const layer of this.stack.layers) {
      const { plane, picture, outline } = this.planes[layer.index];
      plane.hidden = !this.stack.shows(layer);
      plane.classList.toggle("selected", layer === this.stack.selected);
      picture.style.opacity = layer.opacity;
      picture.style.transform = layer.moved ? `translate(${layer.dx}px, ${layer.dy}px)` : "";
      const seen = layer.seen ?? { left: 0, top: 0, width: layer.width, height: layer.height };
      const zoomed = (pixels) => `calc(var(--zoom) * ${pixels}px)`;
      outline.style.left = zoomed(layer.left + layer.dx + seen.left);
      outline.style.top = zoomed(layer.top + layer.dy + seen.top);
      outline.style.width = zoomed(seen.width);
      outline.style.height = zoomed(seen.height);
    }
  }

  // Exploded view ------------------------------------------------------------------------------------------

  // How far from the middle of the stack a layer's sheet lies, in pixels of the document.
  depth(index) {
    const count = this.planes.length;
    const size = Math.max(this.stack.width, this.stack.height);
    const gap = Math.min(0.8, 2.4 / Math.max(1, count - 1)) * size * element("spread").value / 100;
    return (index - (count - 1) / 2) * gap;
  }

  sceneTransform(zoom) {
    const perspective = 4 * zoom * Math.max(this.stack.width, this.stack.height);
    const [tilt, angle] = this.mode === "explode" ? [element("tilt").value, element("angle").value] : [0, 0];
    return `perspective(${perspective}px) rotateX(${tilt}deg) rotateY(${angle}deg)`;
  }

  showSpread() {
    if (this.fitted) this.fit();
    else this.showView();
  }

  showDepths() {
    const { zoom } = this.view;
    const shift = (index) => `translateZ(${this.mode === "explode" ? zoom * this.depth(index) : 0}px)`;
    this.scene.style.transform = this.sceneTransform(zoom);
    this.planes.forEach(({ plane }, index) => { plane.style.transform = shift(index); });
    element("board").style.transform = shift(0);
  }

  // The box that the picture takes on an artboard of zoom 1, from the artboard's top left corner.
  extent() {
    const { width, height } = this.stack;
    if (this.mode !== "explode") return { left: 0, top: 0, right: width, bottom: height };
    const matrix = new DOMMatrix(this.sceneTransform(1));
    const xs = [], ys = [];
    for (const z of [this.depth(0), this.depth(this.planes.length - 1)]) {
      for (const x of [-width / 2, width / 2]) {
        for (const y of [-height / 2, height / 2]) {
          const point = matrix.transformPoint(new DOMPoint(x, y, z));
          xs.push(width / 2 + point.x / point.w);
          ys.push(height / 2 + point.y / point.w);
        }
      }
    }
    return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
  }

  // Comparison ---------------------------------------------------------------------------------------------

  showSplit() {
    const percent = Number(element("split").value);
    const comparing = this.mode === "compare";
    this.original.style.clipPath = `inset(0 ${100 - percent}% 0 0)`;
    for (const { plane } of this.planes) plane.style.clipPath = comparing ? `inset(0 0 0 ${percent}%)` : "";
    this.showView();
  }

  // Puts the divider at a place of the window.
  splitAt(clientX) {
    const box = this.artboard.getBoundingClientRect();
    element("split").value = 100 * (clientX - box.left) / box.width;
    this.showSplit();
  }

  // View ---------------------------------------------------------------------------------------------------

  showView() {
    const { zoom, x, y } = this.view;
    this.artboard.style.width = `${zoom * this.stack.width}px`;
    this.artboard.style.height = `${zoom * this.stack.height}px`;
    this.artboard.style.transform = `translate(${x}px, ${y}px)`;
    this.stage.style.setProperty("--zoom", zoom);
    this.stage.classList.toggle("pixelated", zoom >= PIXELATED_ZOOM);
    element("zoom-actual").textContent = `${Math.round(100 * zoom)} %`;
    const split = x + zoom * this.stack.width * element("split").value / 100;
    element("divider").style.left = `${split}px`;
    element("divider").style.top = `${y}px`;
    element("divider").style.height = `${zoom * this.stack.height}px`;
    const labels = element("compare-labels");
    labels.style.left = `${x}px`;
    labels.style.top = `${y}px`;
    labels.style.width = `${zoom * this.stack.width}px`;
    this.showDepths();
  }

  // All of the picture, in the middle of what the floating controls leave.
  fit() {
    const margin = Math.min(40, this.stage.clientWidth * 0.04);
    const floating = [...this.stage.querySelectorAll(".floating:not([hidden])")];
    const below = this.stage.clientHeight - Math.min(...floating.map((each) => each.offsetTop)) + margin / 2 + TAG_PIXELS;
    const extent = this.extent();
    const width = Math.max(1, this.stage.clientWidth - 2 * margin);
    const height = Math.max(1, this.stage.clientHeight - margin - below);
    const zoom = Math.min(width / (extent.right - extent.left), height / (extent.bottom - extent.top),
                          MOST_FITTED_ZOOM);
    this.view = {
      zoom,
      x: margin + width / 2 - zoom * (extent.left + extent.right) / 2,
      y: margin + height / 2 - zoom * (extent.top + extent.bottom) / 2,
    };
    this.fitted = true;
    this.showView();
  }

  // Around a place of the stage, or around its middle.
  zoomBy(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const zoom = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, this.view.zoom * factor));
    const ratio = zoom / this.view.zoom;
    const whole = zoom === 1 ? Math.round : (value) => value; // pixel on pixel
    this.view = { zoom, x: whole(x - ratio * (x - this.view.x)), y: whole(y - ratio * (y - this.view.y)) };
    this.fitted = false;
    this.showView();
  }

  panBy(dx, dy) {
    this.view.x += dx;
    this.view.y += dy;
    this.fitted = false;
    this.showView();
  }

  // A place of the window as one of the document; right unless the layers are spread out.
  documentPoint(clientX, clientY) {
    const box = this.stage.getBoundingClientRect();
    return {
      x: (clientX - box.left - this.stage.clientLeft - this.view.x) / this.view.zoom,
      y: (clientY - box.top - this.stage.clientTop - this.view.y) / this.view.zoom,
    };
  }
}
