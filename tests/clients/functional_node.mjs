// functional_node.mjs NODE_MODULES URL [CLIENT MESSAGEPACK]: a JSON line for each failure and a last one with "done".
import { createRequire } from "node:module";
import { functional } from "./functional.mjs";

const [modules, url, client = "@microsoft/signalr", messagePack = "@microsoft/signalr-protocol-msgpack"] = process.argv.slice(2);
const require = createRequire(modules + "/");
let socket;
class Watched extends require("ws") { constructor(...all) { super(...all); socket = this; } }
await functional({
  signalR: require(client), messagePack: require(messagePack), url,
  report: (line) => console.log(JSON.stringify(line)),
  cut: async () => socket.terminate(),
  cuttable: { WebSocket: Watched },
  headers: ["WebSockets", "ServerSentEvents", "LongPolling"],
});
process.exit(0);
