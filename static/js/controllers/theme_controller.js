/*
 * A button that goes from the system's theme to light to dark and back, without a new page.
 * Needs: data-label-auto, data-label-light, data-label-dark on the button, inside it one element
 * per theme with data-theme-icon, and around it the form that changes the theme on the server.
 * The choice is a cookie, so the server draws the next page in it and nothing flashes.
 */

const THEMES = ["auto", "light", "dark"];

/** Runs after the next frame is painted. */
function afterPaint(step) {
  requestAnimationFrame(() => setTimeout(step));
}

/** Draws the whole page in a theme, at once: no colour fades on its way. */
function draw(theme) {
  const root = document.documentElement.dataset;
  root.still = "";
  if (theme === "auto") delete root.theme;
  else root.theme = theme;
  afterPaint(() => delete root.still);
}

function after(theme) {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
}

export default function connect(button) {
  let theme = document.documentElement.dataset.theme ?? "auto";

  function show() {
    const label = button.dataset[`label${theme[0].toUpperCase()}${theme.slice(1)}`];
    button.setAttribute("aria-label", label);
    button.title = label;
    button.value = after(theme);
    button.querySelectorAll("[data-theme-icon]").forEach((icon) => {
      icon.hidden = icon.dataset.themeIcon !== theme;
    });
  }

  button.form.addEventListener("submit", (event) => {
    if (event.submitter !== button) return;
    event.preventDefault();
    const body = new FormData(button.form, button);
    theme = after(theme);
    // The button answers first, then the page, which takes longer to draw.
    show();
    afterPaint(() => draw(theme));
    fetch(button.form.action, { method: "POST", body, credentials: "same-origin", redirect: "manual", keepalive: true });
  });
  show();
}
