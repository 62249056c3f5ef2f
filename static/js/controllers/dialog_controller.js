/*
 * A button that opens a modal dialog; a click on the backdrop closes it.
 * Needs: data-dialog with the dialog's id on the button.
 */

export default function connect(button) {
  const dialog = document.getElementById(button.dataset.dialog);
  button.addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  button.hidden = false;
}
