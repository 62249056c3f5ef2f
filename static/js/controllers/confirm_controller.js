/*
 * Asks before a form is sent, in the page's own dialog #confirm.
 * Needs: data-confirm with the question on the form; the dialog holds [data-confirm-text] and
 * closes with the value "yes" when the person agrees.
 */

export default function connect(form) {
  const dialog = document.getElementById("confirm");
  let agreed = false;

  form.addEventListener("submit", (event) => {
    if (agreed) return;
    event.preventDefault();
    const { submitter } = event;
    dialog.querySelector("[data-confirm-text]").textContent = form.dataset.confirm;
    dialog.returnValue = "";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "yes") return;
      agreed = true;
      form.requestSubmit(submitter);
    }, { once: true });
  });
}
