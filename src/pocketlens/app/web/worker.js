// The worker: loads a lens, then answers one request after the other; any can be cancelled.
import { download, inOrder } from './download.js';
import { Engine, targets } from './engine.js';
import * as say from './messages.js';

const SIDE_BY_SIDE = 6;
const MOST_PIXELS = 1 << 26;
const { LensError } = say;

let engine = null;
let info = null;
let smoothed = null; // {values, at}
const queue = [];
let busy = null;

const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext('2d', { willReadFrequently: true, colorSpace: 'srgb' });

async function fetchInfo(url, signal) {
  let response;
  try {
    response = await fetch(url, { signal, cache: 'no-cache' });
  } catch (error) {
    throw new LensError('download', `${url} cannot be reached: ${error.message}.`);
  }
  if (!response.ok) throw new LensError('download', `${url}: the server answered ${response.status}.`);
  const found = await response.json();
  if (found.format !== 1) {
    throw new LensError('lens', `The lens has format ${found.format}; this page reads 1. Reload it.`);
  }
  return found;
}

// Noise of which lens.json tells what the core makes.
function noise(width, height) {
  const bytes = new Uint8Array(4 * width * height);
  return bytes.map((_, i) => Math.imul(i, 2654435761) >>> 24);
}

async function computesRightly(candidate, { width, height, expected }) {
  const pixels = noise(width, height);
  const rows = (y, n) => pixels.subarray(4 * width * y, 4 * width * (y + n));
  const got = await candidate.probabilities(width, height, rows, 1);
  return expected.every(([number, value]) => Math.abs(got[number] - value) <= 1e-3);
}

async function openCore(name, fetchOne, parts) {
  const [kernels, body, plan] = await Promise.all(parts.map(fetchOne));
  const core = await Engine.create(name, kernels, body, info);
  core.open(plan);
  return core;
}

async function load({ url, cache }, { signal, tell }) {
  if (!self.isSecureContext) {
    throw new LensError(
      'insecure',
      'This page was opened without TLS. Browsers then give no camera, keep nothing for offline ' +
        'use and cannot check what was downloaded. Open it with https://.',
    );
  }
  const possible = targets();
  if (possible.length === 0) {
    throw new LensError('simd', 'This browser has no WebAssembly SIMD. Safari has it from 16.4, Chrome from 91, Firefox from 89 on.');
  }
  const base = new URL(url, self.location.href);
  const opened = cache ? caches.open(cache).catch(() => null) : null;
  info = await fetchInfo(base, signal);
  const store = await opened;
  const bands = info.planes.flatMap((plane, number) =>
    plane.map((entry, band) => ({ entry, number, band })),
  );
  const parts = (target) => [info.core[`kernels_${target}`], info.core.body, info.plan];
  const entries = [...parts(possible[0]), ...bands.map(({ entry }) => entry)];
  const total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  let loaded = 0;
  const options = {
    signal,
    store,
    onbytes(n) {
      loaded += n;
      tell({ kind: say.PROGRESS, loaded, total });
    },
  };
  for (const name of possible) {
    // The planes are on their way while the core is; it takes them once it is there.
    const opening = openCore(name, (entry) => download(base, entry, options), parts(name));
    opening.catch(() => {}); // told when it is awaited
    await inOrder(
      bands,
      SIDE_BY_SIDE,
      ({ entry }) => download(base, entry, options),
      async ({ entry, number, band }, png) =>
        (await opening).feed(number, band, png, entry.row_bytes),
    );
    const candidate = await opening;
    if (await computesRightly(candidate, info.check)) {
      engine = candidate;
      const { planes, plan: _, check, recipe, ...about } = info;
      return { ...about, engine: name, loaded };
    }
  }
  throw new LensError('wrong', 'This browser computes something else than it should. Update it.');
}

function draw(bitmap) {
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) {
    throw new LensError('photo', `The photo has ${width} x ${height} pixels. Make it smaller first.`);
  }
  // Safari frees the old pixels late; the same canvas is used as long as it fits.
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  context.fillStyle = '#fff'; // where a picture is transparent
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  return (y, n) => context.getImageData(0, y, width, n).data;
}

// A running mean over `smooth` milliseconds.
function blend(values, smooth) {
  const at = performance.now();
  if (!smooth || !smoothed) {
    smoothed = smooth ? { values, at } : null;
    return values;
  }
  const old = Math.exp((smoothed.at - at) / smooth);
  smoothed = { values: values.map((v, i) => old * smoothed.values[i] + (1 - old) * v), at };
  return smoothed.values;
}

function best(values, top) {
  const order = Array.from(values.keys()).sort((a, b) => values[b] - values[a] || a - b);
  return order.slice(0, top).map((number) => {
    const [name, ...path] = info.labels[number];
    return { number, name, path, confidence: values[number] };
  });
}

async function classify({ bitmap, top, crops, smooth }, { signal }) {
  if (!engine) throw new LensError('lens', 'The lens is not loaded.');
  const start = performance.now();
  const { width, height } = bitmap;
  let rows;
  try {
    rows = draw(bitmap);
  } finally {
    bitmap.close();
  }
  const values = await engine.probabilities(width, height, rows, crops, () => !signal.aborted);
  signal.throwIfAborted();
  const ms = performance.now() - start;
  const answers = best(blend(values, smooth), top);
  return { answers, ms, crops, memoryBytes: engine.memoryBytes };
}

const WORK = { [say.LOAD]: load, [say.CLASSIFY]: classify };

async function next() {
  if (busy || queue.length === 0) return;
  busy = queue.shift();
  const { id, controller, message } = busy;
  const tell = (words) => self.postMessage({ id, ...words });
  try {
    const result = await WORK[message.kind](message, { signal: controller.signal, tell });
    tell({ kind: say.DONE, result });
  } catch (error) {
    const cancelled = controller.signal.aborted;
    const slug = cancelled ? 'cancelled' : (error.slug ?? 'unexpected');
    tell({ kind: say.FAILED, slug, message: cancelled ? 'It was cancelled.' : error.message });
  }
  busy = null;
  next();
}

function cancel(id) {
  if (busy?.id === id) busy.controller.abort();
  const at = queue.findIndex((request) => request.id === id);
  if (at < 0) return;
  queue.splice(at, 1)[0].message.bitmap?.close();
  self.postMessage({ id, kind: say.FAILED, slug: 'cancelled', message: 'It was cancelled.' });
}

self.onmessage = ({ data: { id, ...message } }) => {
  if (message.kind === say.CANCEL) return cancel(id);
  queue.push({ id, message, controller: new AbortController() });
  return next();
};
