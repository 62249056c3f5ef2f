// Follows every save: the form is drawn again, with what was typed in it.

const POLL_MS = 200;
const panel = document.getElementById("panel");

async function redraw(version) {
  const form = panel.querySelector("[data-dev-form]");
  const body = new FormData(form ?? undefined);
  if (form) for (const name of [...body.keys()]) if (body.get(name) instanceof File) body.delete(name);
  const answer = await fetch("/panel", { method: "POST", body });
  const template = document.createElement("template");
  template.innerHTML = await answer.text();
  panel.replaceChildren(template.content);
  panel.dataset.version = version;
}

async function follow() {
  try {
    const version = await (await fetch("/version")).text();
    if (version !== panel.dataset.version) await redraw(version);
    document.title = document.title.replace(/^⏸ /, "");
  } catch {
    if (!document.title.startsWith("⏸")) document.title = `⏸ ${document.title}`;
  }
  setTimeout(follow, POLL_MS);
}

follow();
