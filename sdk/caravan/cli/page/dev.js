// Follows every save: the app's head and its form are drawn again, with what was typed in it.

const POLL_MS = 200;

async function redraw() {
  const form = document.querySelector("[data-dev-form]");
  const body = new FormData(form ?? undefined);
  if (form) for (const name of [...body.keys()]) if (body.get(name) instanceof File) body.delete(name);
  const answer = await fetch("/panel", { method: "POST", body });
  const template = document.createElement("template");
  template.innerHTML = await answer.text();
  for (const part of [...template.content.children]) document.getElementById(part.id).replaceWith(part);
  document.title = `${document.querySelector("h1").textContent} · caravan dev`;
}

async function follow() {
  try {
    const version = await (await fetch("/version")).text();
    if (version !== document.getElementById("panel").dataset.version) await redraw();
    document.title = document.title.replace(/^⏸ /, "");
  } catch {
    if (!document.title.startsWith("⏸")) document.title = `⏸ ${document.title}`;
  }
  setTimeout(follow, POLL_MS);
}

follow();
