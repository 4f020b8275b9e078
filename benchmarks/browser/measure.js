// What browser.py has the browser do: answers to photos, a frame by each engine in turn, and
// frames without end. Every function takes and gives plain JSON.
import { Lens } from '/pocketlens.js';

const picture = async (url) => createImageBitmap(await (await fetch(url)).blob());

// First answers and scores of every photo: [[number, confidence], ...] each.
export async function answers({ lens, photos }) {
  const engine = await Lens.load(lens);
  const told = [];
  for (const url of photos) {
    const blob = await (await fetch(url)).blob();
    const result = await engine.classify(blob, { top: 5 });
    told.push(result.answers.map(({ number, confidence }) => [number, confidence]));
  }
  engine.close();
  return told;
}

// ---- engines: each is run(bitmap), which resolves to {scores or answers, network: milliseconds}

async function ours({ lens }) {
  const engine = await Lens.load(lens);
  return async (bitmap) => {
    const { answers: [first], ms } = await engine.classify(bitmap);
    return { number: first.number, network: ms, name: engine.about.engine };
  };
}

// As peers' examples do it: the canvas resizes, a loop makes floats. planes: NCHW, else NHWC.
function floatsOf({ side, mean, scale, bgr }, planes) {
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const floats = new Float32Array(3 * side * side);
  const order = bgr ? [2, 1, 0] : [0, 1, 2];
  return (bitmap) => {
    context.drawImage(bitmap, 0, 0, side, side);
    const { data } = context.getImageData(0, 0, side, side);
    for (let channel = 0; channel < 3; ++channel) {
      const from = order[channel];
      const begin = planes ? channel * side * side : channel;
      const step = planes ? 1 : 3;
      for (let i = 0; i < side * side; ++i) {
        floats[begin + i * step] = (data[4 * i + from] - mean[channel]) / scale[channel];
      }
    }
    return floats;
  };
}

const first = (scores) => scores.reduce((best, score, i) => (score > scores[best] ? i : best), 0);

async function onnxruntime({ onnx, feed, input, side }) {
  const ort = await import('/peers/ort/ort.wasm.min.mjs');
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = '/peers/ort/';
  const session = await ort.InferenceSession.create(onnx, { executionProviders: ['wasm'] });
  const floats = floatsOf({ side, ...input }, true);
  return async (bitmap) => {
    const values = floats(bitmap);
    const start = performance.now();
    const feeds = { [feed]: new ort.Tensor('float32', values, [1, 3, side, side]) };
    const { [session.outputNames[0]]: made } = await session.run(feeds);
    const network = performance.now() - start;
    return { number: first(made.data), network, scores: [...made.data] };
  };
}

const script = (src) =>
  new Promise((done, fail) => {
    const element = Object.assign(document.createElement('script'), { src });
    element.onload = done;
    element.onerror = () => fail(new Error(`${src} cannot be loaded`));
    document.head.append(element);
  });

async function tensorflow({ tfjs, input, side }) {
  for (const name of ['tf-core', 'tf-backend-cpu', 'tf-converter', 'tf-backend-wasm']) {
    await script(`/peers/tfjs/${name}.min.js`);
  }
  tf.wasm.setWasmPaths('/peers/tfjs/');
  tf.wasm.setThreadsCount(1);
  await tf.setBackend('wasm');
  await tf.ready();
  const model = await tf.loadGraphModel(tfjs);
  const floats = floatsOf({ side, ...input }, false);
  return async (bitmap) => {
    const values = floats(bitmap);
    const start = performance.now();
    const given = tf.tensor4d(values, [1, side, side, 3]);
    const made = model.predict(given);
    const scores = await made.data();
    const network = performance.now() - start;
    tf.dispose([given, made]);
    return { number: first(scores), network, scores: [...scores], name: tf.getBackend() };
  };
}

const MAKERS = { ours, onnxruntime, tensorflow };

// {name: {frame: [ms], network: [ms], last}} of the runners [{name, kind, ...}], in turn.
export async function race({ runners, photo, warmUp, rounds }) {
  const bitmap = await picture(photo);
  const runs = [];
  for (const given of runners) runs.push([given.name, await MAKERS[given.kind](given)]);
  const told = Object.fromEntries(runs.map(([name]) => [name, { frame: [], network: [] }]));
  for (let round = -warmUp; round < rounds; ++round) {
    for (const [name, run] of runs) {
      const start = performance.now();
      const { network, ...last } = await run(bitmap);
      const frame = performance.now() - start;
      told[name].last = last;
      if (round < 0) continue;
      told[name].frame.push(frame);
      told[name].network.push(network);
    }
  }
  return told;
}

// Frames one after the other by one lens that stays; resolves to the core's memory in bytes.
let kept = null;
export async function frames({ lens, photo, count }) {
  kept ??= { engine: await Lens.load(lens), bitmap: await picture(photo) };
  let memory = 0;
  for (let i = 0; i < count; ++i) {
    ({ memoryBytes: memory } = await kept.engine.classify(kept.bitmap, { smooth: 400 }));
  }
  return memory;
}
