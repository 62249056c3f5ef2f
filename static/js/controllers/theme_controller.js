/*
 * A button that goes from the system's theme to light to dark and back.
 * Needs: data-label-auto, data-label-light, data-label-dark on the button, and inside it one
 * element per theme with data-theme-icon. The choice is a cookie, so the server draws the next
 * page in it and nothing flashes.
 */

const THEMES = ["auto", "light", "dark"];
const YEAR_S = 365 * 24 * 3600;

function current() {
  return document.documentElement.dataset.theme ?? "auto";
}

export default function connect(button) {
  function show() {
    const theme = current();
    const label = button.dataset[`label${theme[0].toUpperCase()}${theme.slice(1)}`];
    button.setAttribute("aria-label", label);
    button.title = label;
    button.querySelectorAll("[data-theme-icon]").forEach((icon) => {
      icon.hidden = icon.dataset.themeIcon !== theme;
    });
  }

  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    document.cookie = `theme=${next}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax`;
    show();
  });
  button.hidden = false;
  show();
}
