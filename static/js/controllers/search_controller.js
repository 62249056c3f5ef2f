/*
 * Answers while typing: the results of the page that shows results, else a list of apps below
 * the field, walked with the arrows, opened with Enter and closed with Esc.
 * Needs: the search input inside its GET form; data-suggest-url, and data-suggest-label, the
 * list's name; on a page of results an element with the id "results".
 */

const PAUSE_MS = 100;

/**
 * Calls `ask` when typing rests, and where `isQuick` at the first keystroke too; older questions
 * are dropped.
 */
function whileTyping(input, ask, isQuick) {
  let timer;
  let last = 0;
  let asked = new AbortController();

  async function go() {
    last = Date.now();
    asked.abort();
    asked = new AbortController();
    try {
      await ask(asked.signal);
    } catch (error) {
      // A newer question has taken this one's place, or the network is gone: Enter still works.
      if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(go, isQuick && Date.now() - last > PAUSE_MS ? 0 : PAUSE_MS);
  });
  // Somebody was quicker than this script.
  if (document.activeElement === input && input.value !== input.defaultValue) go();
  return () => {
    clearTimeout(timer);
    asked.abort();
  };
}

async function read(url, signal) {
  const response = await fetch(url, { signal, credentials: "same-origin" });
  return response.ok ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
}

function renewResults(input) {
  whileTyping(input, async (signal) => {
    const url = `${input.form.action}?${new URLSearchParams(new FormData(input.form))}`;
    const page = await read(url, signal);
    if (!page) return;
    document.getElementById("results").replaceWith(page.getElementById("results"));
    document.title = page.title;
    history.replaceState(null, "", url);
    // A page of results takes long to draw; the next letter shall not wait for it.
  }, false);
}

function suggest(input) {
  const list = document.createElement("ul");
  Object.assign(list, { id: "suggestions", className: "suggestions", role: "listbox", hidden: true });
  list.ariaLabel = input.dataset.suggestLabel;
  input.after(list);
  Object.assign(input, { role: "combobox", ariaAutoComplete: "list", ariaExpanded: "false" });
  input.setAttribute("aria-controls", list.id);

  function mark(option) {
    for (const other of list.children) other.ariaSelected = String(other === option);
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  }

  function show(isOpen) {
    list.hidden = !isOpen;
    input.ariaExpanded = String(isOpen);
    mark(null);
  }

  const stop = whileTyping(input, async (signal) => {
    const query = input.value.trim();
    if (!query) return show(false);
    const page = await read(`${input.dataset.suggestUrl}?${new URLSearchParams({ q: query })}`, signal);
    if (!page) return;
    const chosen = list.querySelector("[aria-selected=true]")?.dataset.href;
    list.replaceChildren(...page.querySelectorAll("[role=option]"));
    show(list.children.length > 0);
    // An answer that comes late takes nobody's choice away.
    mark([...list.children].find((option) => option.dataset.href === chosen) ?? null);
  }, true);

  input.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing) return;
    const options = [...list.children];
    const chosen = options.findIndex((option) => option.ariaSelected === "true");
    if (event.key === "ArrowDown") mark(options[(chosen + 1) % options.length]);
    else if (event.key === "ArrowUp") mark(options.at(chosen === -1 ? -1 : chosen - 1));
    else if (event.key === "Enter" && chosen >= 0) location.assign(options[chosen].dataset.href);
    else if (event.key === "Escape") show(false);
    else return;
    event.preventDefault();
  });
  // On mousedown: by the click the field would have lost the focus, and the list be gone.
  list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const option = event.target.closest("[role=option]");
    if (option) location.assign(option.dataset.href);
  });
  input.addEventListener("blur", () => {
    stop();
    show(false);
  });
}

export default function connect(input) {
  if (document.getElementById("results")) renewResults(input);
  else suggest(input);
}
