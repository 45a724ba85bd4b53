// What pointers and the wheel do on the stage.

const DEGREES_A_PIXEL = 0.35;
const CLICK_PIXELS = 4; // a pointer that went no farther has clicked

class Gestures {
  constructor(stack, stage) {
    this.stack = stack;
    this.stage = stage;
    this.pointers = new Map(); // id → the last event
    this.drag = null; // what one pointer does: { move(event), click(event) }
    this.spaceHeld = false;
    const surface = stage.stage;
    surface.addEventListener("pointerdown", (event) => this.down(event));
    surface.addEventListener("pointermove", (event) => this.move(event));
    surface.addEventListener("pointerup", (event) => this.up(event));
    surface.addEventListener("pointercancel", (event) => this.up(event));
    surface.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  holdSpace(held) {
    this.spaceHeld = held;
    this.stage.stage.classList.toggle("panning", held);
  }

  down(event) {
    if (event.target.closest(".floating") || event.button > 1) return;
    if (event.button === 1) event.preventDefault(); // the browser's own scrolling
    this.stage.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    this.drag = this.pointers.size === 1 ? this.beginDrag(event) : null;
    this.start = event;
  }

  beginDrag(event) {
    const { stack, stage } = this;
    const pan = {
      move: (now, before) => stage.panBy(now.clientX - before.clientX, now.clientY - before.clientY),
    };
    if (event.button === 1 || this.spaceHeld) return pan;
    if (stage.mode === "compare") {
      stage.splitAt(event.clientX);
      return { move: (now) => stage.splitAt(now.clientX) };
    }
    if (stage.mode === "explode") {
      const turned = { angle: element("angle").valueAsNumber, tilt: element("tilt").valueAsNumber };
      return {
        move: (now) => this.turn(turned, now.clientX - event.clientX, now.clientY - event.clientY),
        click: () => this.selectPlane(event.target),
      };
    }
    const from = stage.documentPoint(event.clientX, event.clientY);
    const inside = from.x >= 0 && from.y >= 0 && from.x < stack.width && from.y < stack.height;
    const layer = inside ? stack.layerAt(from.x, from.y) : undefined;
    if (!layer) return pan;
    stack.select(layer);
    stage.stage.classList.add("moving");
    const { dx, dy } = layer;
    return {
      move: (now) => {
        const to = stage.documentPoint(now.clientX, now.clientY);
        stack.move(layer, dx + to.x - from.x, dy + to.y - from.y);
      },
    };
  }

  turn(from, dx, dy) {
    element("angle").valueAsNumber = from.angle + dx * DEGREES_A_PIXEL;
    element("tilt").valueAsNumber = from.tilt - dy * DEGREES_A_PIXEL;
    this.stage.showSpread();
  }

  selectPlane(target) {
    const plane = target.closest(".plane");
    if (plane) this.stack.select(this.stack.layers[plane.dataset.layer]);
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    if (this.pointers.size === 2) this.pinch(event, before);
    if (this.drag) this.drag.move(event, before);
    this.pointers.set(event.pointerId, event);
  }

  // Two fingers zoom: each that moves does so around the other.
  pinch(event, before) {
    const [other] = [...this.pointers.values()].filter((pointer) => pointer.pointerId !== event.pointerId);
    const distance = (a) => Math.max(1, Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY));
    const box = this.stage.stage.getBoundingClientRect();
    this.stage.zoomBy(distance(event) / distance(before), other.clientX - box.left, other.clientY - box.top);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const went = Math.hypot(event.clientX - this.start.clientX, event.clientY - this.start.clientY);
    if (this.drag?.click && event.type === "pointerup" && went <= CLICK_PIXELS) this.drag.click(event);
    this.drag = null;
    this.stage.stage.classList.remove("moving");
  }

  wheel(event) {
    if (event.target.closest(".floating")) return;
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    if (event.ctrlKey || event.metaKey) {
      const box = this.stage.stage.getBoundingClientRect();
      const factor = Math.exp(-event.deltaY * unit * 0.004);
      this.stage.zoomBy(factor, event.clientX - box.left, event.clientY - box.top);
    } else {
      const [dx, dy] = event.shiftKey ? [event.deltaY, event.deltaX] : [event.deltaX, event.deltaY];
      this.stage.panBy(-dx * unit, -dy * unit);
    }
  }
}
