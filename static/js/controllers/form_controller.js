/*
 * A form that checks fields as people leave them, sends on Ctrl+Enter, and cannot be sent twice.
 * Needs: each control inside its .field, which holds a .field-error with a <span>.
 * A file input may carry data-max-bytes and, as data-too-large, what to say of a larger file.
 * A submit button may carry data-busy-label; a hidden button [data-form-example] appears when
 * controls carry data-example, and fills them in.
 */

function report(control) {
  const field = control.closest(".field");
  const message = field?.querySelector(".field-error");
  if (!message) return;
  const isWrong = !control.validity.valid;
  if (isWrong) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
  field.classList.toggle("field-wrong", isWrong);
  // A sentence that is over leaves its place empty: were the form to close up while a button is
  // pressed, the button would slip away from under the pointer and hear no click.
  message.hidden &&= !isWrong;
  message.style.visibility = isWrong ? "" : "hidden";
  message.querySelector("span").textContent = control.validationMessage;
}

function weigh(control) {
  const most = Number(control.dataset.maxBytes);
  const isTooLarge = [...control.files].some((file) => file.size > most);
  control.setCustomValidity(isTooLarge ? control.dataset.tooLarge : "");
}

function controls(form) {
  return [...form.elements].filter((element) => element.name && element.willValidate);
}

export default function connect(form) {
  form.noValidate = true;
  document.querySelector("[data-form-errors]")?.focus();

  const samples = [...form.querySelectorAll("[data-example]")];
  const example = form.querySelector("[data-form-example]");
  if (example) example.hidden = samples.length === 0;
  example?.addEventListener("click", () => {
    for (const control of samples) {
      control.value = control.dataset.example;
      control.dispatchEvent(new Event("input", { bubbles: true }));
      report(control);
    }
  });

  form.addEventListener("change", (event) => {
    if (event.target.dataset.maxBytes) weigh(event.target);
    if (event.target.willValidate) report(event.target);
  });

  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit();
  });

  form.addEventListener("submit", (event) => {
    const wrong = controls(form).filter((control) => !control.validity.valid);
    wrong.forEach(report);
    if (wrong.length > 0) {
      event.preventDefault();
      wrong[0].focus();
      return;
    }
    if (form.ariaBusy === "true") {
      event.preventDefault();
      return;
    }
    if (event.defaultPrevented) return;
    form.ariaBusy = "true";
    const button = event.submitter ?? form.querySelector("button[type=submit]");
    button?.setAttribute("aria-busy", "true");
    const label = button?.querySelector("span");
    if (label && button.dataset.busyLabel) {
      button.dataset.label = label.textContent;
      label.textContent = button.dataset.busyLabel;
    }
  });

  // A page that comes back from the browser's cache is ready to be sent again.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    form.ariaBusy = null;
    form.querySelectorAll("button[aria-busy]").forEach((button) => {
      button.removeAttribute("aria-busy");
      if (button.dataset.label) button.querySelector("span").textContent = button.dataset.label;
    });
  });
}
