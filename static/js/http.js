/* Requests to our own server, with the token that shows they come from our own page. */

/** POST without a body, or with the given form data; resolves to the response. */
export function post(url, body) {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  return fetch(url, {
    method: "POST",
    body,
    headers: { "X-CSRF-Token": token },
    credentials: "same-origin",
    keepalive: body === undefined,
  });
}
