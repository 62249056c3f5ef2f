/*
 * The service worker: it keeps one honest page for when the store cannot be reached, and nothing
 * else. Pages are never shown from a cache, so what you see is what the store says now.
 */

const LANGUAGE = new URL(self.location).searchParams.get("lang") ?? "en";
const CACHE = `offline-2-${LANGUAGE}`;
const PAGE = "/offline";
const NEEDED = /(?:href|src)="(\/static\/[^"#]+\.(?:css|woff2|svg|js)[^"#]*)/g;

async function keep() {
  const cache = await caches.open(CACHE);
  // Without cookies: the page that is kept is the one of nobody in particular.
  const page = await fetch(`${PAGE}?lang=${LANGUAGE}`, { credentials: "omit", cache: "no-store" });
  if (!page.ok) throw new Error(`The offline page could not be read: ${page.status}`);
  const text = await page.clone().text();
  await cache.put(PAGE, page);
  const addresses = [...text.matchAll(NEEDED)].map((found) => found[1].replaceAll("&amp;", "&"));
  await cache.addAll([...new Set(addresses)]);
  await self.skipWaiting();
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
    return (await caches.match(PAGE)) ?? Response.error();
  }
}

async function part(request) {
  return (await caches.match(request)) ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (isCut) event.respondWith(part(request));
});
