// Runs the WebAssembly core for process_core.py. Requests and answers are those of
// core/tests/core_server.cc, which says what they are; a lens's number is its address.
import fs from 'node:fs';

const [kernels, body] = process.argv.slice(2).map((file) => new WebAssembly.Module(fs.readFileSync(file)));
const { exports: env } = await WebAssembly.instantiate(kernels, {});
const { exports: core } = await WebAssembly.instantiate(body, { env });
core._initialize();
const status = core.allocate(64);

const bytesAt = (address, size) => new Uint8Array(core.memory.buffer, address, size);

function hold(bytes) {
  const address = core.allocate(Math.max(bytes.length, 1));
  if (address === 0) throw new Error('no memory');
  bytesAt(address, bytes.length).set(bytes);
  return address;
}

const holdAddresses = (addresses) => hold(new Uint8Array(new Uint32Array(addresses).buffer));

// pl_status: code, op, tensor as i32, padding, seen and expected as u64.
function statusNow() {
  const view = new DataView(core.memory.buffer, status, 32);
  const wide = (at) => Number(view.getBigUint64(at, true));
  return [view.getInt32(0, true), view.getInt32(4, true), view.getInt32(8, true), wide(16), wide(24)];
}

function text(address) {
  const all = new Uint8Array(core.memory.buffer);
  return new TextDecoder().decode(all.subarray(address, all.indexOf(0, address)));
}

const requests = {
  target: () => [[], [new TextEncoder().encode(text(core.target()))]],
  open(_, [plan]) {
    const address = hold(plan);
    const lens = core.open_lens(address, plan.length, status);
    core.release(address);
    return [[lens, ...statusNow()], []];
  },
  feed([lens, plane, band], [rows]) {
    const address = hold(rows);
    core.feed(lens, plane, band, address, rows.length, status);
    core.release(address);
    return [statusNow(), []];
  },
  run([lens, batch], inputs) {
    const sizes = [];
    for (let floats; (floats = core.output_floats(lens, sizes.length)); ) sizes.push(4 * batch * floats);
    const given = inputs.map(hold);
    const made = sizes.map((size) => core.allocate(size));
    const tables = [holdAddresses(given), holdAddresses(made)];
    core.run(lens, batch, tables[0], tables[1], status);
    const results = made.map((address, i) => bytesAt(address, sizes[i]).slice());
    [...given, ...made, ...tables].forEach((address) => core.release(address));
    return [statusNow(), results];
  },
  close([lens]) {
    core.close_lens(lens);
    return [[], []];
  },
};

function readExactly(size) {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    const read = fs.readSync(0, bytes, at, size - at, null);
    if (read === 0) process.exit(0);
    at += read;
  }
  return bytes;
}

function readLine() {
  const bytes = [];
  for (let byte = readExactly(1)[0]; byte !== 10; byte = readExactly(1)[0]) bytes.push(byte);
  return Buffer.from(bytes).toString();
}

function writeAll(bytes) {
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(1, bytes, at, bytes.length - at);
}

const words = (text) => text.split(' ').filter((word) => word !== '');

for (;;) {
  const [head, sizes] = readLine().split(';').map(words);
  const arrays = sizes.map((size) => readExactly(Number(size)));
  const [numbers, results] = requests[head[0]](head.slice(1).map(Number), arrays);
  const lengths = results.map((result) => result.length);
  writeAll(Buffer.from(`${numbers.join(' ')} ; ${lengths.join(' ')}\n`));
  results.forEach(writeAll);
}
