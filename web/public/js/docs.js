// The interactive API document: swagger-ui on /openapi.json, signed in as the user of this browser.

import { accessToken, session } from "./session.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

globalThis.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  validatorUrl: null,
  // Requests to this server without other credentials use the session of this browser.
  requestInterceptor: async (request) => {
    const here = new URL(request.url, location.origin).origin === location.origin;
    if (here && !request.loadSpec && session() && !request.headers.Authorization) {
      request.headers.Authorization = `Bearer ${await accessToken()}`;
    }
    return request;
  },
});
