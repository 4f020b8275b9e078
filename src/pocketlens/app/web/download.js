// Downloads that are what they should be: length and SHA-256 are looked at, and one that is not
// right is fetched a second time before it is given up.
import { LensError } from './messages.js';

const hex = (buffer) =>
  Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');

// Calls onbytes(n) for every n bytes that arrive; n < 0 takes back those of a failed try.
async function body(response, size, onbytes) {
  const bytes = new Uint8Array(size);
  const reader = response.body.getReader();
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length <= size) bytes.set(value, at);
    at += value.length;
    onbytes(value.length);
    if (at > size) break;
  }
  return { bytes, at };
}

async function attempt(url, entry, options, onbytes) {
  let seen = 0;
  const count = (n) => {
    seen += n;
    onbytes(n);
  };
  try {
    const response = await fetch(url, options);
    if (!response.ok) throw new LensError('download', `the server answered ${response.status}`);
    const { bytes, at } = await body(response, entry.bytes, count);
    if (at !== entry.bytes) {
      throw new LensError('download', `${at} bytes came where ${entry.bytes} were expected`);
    }
    if (hex(await crypto.subtle.digest('SHA-256', bytes)) !== entry.sha256) {
      throw new LensError('download', 'its bytes are not those that were published');
    }
    return bytes;
  } catch (error) {
    onbytes(-seen);
    throw error;
  }
}

const key = (url, entry) => `${url}?${entry.sha256.slice(0, 16)}`;

async function kept(store, url, entry, onbytes) {
  const found = await store?.match(key(url, entry));
  if (!found) return null;
  const bytes = new Uint8Array(await found.arrayBuffer());
  onbytes(bytes.length);
  return bytes;
}

// entry {file, bytes, sha256}; store: a Cache where downloads are kept, or null.
export async function download(base, entry, { signal, store, onbytes }) {
  const url = new URL(entry.file, base).href;
  const there = await kept(store, url, entry, onbytes);
  if (there) return there;
  let bytes;
  try {
    bytes = await attempt(url, entry, { signal }, onbytes);
  } catch (error) {
    if (signal?.aborted) throw error;
    try {
      bytes = await attempt(url, entry, { signal, cache: 'reload' }, onbytes);
    } catch (again) {
      if (signal?.aborted) throw again;
      throw new LensError(
        'download',
        `${entry.file} could not be downloaded: ${again.message}. It was tried twice; ` +
          'look at the connection and open the page again.',
      );
    }
  }
  // Nobody waits: a slow or full disk costs the next visit a download, not this one its answer.
  store?.put(key(url, entry), new Response(bytes)).catch(() => {});
  return bytes;
}

// Runs `take` on what `fetchOne` makes of each item, in order, while up to `width` are under way.
export async function inOrder(items, width, fetchOne, take) {
  const ahead = [];
  let next = 0;
  for (let number = 0; number < items.length; ++number) {
    while (next < items.length && next < number + width) {
      const promise = fetchOne(items[next++]);
      promise.catch(() => {}); // told when its turn comes
      ahead.push(promise);
    }
    await take(items[number], await ahead.shift());
  }
}
