// Races the WebAssembly core against onnxruntime-web, one thread, in turn (see wasm_latency.py).
//
//     node race.mjs JOB.json
//
// Prints {"node", "times": {name: [milliseconds]}, "processor": the same of processor time}.
// JOB: {rounds, warmUp, runners: [...]}, a runner {name, input, output} with
//   {kernels, body, plan, feeds}   the core; FEEDS: plane, band, size as u32, then the rows, ...
//   {package, onnx, feed, shape}   onnxruntime-web
// input is a file of floats; the last scores are written to output.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const job = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));

async function coreRunner({ kernels, body, plan, feeds, input }) {
  const { instance: first } = await WebAssembly.instantiate(fs.readFileSync(kernels), {});
  const { instance } = await WebAssembly.instantiate(fs.readFileSync(body), { env: first.exports });
  const core = instance.exports;
  core._initialize();
  const status = core.allocate(64);
  const hold = (bytes) => {
    const address = core.allocate(bytes.length);
    new Uint8Array(core.memory.buffer, address, bytes.length).set(bytes);
    return address;
  };
  const check = (what) => {
    const code = new DataView(core.memory.buffer).getInt32(status, true);
    if (code !== 0) throw new Error(`${what}: status ${code}`);
  };
  const planBytes = fs.readFileSync(plan);
  const planAt = hold(planBytes);
  const lens = core.open_lens(planAt, planBytes.length, status);
  check('open');
  core.release(planAt);
  const all = fs.readFileSync(feeds);
  for (let at = 0; at < all.length; ) {
    const [plane, band, size] = [0, 4, 8].map((shift) => all.readUInt32LE(at + shift));
    const rows = hold(all.subarray(at + 12, at + 12 + size));
    core.feed(lens, plane, band, rows, size, status);
    check('feed');
    core.release(rows);
    at += 12 + size;
  }
  const given = hold(fs.readFileSync(input));
  const floats = core.output_floats(lens, 0);
  const made = core.allocate(4 * floats);
  const tables = [given, made].map((at) => hold(new Uint8Array(new Uint32Array([at]).buffer)));
  return {
    run() {
      core.run(lens, 1, tables[0], tables[1], status);
    },
    scores() {
      check('run');
      return Buffer.from(new Uint8Array(core.memory.buffer, made, 4 * floats));
    },
  };
}

async function peerRunner({ package: folder, onnx, feed, shape, input }) {
  const ort = await import(pathToFileURL(path.join(folder, 'dist', 'ort.node.min.mjs')));
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(fs.readFileSync(onnx), {
    executionProviders: ['wasm'],
  });
  const bytes = fs.readFileSync(input);
  const { buffer, byteOffset, length } = bytes;
  const values = new Float32Array(buffer.slice(byteOffset, byteOffset + length));
  const feeds = { [feed]: new ort.Tensor('float32', values, shape) };
  const wanted = session.outputNames[0];
  let made;
  return {
    async run() {
      made = await session.run(feeds);
    },
    scores: () => Buffer.from(Float32Array.from(made[wanted].data).buffer),
  };
}

const runners = [];
for (const given of job.runners) {
  const runner = await ('kernels' in given ? coreRunner(given) : peerRunner(given));
  runners.push({ ...given, ...runner, times: [], processor: [] });
}
for (let round = -job.warmUp; round < job.rounds; ++round) {
  for (const runner of runners) {
    const start = process.hrtime.bigint(), used = process.cpuUsage();
    await runner.run();
    const spent = process.cpuUsage(used), end = process.hrtime.bigint();
    if (round < 0) continue;
    runner.times.push(Number(end - start) / 1e6);
    runner.processor.push((spent.user + spent.system) / 1e3);
  }
}
for (const runner of runners) fs.writeFileSync(runner.output, runner.scores());
const all = (key) => Object.fromEntries(runners.map((runner) => [runner.name, runner[key]]));
const { node } = process.versions;
console.log(JSON.stringify({ node, times: all('times'), processor: all('processor') }));
