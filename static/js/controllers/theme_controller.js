/*
 * A button that goes from the system's theme to light to dark and back, without a new page.
 * Needs: data-label-auto, data-label-light, data-label-dark on the button, inside it one element
 * per theme with data-theme-icon, and around it the form that changes the theme on the server.
 * The choice is a cookie, so the server draws the next page in it and nothing flashes.
 */

const THEMES = ["auto", "light", "dark"];

function current() {
  return document.documentElement.dataset.theme ?? "auto";
}

function after(theme) {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
}

export default function connect(button) {
  function show() {
    const theme = current();
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
    const next = after(current());
    const body = new FormData(button.form, button);
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    show();
    fetch(button.form.action, { method: "POST", body, credentials: "same-origin", redirect: "manual", keepalive: true });
  });
  show();
}
