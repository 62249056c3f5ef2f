/*
 * The service worker: it keeps one honest page for when the store cannot be reached, and nothing
 * else. Pages are never shown from a cache, so what you see is what the store says now.
 */

const CACHE = "offline-1";
const PAGE = "/offline";
const NEEDED = /(?:href|src)="(\/static\/[^"]+\.(?:css|woff2|svg)[^"]*)"/g;

async function keep() {
  const cache = await caches.open(CACHE);
  // Without cookies: the page that is kept is the one of nobody in particular.
  const page = await fetch(PAGE, { credentials: "omit", cache: "no-store" });
  const text = await page.clone().text();
  await cache.put(PAGE, page);
  const addresses = [...text.matchAll(NEEDED)].map((found) => found[1].replaceAll("&amp;", "&"));
  await cache.addAll([...new Set(addresses)]);
}

async function forgetOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function page(request) {
  try {
    return await fetch(request);
  } catch {
    return caches.match(PAGE);
  }
}

async function look(request) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(request)) ?? Response.error();
  }
}

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (["style", "font"].includes(request.destination)) event.respondWith(look(request));
});
