/*
 * A table of inputs whose rows are added and removed. Needs: [data-rows] around the rows, a
 * <template data-rows-blank> whose names hold ROW where the number goes, a hidden button
 * [data-rows-add], in each row one [data-rows-remove], and data-rows-most, the most rows.
 */

export default function connect(field) {
  const rows = field.querySelector("[data-rows]");
  const blank = field.querySelector("[data-rows-blank]");
  const add = field.querySelector("[data-rows-add]");
  const most = Number(field.dataset.rowsMost);
  let next = rows.children.length;

  function refresh() {
    add.hidden = rows.children.length >= most;
    for (const button of rows.querySelectorAll("[data-rows-remove]")) button.hidden = false;
  }

  add.addEventListener("click", () => {
    const row = blank.content.firstElementChild.cloneNode(true);
    for (const control of row.querySelectorAll("[name]")) {
      control.name = control.name.replace(".ROW.", `.${next}.`);
      control.id = control.id.replace(".ROW.", `.${next}.`);
    }
    next += 1;
    rows.append(row);
    refresh();
    row.querySelector("[name]").focus();
  });

  rows.addEventListener("click", (event) => {
    const button = event.target.closest("[data-rows-remove]");
    if (!button) return;
    button.closest("tr").remove();
    refresh();
    add.focus();
  });

  refresh();
}
