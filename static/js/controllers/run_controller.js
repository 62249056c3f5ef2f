/*
 * Follows one run while it happens: text flows in, blocks and the receipt take their places.
 * Needs on the stage: data-events-url, data-stop-url and the data-label-* words of its status.
 * Needs inside: [data-run-output], [data-run-status-text], [data-run-live], the bar
 * [data-run-progress] with its [data-run-progress-text], and the form [data-run-stop]. A receipt
 * goes to the page's [data-run-receipt], or below the output; [data-run-again] is shown then.
 * A form in the middle of a run comes into [data-run-question], whose value is its number.
 * The browser resumes a lost stream by itself with Last-Event-ID, so nothing comes twice.
 */

import { post } from "../http.js";
import { Announcer, Typist, fragment } from "../run_text.js";

const NEAR_PX = 96;

/** Whether two blocks show the same: a chart is drawn once, a picture read once. */
function isSame(live, finished) {
  const chart = live.dataset.chart;
  if (chart !== undefined) return chart === finished.dataset.chart;
  const advertisement = live.dataset.viewUrl;
  if (advertisement !== undefined) return advertisement === finished.dataset.viewUrl;
  return live.isEqualNode(finished);
}

export default function connect(stage) {
  const output = stage.querySelector("[data-run-output]");
  const status = stage.querySelector("[data-run-status-text]");
  const progress = stage.querySelector("[data-run-progress]");
  const question = stage.querySelector("[data-run-question]");
  const stopForm = stage.querySelector("[data-run-stop]");
  const label = (name) => stage.dataset[`label${name}`];
  const typist = new Typist(output, keepEndInView);
  const announcer = new Announcer(stage.querySelector("[data-run-live]"));
  const source = new EventSource(stage.dataset.eventsUrl);
  let isOver = false;
  let isStopping = false;
  const held = [];

  function keepEndInView(change) {
    const isFollowing = stage.getBoundingClientRect().bottom <= window.innerHeight + NEAR_PX;
    change();
    const below = stage.getBoundingClientRect().bottom - window.innerHeight;
    if (isFollowing && below > 0) window.scrollBy({ top: below + 24, behavior: "instant" });
  }

  /** Put the finished output in place of the live one, and leave alone what is there already. */
  function settle(html) {
    const live = [...output.children];
    const finished = [...fragment(html).children];
    finished.forEach((node, place) => {
      if (!live[place]) output.append(node);
      else if (!isSame(live[place], node)) live[place].replaceWith(node);
    });
    live.slice(finished.length).forEach((node) => node.remove());
  }

  function say(text) {
    status.textContent = text;
  }

  function place(html, target) {
    typist.finish();
    keepEndInView(() => target.append(fragment(html)));
  }

  function on(name, handle) {
    source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }

  /** What the app makes once Stop is pressed is held back: the finished output has it. */
  function onMade(name, handle) {
    on(name, (data) => {
      if (isStopping) held.push(() => handle(data));
      else handle(data);
    });
  }

  function end({ state }) {
    isOver = true;
    source.close();
    typist.finish();
    stage.removeAttribute("aria-busy");
    stage.classList.toggle("run-stage-failed", state === "failed");
    stopForm?.remove();
    progress.remove();
    question.remove();
    document.removeEventListener("keydown", stopOnEscape);
    document.querySelector("[data-run-again]")?.removeAttribute("hidden");
    say(label({ failed: "Failed", stopped: "Stopped" }[state] ?? "Done"));
    announcer.finish(status.textContent);
  }

  async function stop(event) {
    event?.preventDefault();
    if (isOver || isStopping) return;
    isStopping = true;
    typist.pause();
    say(label("Stopping"));
    stopForm.querySelector("button").disabled = true;
    const response = await post(stage.dataset.stopUrl).catch(() => null);
    // Without an answer the words go on, and the browser may be asked once more.
    if (!response?.ok && !isOver) {
      isStopping = false;
      typist.resume();
      held.splice(0).forEach((show) => show());
      stopForm.querySelector("button").disabled = false;
    }
  }

  function ask({ number, html }) {
    if (!html) {
      question.replaceChildren();
      say(label("Writing"));
      return;
    }
    say(label("Asking"));
    announcer.hear(`${label("Asking")}. `);
    // The page itself may hold it already, with what was typed.
    if (question.dataset.runQuestion === String(number) && question.childElementCount) return;
    question.dataset.runQuestion = number;
    typist.finish();
    keepEndInView(() => question.replaceChildren(fragment(html)));
    question.querySelector("input:not([type=hidden]), select, textarea")?.focus();
  }

  async function answer(event) {
    // The form's own checks come first.
    if (event.defaultPrevented) return;
    event.preventDefault();
    const form = event.target;
    const response = await post(form.getAttribute("action"), new FormData(form)).catch(() => null);
    if (response?.status === 422) {
      question.replaceChildren(fragment(await response.text()));
    } else if (response?.ok) {
      question.replaceChildren();
    } else {
      say(label("Lost"));
      form.ariaBusy = null;
      const button = form.querySelector("button[aria-busy]");
      button?.removeAttribute("aria-busy");
      if (button?.dataset.label) button.querySelector("span").textContent = button.dataset.label;
    }
  }

  function stopOnEscape(event) {
    if (question.contains(event.target)) return;
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) stop(event);
  }

  on("queued", ({ position }) => {
    say(position > 0 ? label("Queued").replace("{n}", position) : label("Next"));
  });
  onMade("text", ({ text, markdown = false }) => {
    say(label("Writing"));
    typist.write(text, markdown);
    announcer.hear(text);
  });
  onMade("progress", ({ done, total, text }) => {
    progress.hidden = false;
    const bar = progress.querySelector("progress");
    if (total === null) bar.removeAttribute("value");
    else {
      bar.max = total;
      bar.value = done;
    }
    progress.querySelector("[data-run-progress-text]").textContent = text;
  });
  onMade("item", ({ html }) => place(html, output));
  onMade("slot", ({ html }) => place(html, output));
  onMade("question", ask);
  on("receipt", ({ html }) => {
    const spot = document.querySelector("[data-run-receipt]");
    if (spot) spot.replaceChildren();
    place(html, spot ?? output);
  });
  on("failed", ({ message }) => {
    const notice = document.createElement("div");
    notice.className = "notice notice-bad";
    notice.setAttribute("role", "alert");
    const words = document.createElement("p");
    words.dir = "auto";
    words.textContent = message;
    notice.append(words);
    typist.finish();
    keepEndInView(() => output.append(notice));
  });
  on("final", ({ html }) => {
    typist.finish();
    keepEndInView(() => settle(html));
  });
  on("done", end);

  source.addEventListener("error", () => {
    if (isOver) return;
    say(label("Lost"));
    // CLOSED means the server answered with an error: only a fresh page can tell how it stands.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
  });
  question.addEventListener("submit", answer);
  stopForm?.addEventListener("submit", stop);
  document.addEventListener("keydown", stopOnEscape);
}
