// The only caller of WASM: a core with a lens in it. Pixels in, probabilities out.
import { LensError } from './messages.js';

// The smallest modules with an instruction of each kind: i8x16.relaxed_swizzle, i8x16.popcnt.
const start = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10];
const PROBES = {
  relaxed_simd: [...start, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11],
  simd128: [...start, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
};
const STRIP_BYTES = 1 << 20;
const STATUS_BYTES = 64;

// Instruction sets of the core that this browser has, best first.
export const targets = () =>
  Object.keys(PROBES).filter((name) => WebAssembly.validate(new Uint8Array(PROBES[name])));

const pause = () =>
  new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      done();
    };
    port2.postMessage(0);
  });

// Scanlines of a PNG, filters not undone: the core does that.
async function inflate(png, size, write) {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const parts = [];
  for (let at = 8; at + 12 <= png.length; ) {
    const length = view.getUint32(at);
    if (view.getUint32(at + 4) === 0x49444154) parts.push(png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream('deflate'));
  const reader = stream.getReader();
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > size) at = size + 1;
    else write(at, value);
    if (at > size) break;
    at += value.length;
  }
  if (at !== size) throw new LensError('lens', 'A plane has other rows than its lens says.');
}

export class Engine {
  #core;
  #lens = 0;
  #status;
  #recipe;
  #strip;
  #output;
  #info;
  #inputs = { at: 0, bytes: 0 };

  constructor(name, instance, info) {
    this.name = name;
    this.#core = instance.exports;
    this.#core._initialize();
    this.#info = info;
    this.#status = this.#hold(new Uint8Array(STATUS_BYTES));
  }

  // name: an instruction set. kernels, body: bytes of its kernels, and of the rest of the core,
  // which works in the kernels' memory. info: the lens's lens.json.
  static async create(name, kernels, body, info) {
    const { instance: first } = await WebAssembly.instantiate(kernels, {});
    const { instance } = await WebAssembly.instantiate(body, { env: first.exports });
    return new Engine(name, instance, info);
  }

  get memoryBytes() {
    return this.#core.memory.buffer.byteLength;
  }

  open(plan) {
    const at = this.#hold(plan);
    this.#lens = this.#core.open_lens(at, plan.length, this.#status);
    this.#core.release(at);
    this.#check();
    this.#recipe = this.#holdRecipe(this.#info.recipe);
    this.#strip = this.#allocate(STRIP_BYTES);
    this.#output = this.#allocate(4 * this.#core.output_floats(this.#lens, 0));
  }

  async feed(plane, band, png, size) {
    const rows = this.#allocate(size);
    await inflate(png, size, (at, bytes) => this.#bytes(rows + at, bytes.length).set(bytes));
    this.#core.feed(this.#lens, plane, band, rows, size, this.#status);
    this.#core.release(rows);
    this.#check();
  }

  // Mean probabilities over the crops, one a class. rows(y, n): RGBA of n rows from y on.
  // goOn() is asked between crops; false ends it with null.
  async probabilities(width, height, rows, crops, goOn = () => true) {
    const floats = this.#prepare(width, height, rows, crops);
    const sums = new Float64Array(this.#info.labels.length);
    const tables = this.#hold(new Uint8Array(8));
    try {
      for (let crop = 0; crop < crops; ++crop) {
        if (crop > 0) await pause();
        if (!goOn()) return null;
        const pointers = new Uint32Array(this.#core.memory.buffer, tables, 2);
        pointers.set([this.#inputs.at + 4 * floats * crop, this.#output]);
        this.#core.run(this.#lens, 1, tables, tables + 4, this.#status);
        this.#check();
        const scores = new Float32Array(this.#core.memory.buffer, this.#output, sums.length);
        add(sums, scores, this.#info.softmax);
      }
    } finally {
      this.#core.release(tables);
    }
    return sums.map((sum) => sum / crops);
  }

  #prepare(width, height, rows, crops) {
    const floats = this.#core.input_floats(this.#lens, 0);
    if (this.#inputs.bytes < 4 * floats * crops) {
      this.#core.release(this.#inputs.at);
      this.#inputs = { at: this.#allocate(4 * floats * crops), bytes: 4 * floats * crops };
    }
    const photo = this.#core.photo_begin(this.#recipe, width, height, crops, this.#status);
    this.#check();
    let whole = false;
    try {
      const most = Math.max(1, Math.floor(STRIP_BYTES / (4 * width)));
      for (let y = 0; y < height; y += most) {
        const count = Math.min(most, height - y);
        this.#bytes(this.#strip, 4 * width * count).set(rows(y, count));
        this.#core.photo_rows(photo, this.#strip, count, this.#status);
      }
      whole = true;
    } finally {
      this.#core.photo_end(photo, whole ? this.#inputs.at : 0, this.#status);
    }
    this.#check();
    return floats;
  }

  // pl_recipe of core.h: seven numbers, means, scales, where the mean picture is.
  #holdRecipe({ fields, mean, scale, mean_picture: picture }) {
    const bytes = new Uint8Array(56);
    const view = new DataView(bytes.buffer);
    fields.forEach((field, i) => view.setUint32(4 * i, field, true));
    mean.forEach((value, i) => view.setFloat32(28 + 4 * i, value, true));
    scale.forEach((value, i) => view.setFloat32(40 + 4 * i, value, true));
    if (picture) {
      const numbers = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
      view.setUint32(52, this.#hold(numbers), true);
    }
    return this.#hold(bytes);
  }

  #bytes(at, size) {
    return new Uint8Array(this.#core.memory.buffer, at, size);
  }

  #allocate(size) {
    const at = this.#core.allocate(size);
    if (at === 0) throw new LensError('memory', 'This device has not enough memory for the lens.');
    return at;
  }

  #hold(bytes) {
    const at = this.#allocate(bytes.length);
    this.#bytes(at, bytes.length).set(bytes);
    return at;
  }

  #check() {
    const code = new DataView(this.#core.memory.buffer).getInt32(this.#status, true);
    if (code === 1) throw new LensError('memory', 'This device has not enough memory for the lens.');
    if (code === 7) throw new LensError('photo', 'The photo is too long and narrow. Crop it first.');
    if (code === 27) throw new LensError('photo', 'The lens cannot take a photo of this shape. Crop it first.');
    if (code !== 0) throw new LensError('lens', `The core refused the lens (status ${code}).`);
  }
}

function add(sums, scores, softmax) {
  let whole = 1;
  let top = 0;
  if (softmax) {
    top = scores.reduce((most, score) => Math.max(most, score), -Infinity);
    whole = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
  }
  scores.forEach((score, i) => {
    sums[i] += softmax ? Math.exp(score - top) / whole : score;
  });
}
