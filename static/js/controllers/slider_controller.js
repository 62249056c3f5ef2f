/* Shows a range input's value beside it. Needs: an <output data-slider-output> and one range input. */

export default function connect(field) {
  const input = field.querySelector("input[type=range]");
  const output = field.querySelector("[data-slider-output]");
  const show = () => {
    output.value = input.value;
  };
  input.addEventListener("input", show);
  show();
}
