// The words that page and worker say to each other. Every message has the id of its request.
//
// page to worker   LOAD {url, cache}, CLASSIFY {bitmap, top, crops, smooth}, CANCEL
// worker to page   PROGRESS {loaded, total}, DONE {result}, FAILED {slug, message}
export const LOAD = 'load';
export const CLASSIFY = 'classify';
export const CANCEL = 'cancel';
export const PROGRESS = 'progress';
export const DONE = 'done';
export const FAILED = 'failed';

// What went wrong, as a sentence for people; `slug` is for programs.
export class LensError extends Error {
  constructor(slug, message) {
    super(message);
    this.name = 'LensError';
    this.slug = slug;
  }
}
