// A classifier in a page: decoding and computing happen in a worker, nothing leaves the device.
//
//   import { Lens } from './pocketlens.js';
//   const lens = await Lens.load('model/lens.json');
//   const { answers } = await lens.classify(file, { top: 5, crops: 10 });
//
// pocketlens.d.ts has the types.
import * as say from './messages.js';

export const { LensError } = say;

async function bitmapOf(source) {
  try {
    return await createImageBitmap(source, { imageOrientation: 'from-image' });
  } catch (error) {
    const kind = source.type ? ` (${source.type})` : '';
    throw new LensError(
      'photo',
      `This browser cannot decode the picture${kind}: ${error.message} Save it as JPEG or PNG.`,
    );
  }
}

export class Lens {
  #worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
  #waiting = new Map();
  #last = 0;
  #failed = null;

  constructor() {
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end(new LensError('unexpected', event.message || 'The worker could not be started.'));
    };
  }

  // url: of a lens.json. onProgress({loaded, total}) in bytes; cache: name of a Cache in which
  // downloads are kept; signal: an AbortSignal.
  static async load(url, { onProgress, signal, cache } = {}) {
    const lens = new Lens();
    try {
      const message = { kind: say.LOAD, url: new URL(url, document.baseURI).href, cache };
      lens.about = await lens.#ask(message, { signal, onProgress });
    } catch (error) {
      lens.close();
      throw error;
    }
    return lens;
  }

  // source: ImageBitmap, Blob, ImageData, VideoFrame, or an element <img>, <video>, <canvas>.
  // crops: 1, 5 or 10 views averaged; smooth: a running mean over so many milliseconds of frames.
  // Resolves to {answers: [{number, name, path, confidence}], ms, crops, memoryBytes}.
  async classify(source, { top = 5, crops = 1, smooth = 0, signal } = {}) {
    if (![1, 5, 10].includes(crops)) throw new LensError('crops', `crops is ${crops}; choose 1, 5 or 10.`);
    signal?.throwIfAborted();
    const bitmap = await bitmapOf(source);
    const message = { kind: say.CLASSIFY, bitmap, top, crops, smooth };
    return this.#ask(message, { signal, transfer: [bitmap] });
  }

  // Frees all memory. What is under way fails with the slug 'closed'.
  close() {
    this.#worker.terminate();
    this.#end(new LensError('closed', 'The lens was closed.'));
  }

  #ask(message, { signal, onProgress, transfer = [] }) {
    if (this.#failed) return Promise.reject(this.#failed);
    const id = ++this.#last;
    return new Promise((done, fail) => {
      const cancel = () => this.#worker.postMessage({ id, kind: say.CANCEL });
      signal?.addEventListener('abort', cancel, { once: true });
      const forget = () => signal?.removeEventListener('abort', cancel);
      this.#waiting.set(id, { done, fail, onProgress, forget });
      this.#worker.postMessage({ id, ...message }, transfer);
      if (signal?.aborted) cancel();
    });
  }

  #hear({ id, kind, ...words }) {
    const request = this.#waiting.get(id);
    if (!request) return;
    if (kind === say.PROGRESS) {
      request.onProgress?.(words);
      return;
    }
    this.#waiting.delete(id);
    request.forget();
    if (kind === say.DONE) request.done(words.result);
    else request.fail(new LensError(words.slug, words.message));
  }

  #end(error) {
    this.#failed = error;
    for (const request of this.#waiting.values()) {
      request.forget();
      request.fail(error);
    }
    this.#waiting.clear();
  }
}
