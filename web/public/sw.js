// The service worker: keeps the app's own files, so that it opens without any node. Everything under /v1 goes to the
// nodes as it is; what may be kept of that, the app keeps itself, encrypted.
const VERSION = '__VERSION__';
const FILES = ['__FILES__'];
// Two files of words for each language: those of this device's language are kept, English in case, and what was chosen here.
const WORDS = ['__WORDS__'];
const language = (path) => path.slice('/assets/'.length).split('-')[0];

async function wanted() {
  const earlier = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
  const kept = earlier.flat().map((request) => new URL(request.url).pathname);
  const known = WORDS.map(language);
  const first = self.navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => known.includes(tag));
  const spoken = new Set(['en', first, ...kept.filter((path) => path.endsWith('.json')).map(language)]);
  return WORDS.filter((path) => spoken.has(language(path)));
}

self.addEventListener('install', (event) => {
  event.waitUntil(
    Promise.all([caches.open(VERSION), wanted()]).then(([cache, words]) =>
      // Hashed files that did not change come from the copy that is there already.
      Promise.all(
        [...FILES, ...words].map(async (path) => {
          const known = path.startsWith('/assets/') && (await caches.match(path));
          const response = known || (await fetch(path, { cache: 'no-cache' }));
          if (!response.ok) throw new Error(`${path}: ${response.status}`);
          await cache.put(path, response);
        }),
      ),
    ),
  );
});

self.addEventListener('activate', (event) => {
  const old = (names) => names.filter((name) => name !== VERSION);
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(old(names).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

// The app says when: never by itself, and never while an incident is open.
self.addEventListener('message', (event) => {
  if (event.data === 'take-over') self.skipWaiting();
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith('/v1/') || url.pathname.startsWith('/lite')) return;
  const path = request.mode === 'navigate' ? '/' : url.pathname;
  event.respondWith(
    caches.open(VERSION).then(async (cache) => {
      const kept = await cache.match(path);
      if (kept) return kept;
      const response = await fetch(request);
      if (response.ok && WORDS.includes(path)) await cache.put(path, response.clone());
      return response;
    }),
  );
});
