/*
 * Pictures that open in a viewer; without it each is a link to the picture.
 * Needs: data-gallery with the id of a <dialog> that holds an <img>, a <figcaption>, .viewer-place
 * and buttons with data-action previous and next; inside the element links around pictures.
 */

export default function connect(element) {
  const viewer = document.getElementById(element.dataset.gallery);
  const shown = viewer.querySelector("img");
  const caption = viewer.querySelector("figcaption");
  const place = viewer.querySelector(".viewer-place");
  const links = [...element.querySelectorAll("li a")];
  const forward = document.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
  const back = document.dir === "rtl" ? "ArrowRight" : "ArrowLeft";
  let at = 0;

  function show(index) {
    at = (index + links.length) % links.length;
    const picture = links[at].querySelector("img");
    shown.src = links[at].href;
    shown.alt = picture.alt;
    shown.width = picture.width;
    shown.height = picture.height;
    caption.textContent = picture.alt;
    place.textContent = `${at + 1} / ${links.length}`;
  }

  links.forEach((link, index) => {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(index);
      viewer.showModal();
    });
  });
  viewer.querySelector("[data-action=previous]").addEventListener("click", () => show(at - 1));
  viewer.querySelector("[data-action=next]").addEventListener("click", () => show(at + 1));
  viewer.addEventListener("keydown", (event) => {
    if (event.key === forward) show(at + 1);
    if (event.key === back) show(at - 1);
  });
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) viewer.close();
  });
}
