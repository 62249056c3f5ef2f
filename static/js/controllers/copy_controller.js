/*
 * A button that copies a text.
 * Needs: data-copy-text and data-copied-label on the button, and a <span> for its label.
 */

const SAY_MS = 2000;

export default function connect(button) {
  const label = button.querySelector("span");
  const before = label.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copyText);
    label.textContent = button.dataset.copiedLabel;
    setTimeout(() => {
      label.textContent = before;
    }, SAY_MS);
  });
  button.hidden = !navigator.clipboard;
}
