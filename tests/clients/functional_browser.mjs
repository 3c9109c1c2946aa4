// functional_browser.mjs NODE_MODULES URL [CLIENT MESSAGEPACK]: serves a page with the client's browser build, opens it in headless Chromium,
// and prints what the page reports: a JSON line for each failure and a last one with "done".
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { connect, createServer as createDoor } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [modules, url, client = "@microsoft/signalr", messagePack = "@microsoft/signalr-protocol-msgpack"] = process.argv.slice(2);
// Where the page finds the hub: a way to it that can be cut.
const sockets = new Set();
const door = createDoor((socket) => {
  const hub = connect(new URL(url).port, new URL(url).hostname);
  for (const [from, to] of [[socket, hub], [hub, socket]]) from.on("error", () => to.destroy()).on("close", () => to.destroy()).pipe(to);
  sockets.add(socket.on("close", () => sockets.delete(socket)));
});
const page = `<!doctype html><script src="/signalr.js"></script><script src="/messagepack.js"></script><script type="module">
import { functional } from "/functional.mjs";
let queue = Promise.resolve();
const report = (line) => { queue = queue.then(() => fetch("/report", { method: "POST", body: JSON.stringify(line) })); };
const cut = () => fetch("/cut", { method: "POST" });
functional({ signalR, messagePack: signalR.protocols.msgpack, url: location.hash.slice(1), report, cut, cuttable: {}, headers: ["LongPolling"] }).catch((error) => report({ done: 0, failed: 1, error: String(error) }));
</script>`;
const files = {
  "/": ["text/html", () => page],
  "/functional.mjs": ["text/javascript", () => readFileSync(new URL("./functional.mjs", import.meta.url))],
  "/signalr.js": ["text/javascript", () => readFileSync(join(modules, client, "dist/browser/signalr.js"))],
  "/messagepack.js": ["text/javascript", () => readFileSync(join(modules, messagePack, "dist/browser/signalr-protocol-msgpack.js"))],
};
const profile = mkdtempSync(join(tmpdir(), "chromium-"));
let browser;
const end = () => { browser?.kill("SIGKILL"); rmSync(profile, { recursive: true, force: true, maxRetries: 5 }); process.exit(0); };
const server = createServer((request, response) => {
  if (request.method === "POST") {
    let body = "";
    request.on("data", (piece) => { body += piece; }).on("end", () => {
      response.end();
      if (request.url === "/cut") return sockets.forEach((socket) => socket.destroy());
      console.log(body);
      if ("done" in JSON.parse(body)) end();
    });
    return;
  }
  const [type, content] = files[request.url] ?? ["text/plain", () => ""];
  response.writeHead(200, { "content-type": type }).end(content());
});
door.listen(0, "127.0.0.1", () => server.listen(0, "127.0.0.1", () => {
  const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", `--user-data-dir=${profile}`];
  browser = spawn("chromium", [...flags, `http://127.0.0.1:${server.address().port}/#http://127.0.0.1:${door.address().port}`], { stdio: "ignore" });
}));
process.on("SIGTERM", end);
