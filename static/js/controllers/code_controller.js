/*
 * A button on each block of code in a text, which copies the code.
 * Needs: data-copy-label and data-copied-label on the text.
 */

import copy from "./copy_controller.js";

export default function connect(text) {
  for (const code of text.querySelectorAll("pre > code")) {
    const button = document.createElement("button");
    const label = document.createElement("span");
    button.type = "button";
    button.className = "button button-quiet button-s code-copy";
    button.dataset.copyText = code.textContent;
    button.dataset.copiedLabel = text.dataset.copiedLabel;
    label.textContent = text.dataset.copyLabel;
    button.append(label);
    copy(button);
    const frame = document.createElement("div");
    frame.className = "code-frame";
    frame.dir = "ltr";
    code.parentElement.replaceWith(frame);
    frame.append(code.parentElement, button);
  }
}
