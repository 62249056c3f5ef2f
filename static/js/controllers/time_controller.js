/*
 * An instant, which the server can only tell in UTC, by the clock of its reader.
 * Needs: a datetime attribute; data-time-of-day where the day goes without saying.
 */

const DAY = { year: "numeric", month: "short", day: "numeric" };
const MINUTE = { hour: "numeric", minute: "2-digit" };

export default function connect(time) {
  // The page keeps to the digits that the server wrote.
  const numberingSystem = /[0-9]/.test(time.textContent) ? "latn" : undefined;
  const parts = "timeOfDay" in time.dataset ? MINUTE : { ...DAY, ...MINUTE };
  const clock = new Intl.DateTimeFormat(document.documentElement.lang, { ...parts, numberingSystem });
  time.title = time.textContent;
  time.textContent = clock.format(new Date(time.dateTime));
}
