// Offline: keeps every file of the site under its hash, and changes to a new set only when all of
// it is there.
const FILES = {}; // {path: hash}, filled in when the site is made
const CACHE = 'pocketlens';
const MODEL = /^model\/./;

const address = (path) => new URL(path, self.registration.scope).href;
const keyOf = (path) => `${address(path)}?${FILES[path]}`;

async function fetchAll() {
  const cache = await caches.open(CACHE);
  const add = async (path) => {
    if (await cache.match(keyOf(path))) return;
    // What carries its hash in its name may come from the browser's own cache.
    const mode = MODEL.test(path) && !path.endsWith('.json') ? 'default' : 'no-cache';
    const response = await fetch(address(path), { cache: mode });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    const type = response.headers.get('content-type') ?? '';
    const bytes = await response.arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    const hash = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
    if (!hash.startsWith(FILES[path])) throw new Error(`${path} is damaged`);
    await cache.put(keyOf(path), new Response(bytes, { headers: { 'content-type': type } }));
  };
  const paths = Object.keys(FILES);
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      while (paths.length) await add(paths.shift());
    }),
  );
}

async function dropOld() {
  const cache = await caches.open(CACHE);
  const wanted = new Set(Object.keys(FILES).map(keyOf));
  const keys = await cache.keys();
  await Promise.all(keys.filter(({ url }) => !wanted.has(url)).map((request) => cache.delete(request)));
  await self.clients.claim();
}

async function answer(request) {
  const path = new URL(request.url).href.slice(self.registration.scope.length).split(/[?#]/)[0];
  const name = path === '' ? 'index.html' : path;
  const found = name in FILES && (await (await caches.open(CACHE)).match(keyOf(name)));
  return found || fetch(request);
}

self.addEventListener('install', (event) => event.waitUntil(fetchAll()));
self.addEventListener('activate', (event) => event.waitUntil(dropOld()));
self.addEventListener('message', ({ data }) => data === 'now' && self.skipWaiting());
self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method === 'GET' && request.url.startsWith(self.registration.scope)) {
    event.respondWith(answer(request));
  }
});
