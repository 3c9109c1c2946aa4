// The official JavaScript client, connected as Harmony.Client connects; prints a JSON line for each thing that happens.
// listen.mjs NODE_MODULES URL METHOD GROUP EVENT [TRANSPORT]: with a transport's name it negotiates and uses that one
import { createRequire } from "node:module";

const [modules, url, method, group, event, transport] = process.argv.slice(2);
const { HubConnectionBuilder, HttpTransportType, LogLevel } = createRequire(modules + "/")("@microsoft/signalr");
const say = (what) => console.log(JSON.stringify(what));

process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0"; // a development certificate
const connection = new HubConnectionBuilder()
  .withUrl(url + "/signalRHub", {
    skipNegotiation: !transport,
    transport: HttpTransportType[transport ?? "WebSockets"],
    accessTokenFactory: () => "a.b.c",
  })
  .withAutomaticReconnect([0, 100, 200, 500, 1000, 1000, 1000, 1000, 1000, 1000])
  .configureLogging(LogLevel.None)
  .build();
connection.on(event, (argument) => say({ heard: event, argument }));
connection.onreconnected(async () => {
  await connection.invoke(method, group);
  say({ state: "reconnected" });
});
connection.onclose((error) => say({ state: "closed", error: error && String(error) }));
await connection.start();
await connection.invoke(method, group);
say({ state: "listening" });
