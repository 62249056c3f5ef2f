/*
 * One key that focuses a field or presses a button, while nobody is typing.
 * Needs: data-shortcut with the key on the element.
 */

function isTyping(target) {
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

export default function connect(element) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== element.dataset.shortcut || isTyping(event.target)) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    event.preventDefault();
    if (element.matches("input, textarea")) {
      element.focus();
      element.select();
    } else {
      element.click();
    }
  });
}
