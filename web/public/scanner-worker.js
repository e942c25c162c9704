// Keeps the scanner page on the phone, so that it opens without a connection.
//
// Invariant: what the network answers wins; the copy serves only where no answer comes. The API is never touched.
// Failure: a browser without service workers needs a connection to open the page, not to go on with it.

const COPY = "pulse-scanner";
const PAGE = "/pulse-scanner";
const FILES = /^\/(js|css|wasm)\/|^\/vendor\/(barcode-detector\.js|zxing_reader\.wasm)$|^\/favicon\.svg$/;
const PATIENCE = 4_000;

addEventListener("install", (event) => event.waitUntil(skipWaiting()));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  const page = request.mode === "navigate" && pathname === PAGE;
  if (request.method !== "GET" || origin !== location.origin || !(page || FILES.test(pathname))) return;
  event.respondWith(answer(request, page ? PAGE : pathname));
});

async function answer(request, name) {
  const copy = await caches.open(COPY);
  try {
    const response = await fetch(request, { signal: AbortSignal.timeout(PATIENCE) });
    if (response.ok) await copy.put(name, response.clone());
    return response;
  } catch (error) {
    const kept = await copy.match(name);
    if (kept) return kept;
    throw error;
  }
}
