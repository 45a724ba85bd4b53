// Pictures to take away. A single layer is saved bit for bit; it does not go through a canvas, which keeps colours
// multiplied with alpha and so loses most of those of thin pixels.

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// A file name that every system takes.
function fileName(text, ending) {
  const name = text.replace(/[\p{Cc}\p{Cf}\\/:*?"<>|]+/gu, " ").replace(/\s+/g, " ").replace(/^[. ]+|[. ]+$/g, "");
  return `${shortened(name, 60).replace(/[ …]+$/, "") || "layer"}${ending}.png`;
}

// The layers as they are shown, at the document's size.
async function compositePng(stack) {
  const canvas = new OffscreenCanvas(stack.width, stack.height);
  const context = canvas.getContext("2d");
  for (const layer of stack.layers.filter((each) => stack.shows(each))) {
    const bitmap = await createImageBitmap(layer.png);
    context.globalAlpha = layer.opacity;
    context.drawImage(bitmap, layer.left + layer.dx, layer.top + layer.dy);
    bitmap.close();
  }
  return canvas.convertToBlob({ type: "image/png" });
}

// The layer where it is now, at the document's size.
async function fullSizePng(stack, layer) {
  const pixels = await decodePng(layer.png);
  const full = new Uint8Array(4 * stack.width * stack.height);
  const [left, top] = [layer.left + layer.dx, layer.top + layer.dy];
  const from = Math.max(0, -left);
  const to = Math.min(layer.width, stack.width - left);
  for (let y = Math.max(0, -top); y < Math.min(layer.height, stack.height - top) && from < to; ++y) {
    const row = pixels.subarray(4 * (y * layer.width + from), 4 * (y * layer.width + to));
    full.set(row, 4 * ((top + y) * stack.width + left + from));
  }
  return encodePng(full, stack.width, stack.height);
}

// PNG, as far as it is needed: RGBA of 8 bits, without interlacing. See RFC 2083.

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

async function throughStream(parts, transform) {
  return new Uint8Array(await new Response(new Blob(parts).stream().pipeThrough(transform)).arrayBuffer());
}

// The pixels of a PNG that write_html made: [height, width, 4], straight alpha.
async function decodePng(png) {
  const bytes = new Uint8Array(await png.arrayBuffer());
  const view = new DataView(bytes.buffer);
  const parts = [];
  let width = 0, height = 0;
  for (let at = PNG_SIGNATURE.length; at < bytes.length;) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (type === "IHDR") [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
    if (type === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  return withoutFilters(await throughStream(parts, new DecompressionStream("deflate")), width, height);
}

// RFC 2083, section 6. Bytes are taken modulo 256 by the array.
function withoutFilters(lines, width, height) {
  const stride = 4 * width;
  const pixels = new Uint8Array(stride * height);
  for (let y = 0; y < height; ++y) {
    const filter = lines[y * (stride + 1)];
    for (let i = 0; i < stride; ++i) {
      const at = y * stride + i;
      const left = i >= 4 ? pixels[at - 4] : 0;
      const above = y > 0 ? pixels[at - stride] : 0;
      const corner = i >= 4 && y > 0 ? pixels[at - stride - 4] : 0;
      let guess = 0;
      if (filter === 1) guess = left;
      if (filter === 2) guess = above;
      if (filter === 3) guess = (left + above) >> 1;
      if (filter === 4) guess = nearestOf(left, above, corner);
      pixels[at] = lines[y * (stride + 1) + 1 + i] + guess;
    }
  }
  return pixels;
}

// Paeth's predictor.
function nearestOf(left, above, corner) {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

async function encodePng(pixels, width, height) {
  const stride = 4 * width;
  const lines = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; ++y) {
    const line = y * (stride + 1);
    lines[line] = 1; // each byte is stored less that of the pixel to its left
    for (let i = 0; i < stride; ++i) {
      lines[line + 1 + i] = pixels[y * stride + i] - (i >= 4 ? pixels[y * stride + i - 4] : 0);
    }
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8); // bits
  header.setUint8(9, 6); // RGBA
  const content = await throughStream([lines], new CompressionStream("deflate"));
  const chunks = [pngChunk("IHDR", new Uint8Array(header.buffer)), pngChunk("IDAT", content),
                  pngChunk("IEND", new Uint8Array(0))];
  return new Blob([new Uint8Array(PNG_SIGNATURE), ...chunks], { type: "image/png" });
}

function pngChunk(type, content) {
  const chunk = new Uint8Array(content.length + 12);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, content.length);
  for (let i = 0; i < 4; ++i) chunk[4 + i] = type.charCodeAt(i);
  chunk.set(content, 8);
  view.setUint32(content.length + 8, crc32(chunk.subarray(4, content.length + 8)));
  return chunk;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; ++bit) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return ~value >>> 0;
}
