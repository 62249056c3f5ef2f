/*
 * A passing message: it leaves by itself unless someone is reading it or it reports an error.
 * Needs: a button with data-toast-close; data-toast-stays keeps it until that is pressed.
 */

const STAY_MS = 7000;

export default function connect(toast) {
  const close = toast.querySelector("[data-toast-close]");
  close.hidden = false;
  close.addEventListener("click", () => toast.remove());
  if ("toastStays" in toast.dataset) return;

  let timer;
  const hold = () => clearTimeout(timer);
  const start = () => {
    timer = setTimeout(() => toast.remove(), STAY_MS);
  };
  toast.addEventListener("pointerenter", hold);
  toast.addEventListener("pointerleave", start);
  toast.addEventListener("focusin", hold);
  toast.addEventListener("focusout", start);
  start();
}
