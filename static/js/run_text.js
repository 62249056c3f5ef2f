/* How a run's words reach the page and the ear: evenly, and in whole sentences. */

import { arriving, blocks, settled } from "./markdown.js";

const CATCH_UP_FRAMES = 8;
const FLOOD_CHARACTERS = 4000;
const SPEAK_EVERY_MS = 2000;
const SENTENCE_END = /[.!?؟。\n](?=\s|$)/g;

/** Server-rendered markup as nodes. */
export function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/** Writes text a share per frame, so that uneven arrivals read as one flow. */
export class Typist {
  #output;
  #around;
  #waiting = "";
  #block = null;
  #frame = 0;
  #isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;

  /** `around(change)` is called with each change to the page, to keep its end in view. */
  constructor(output, around) {
    this.#output = output;
    this.#around = around;
  }

  write(text, isMarkdown) {
    if (this.#block && this.#block.isMarkdown !== isMarkdown) this.finish();
    this.#block ??= isMarkdown ? new MarkdownBlock() : new PlainBlock();
    this.#waiting += text;
    // A hidden page gets no frames, and a long replay should not be acted out.
    if (this.#isCalm || document.hidden || this.#waiting.length > FLOOD_CHARACTERS) this.#flush();
    else if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#step());
  }

  /** Write what waits and end the block; later text begins a new one. */
  finish() {
    this.#flush();
    this.#block?.finish();
    this.#block = null;
  }

  /** Write no further for now; what waits is kept. */
  pause() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  /** Go on with what waits. */
  resume() {
    if (this.#waiting) this.#frame = requestAnimationFrame(() => this.#step());
  }

  #step() {
    this.#frame = 0;
    this.#append(Math.max(2, Math.ceil(this.#waiting.length / CATCH_UP_FRAMES)));
    if (this.#waiting) this.#frame = requestAnimationFrame(() => this.#step());
  }

  #flush() {
    this.pause();
    this.#append(this.#waiting.length);
  }

  #append(count) {
    if (!this.#waiting) return;
    // A surrogate pair is never cut in two.
    const code = this.#waiting.charCodeAt(count - 1);
    const end = code >= 0xd800 && code <= 0xdbff ? count + 1 : count;
    const text = this.#waiting.slice(0, end);
    this.#waiting = this.#waiting.slice(end);
    this.#around(() => {
      if (!this.#block.element.isConnected) this.#output.append(this.#block.element);
      this.#block.add(text);
    });
  }
}

function blockElement(className) {
  const made = document.createElement("div");
  made.className = className;
  made.dir = "auto";
  return made;
}

class PlainBlock {
  isMarkdown = false;
  element = blockElement("run-text");
  #node = this.element.appendChild(document.createTextNode(""));

  add(text) {
    this.#node.appendData(text);
  }

  /** Nothing was left out. */
  finish() {}
}

class MarkdownBlock {
  isMarkdown = true;
  element = blockElement("run-text prose");
  #open = "";
  #tail = [];

  /** Only what may still change is drawn again. */
  add(text) {
    this.#open += text;
    const cut = settled(this.#open);
    this.#tail.forEach((node) => node.remove());
    this.element.append(...blocks(this.#open.slice(0, cut)));
    this.#open = this.#open.slice(cut);
    this.#tail = blocks(arriving(this.#open));
    this.element.append(...this.#tail);
  }

  /** Show what was left out because more might have come. */
  finish() {
    this.#tail.forEach((node) => node.remove());
    this.element.append(...blocks(this.#open));
  }
}

/** Hands a screen reader whole sentences, at most one batch every two seconds. */
export class Announcer {
  #region;
  #unsaid = "";
  #timer = 0;

  constructor(region) {
    this.#region = region;
  }

  hear(text) {
    this.#unsaid += text;
    if (!this.#timer) this.#timer = setTimeout(() => this.#speak(), SPEAK_EVERY_MS);
  }

  finish(lastWords) {
    clearTimeout(this.#timer);
    this.#region.textContent = `${this.#unsaid} ${lastWords}`;
    this.#unsaid = "";
  }

  #speak() {
    this.#timer = 0;
    const ends = [...this.#unsaid.matchAll(SENTENCE_END)];
    if (ends.length === 0) return;
    const cut = ends.at(-1).index + 1;
    this.#region.textContent = this.#unsaid.slice(0, cut);
    this.#unsaid = this.#unsaid.slice(cut);
  }
}
