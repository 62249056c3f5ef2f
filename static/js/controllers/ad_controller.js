/*
 * Reports that an advertisement was really seen: at least half of it in view, on a page in
 * front, for one second without a break. It is told once.
 * Needs: data-view-url on the advertisement.
 */

import { post } from "../http.js";

const SEEN_MS = 1000;
const SEEN_SHARE = 0.5;

export default function connect(ad) {
  let timer;
  let isInView = false;

  function tell() {
    observer.disconnect();
    document.removeEventListener("visibilitychange", restart);
    post(ad.dataset.viewUrl);
  }

  function restart() {
    clearTimeout(timer);
    if (isInView && document.visibilityState === "visible") timer = setTimeout(tell, SEEN_MS);
  }

  const observer = new IntersectionObserver(
    (entries) => {
      const wasInView = isInView;
      isInView = entries.at(-1).intersectionRatio >= SEEN_SHARE;
      if (isInView !== wasInView) restart();
    },
    { threshold: SEEN_SHARE },
  );
  observer.observe(ad);
  document.addEventListener("visibilitychange", restart);
}
