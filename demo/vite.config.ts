// Builds the page that the server embeds and serves below /demo/; `npm run dev` proxies to a running server.
import { defineConfig } from "vite";

const server = process.env.CARILLON_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  base: "/demo/",
  build: { target: "es2022", chunkSizeWarningLimit: 2000, assetsInlineLimit: 0 },
  server: {
    proxy: {
      "^/demo/(config\\.json|trigger|outbox)": server,
      "/v1": server,
      "/socket.io": { target: server, ws: true },
    },
  },
});
