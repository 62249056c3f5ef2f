/*
 * The service worker: it keeps one honest page for when the store cannot be reached, and nothing
 * else. Pages are never shown from a cache, so what you see is what the store says now.
 */

const CACHE = "offline-3";
const PAGE = "/offline";
const NEEDED = /(?:href|src)="(\/static\/[^"#]+\.(?:css|woff2|svg|js)[^"#]*)/g;

/** Keeps the page in the language that pages are read in now, and none in another. */
async function keep(language) {
  const address = `/offline?lang=${language}`;
  const cache = await caches.open(CACHE);
  if (await cache.match(address)) return;
  // Without cookies: the page that is kept is the one of nobody in particular.
  const page = await fetch(address, { credentials: "omit", cache: "no-store" });
  if (!page.ok) throw new Error(`The offline page could not be read: ${page.status}`);
  const text = await page.clone().text();
  const needed = [...text.matchAll(NEEDED)].map((found) => found[1].replaceAll("&amp;", "&"));
  await cache.addAll([...new Set(needed)]);
  await cache.delete(PAGE, { ignoreSearch: true });
  await cache.put(address, page);
}

async function forgetOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
}

// Whether the last page could not be read; what the kept one needs is then kept as well.
let isCut = false;

async function page(request) {
  try {
    const answer = await fetch(request);
    isCut = false;
    return answer;
  } catch {
    isCut = true;
    return (await caches.match(PAGE, { ignoreSearch: true })) ?? Response.error();
  }
}

async function part(request) {
  return (await caches.match(request)) ?? fetch(request);
}

// One worker for every language, and a new one waits until the old one's pages are closed: where
// one takes another's place during a redirected navigation, Chromium never ends the navigation.
self.addEventListener("message", (event) => event.waitUntil(keep(event.data)));
self.addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (isCut) event.respondWith(part(request));
});
