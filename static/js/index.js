/*
 * Connects elements to the small modules their data-controller attribute names, now and when
 * a page gains elements later. Every page works without any of them.
 */

const modules = new Map();
const connected = new WeakMap();

function load(name) {
  if (!modules.has(name)) modules.set(name, import(`./controllers/${name}_controller.js`));
  return modules.get(name);
}

async function connect(element) {
  const names = element.dataset.controller.split(" ").filter(Boolean);
  const done = connected.get(element) ?? new Set();
  connected.set(element, done);
  for (const name of names) {
    if (done.has(name)) continue;
    done.add(name);
    const module = await load(name);
    module.default(element);
  }
}

function connectAll(root) {
  if (root.matches?.("[data-controller]")) connect(root);
  root.querySelectorAll?.("[data-controller]").forEach(connect);
}

new MutationObserver((changes) => {
  for (const change of changes) change.addedNodes.forEach(connectAll);
}).observe(document.body, { childList: true, subtree: true });

connectAll(document.body);

// The store's page for a lost connection; browsers offer it only where the address is safe. A page
// that borrows these scripts, as `caravan dev` does, links to no web app and has no such worker.
if ("serviceWorker" in navigator && document.querySelector("link[rel=manifest]")) {
  addEventListener("load", async () => {
    await navigator.serviceWorker.register("/sw.js");
    const { active } = await navigator.serviceWorker.ready;
    active.postMessage(document.documentElement.lang);
  });
}
