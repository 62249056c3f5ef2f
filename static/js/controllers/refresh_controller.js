/*
 * Keeps one part of a page fresh while something is under way: fetches the page again and swaps
 * the element with the same id, until the server sends it without this controller.
 * Needs: an id and data-refresh-s (seconds between looks) on the element.
 */

export default function connect(element) {
  setTimeout(async function look() {
    if (!element.isConnected) return;
    if (document.visibilityState === "visible") {
      const response = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
      if (response?.ok) {
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        const fresh = page.getElementById(element.id);
        if (fresh) {
          element.replaceWith(fresh);
          return;
        }
      }
    }
    setTimeout(look, Number(element.dataset.refreshS) * 1000);
  }, Number(element.dataset.refreshS) * 1000);
}
