// What people see: the camera, photos, answers. Knows nothing of WebAssembly.
import { Lens } from './pocketlens.js';

const CACHE = 'pocketlens';
const FRAME_MS = 100; // ten frames a second at most
const SMOOTH_MS = 400;
const SPOKEN_MS = 2500;

const $ = (id) => document.getElementById(id);
const make = (tag, props = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), props);
  element.append(...children);
  return element;
};
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const percent = (share) => `${Math.round(100 * share)}%`;
const size = (bytes) =>
  bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)} MB`;

let lens = null;
let camera = null; // promise of its stream
let watching = 0; // number of the loop that may go on
let work = new AbortController(); // of the still that is classified
let photos = []; // {file, address, thumb, result, failed}
let shown = -1;
let spoken = { name: '', at: 0 };

function setMode(mode) {
  document.body.dataset.mode = mode;
  $('camera').hidden = mode !== 'live';
  $('still').hidden = mode !== 'still';
  $('trouble').hidden = mode !== 'trouble';
  const text = mode !== 'still' ? 'Freeze' : photos.length > 1 ? 'More' : 'Camera';
  $('shutter-text').textContent = text;
  $('shutter').disabled = mode === 'loading' || mode === 'trouble';
  if (mode !== 'live') ++watching;
}

// ---- answers

function showAnswers({ answers, ms, crops }) {
  $('answers').replaceChildren(
    ...answers.map(({ number, name, confidence }) => {
      const item = make('li', {}, make('span', { textContent: name }));
      item.append(make('data', { value: number, textContent: percent(confidence) }));
      item.style.setProperty('--share', confidence);
      return item;
    }),
  );
  const [top] = answers;
  $('path').textContent = top.path.length ? [...top.path, top.name].join(' › ') : '';
  const views = crops === 1 ? '1 crop' : `${crops} crops`;
  const { about } = lens;
  $('facts').textContent =
    `${ms.toFixed(0)} ms · ${views} · ${about.engine} · ${size(about.bytes)}`;
  speak(top);
}

function clearAnswers(text = '') {
  $('answers').replaceChildren();
  $('path').textContent = '';
  $('facts').textContent = text;
}

// Screen readers hear a name when it is new, and not at every frame.
function speak({ name, confidence }) {
  const now = performance.now();
  if (name === spoken.name || now - spoken.at < SPOKEN_MS) return;
  spoken = { name, at: now };
  $('said').textContent = `${name}, ${percent(confidence)}`;
}

function trouble(sentence, { retry } = {}) {
  setMode('trouble');
  const parts = [make('p', { textContent: sentence })];
  if (retry) parts.push(make('button', { textContent: 'Try again', onclick: retry }));
  $('trouble').replaceChildren(...parts);
}

// ---- the camera

const CAMERA_TROUBLE = {
  NotAllowedError: 'The camera was refused. Allow it in the browser’s settings for this site; photos work without it.',
  NotFoundError: 'There is no camera here. Choose photos, or paste or drop them.',
  NotReadableError: 'The camera is used by something else. Close that and try again.',
};

async function goLive() {
  work.abort();
  photos.forEach(({ address }) => URL.revokeObjectURL(address));
  photos = [];
  showStrip();
  clearAnswers();
  try {
    await openCamera();
    setMode('live');
    await $('camera').play();
  } catch (error) {
    stopCamera();
    const sentence = CAMERA_TROUBLE[error.name] ?? `The camera does not start: ${error.message}`;
    trouble(sentence, { retry: goLive });
    return;
  }
  watch(++watching);
}

// Safe to call while the lens still loads: who is refused hears of it in goLive().
function openCamera() {
  camera ??= openStream();
  camera.catch(() => {});
  return camera;
}

async function openStream() {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: 'environment', width: { ideal: 1280 }, height: { ideal: 720 } },
  });
  $('camera').srcObject = stream;
  $('camera').play().catch(() => {}); // the first frame is there when the lens is
  return stream;
}

function stopCamera() {
  camera?.then((stream) => stream.getTracks().forEach((track) => track.stop()), () => {});
  camera = null;
  $('camera').srcObject = null;
}

async function watch(loop) {
  while (loop === watching) {
    const began = performance.now();
    if (!document.hidden && $('camera').videoWidth > 0) {
      try {
        const result = await lens.classify($('camera'), { smooth: SMOOTH_MS });
        if (loop === watching) showAnswers(result);
      } catch (error) {
        if (loop === watching) trouble(error.message, { retry: goLive });
        return;
      }
    }
    await wait(Math.max(0, FRAME_MS - (performance.now() - began)));
  }
}

// ---- stills

async function classifyStill(source) {
  work.abort();
  work = new AbortController();
  clearAnswers('Looking at ten crops …');
  const result = await lens.classify(source, { crops: 10, signal: work.signal });
  showAnswers(result);
  return result;
}

function paint(bitmap) {
  const still = $('still');
  still.width = bitmap.width ?? bitmap.videoWidth;
  still.height = bitmap.height ?? bitmap.videoHeight;
  still.getContext('2d').drawImage(bitmap, 0, 0, still.width, still.height);
}

async function freeze() {
  const frame = await createImageBitmap($('camera'));
  paint(frame);
  setMode('still');
  await classifyStill(frame).catch(tellUnlessCancelled);
  frame.close();
}

function tellUnlessCancelled(error) {
  if (error.slug !== 'cancelled' && error.name !== 'AbortError') clearAnswers(error.message);
}

function takePhotos(files) {
  const pictures = [...files].filter((file) => /^image\/|\.hei[cf]$/i.test(file.type || file.name));
  if (!pictures.length || !lens) return;
  stopCamera();
  pictures.sort((a, b) => b.lastModified - a.lastModified); // newest first
  photos.forEach(({ address }) => URL.revokeObjectURL(address));
  photos = pictures.map((file) => ({ file, address: URL.createObjectURL(file), result: null }));
  showStrip();
  showPhoto(0);
}

function showStrip() {
  $('strip').hidden = photos.length === 0;
  const camera = make('button', { type: 'button', textContent: 'Camera', onclick: goLive });
  const thumbs = photos.map((photo, number) => {
    const image = make('img', { src: photo.address, alt: '' });
    photo.caption = make('span', { textContent: photo.file.name });
    const props = { type: 'button', onclick: () => showPhoto(number) };
    photo.thumb = make('button', props, image, photo.caption);
    return photo.thumb;
  });
  $('strip').replaceChildren(camera, ...thumbs);
}

async function showPhoto(number) {
  shown = number;
  const photo = photos[number];
  photos.forEach(({ thumb }, i) => thumb.setAttribute('aria-current', i === number));
  photo.thumb.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  setMode('still');
  clearAnswers();
  $('still').setAttribute('aria-label', photo.file.name);
  try {
    const bitmap = await createImageBitmap(photo.file).catch(() => null);
    if (photos[shown] !== photo) return;
    if (bitmap) paint(bitmap);
    else $('still').width = 0;
    bitmap?.close();
    if (photo.result) return showAnswers(photo.result);
    photo.result = await classifyStill(photo.file);
    photo.caption.textContent = photo.result.answers[0].name;
  } catch (error) {
    tellUnlessCancelled(error);
  }
}

// ---- about

function showAbout() {
  const { about } = lens;
  $('about-name').textContent = about.name;
  const facts = [...about.facts, ['Engine', about.engine]];
  $('about-facts').replaceChildren(
    ...facts.flatMap(([what, says]) => [
      make('dt', { textContent: what }),
      make('dd', { textContent: says }),
    ]),
  );
  $('about-layers').replaceChildren(
    ...about.layers.flatMap(({ name, fate, files }) => [
      make('h2', { textContent: name }),
      make('p', { textContent: fate }),
      ...files.map((file) => make('img', { src: `model/${file}`, alt: '', loading: 'lazy' })),
    ]),
  );
  $('about').showModal();
}

// ---- offline

async function keepOffline() {
  if (!('serviceWorker' in navigator)) return;
  const registration = await navigator.serviceWorker.register('sw.js');
  const offer = (worker) => {
    if (!worker || !navigator.serviceWorker.controller) return;
    $('update').hidden = false;
    $('update-now').onclick = () => worker.postMessage('now');
  };
  offer(registration.waiting);
  registration.addEventListener('updatefound', () => {
    const worker = registration.installing;
    worker.addEventListener('statechange', () => {
      if (worker.state === 'installed') offer(worker);
      if (worker.state === 'redundant' && !registration.active) {
        $('facts').textContent = 'There is no room to keep the lens: it works only while online.';
      }
    });
  });
  let reloads = Boolean(navigator.serviceWorker.controller);
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    if (reloads) location.reload();
    reloads = true;
  });
  if (!(await navigator.storage?.persisted?.())) await navigator.storage?.persist?.();
}

// ---- start

async function start() {
  setMode('loading');
  $('bar').removeAttribute('value');
  openCamera();
  try {
    lens = await Lens.load('model/lens.json', {
      cache: CACHE,
      onProgress({ loaded, total }) {
        $('bar').max = total;
        $('bar').value = loaded;
        $('loaded').textContent = `Loading the lens: ${size(loaded)} of ${size(total)}`;
      },
    });
  } catch (error) {
    stopCamera();
    trouble(error.message, { retry: start });
    return;
  }
  document.title = lens.about.name;
  await goLive();
  keepOffline().catch(() => {}); // a page that cannot be kept still answers
}

$('shutter').onclick = () => {
  if (document.body.dataset.mode === 'live') return freeze();
  return photos.length > 1 ? showPhoto((shown + 1) % photos.length) : goLive();
};
$('files').onchange = ({ target }) => {
  takePhotos(target.files);
  target.value = '';
};
$('about-open').onclick = () => lens && showAbout();
addEventListener('paste', ({ clipboardData }) => takePhotos(clipboardData.files));
addEventListener('dragover', (event) => {
  event.preventDefault();
  document.body.dataset.drop = '';
});
addEventListener('dragleave', () => delete document.body.dataset.drop);
addEventListener('drop', (event) => {
  event.preventDefault();
  delete document.body.dataset.drop;
  takePhotos(event.dataTransfer.files);
});
addEventListener('pagehide', () => {
  stopCamera();
  lens?.close();
  lens = null;
});
addEventListener('pageshow', ({ persisted }) => persisted && start());
start();
