/*
 * Results while typing, on a page that shows results already.
 * Needs: the search input inside its GET form, and an element with the id "results" on the page.
 */

const PAUSE_MS = 120;

export default function connect(input) {
  if (!document.getElementById("results")) return;
  let timer;
  let asked = new AbortController();

  async function look() {
    asked.abort();
    asked = new AbortController();
    const { form } = input;
    const url = `${form.action}?${new URLSearchParams(new FormData(form))}`;
    try {
      const response = await fetch(url, { signal: asked.signal, credentials: "same-origin" });
      if (!response.ok) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      document.getElementById("results").replaceWith(page.getElementById("results"));
      document.title = page.title;
      history.replaceState(null, "", url);
    } catch (error) {
      // A newer question has taken this one's place, or the network is gone: Enter still works.
      if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE_MS);
  });
}
