// The official client against the conformance hubs: transports x protocols, streams, client results, redirects, tokens.
// The same checks in Node (functional_node.mjs) and in a browser (functional_browser.mjs).

// Equal as JSON, whatever the order of members.
const plain = (value) => JSON.stringify(value, (_, part) => (part && typeof part === "object" && !Array.isArray(part)
  ? Object.fromEntries(Object.entries(part).sort()) : part));
function same(found, wanted) {
  if (plain(found) !== plain(wanted)) throw new Error(`${plain(found)} is not ${plain(wanted)}`);
}

// `report` is called with each failure, and at last with { done, failed }; `cut` ends the sockets of connections made
// with the options `cuttable` without a word. `headers` names the transports to which headers can be added.
export async function functional({ signalR, messagePack, url, report, cut, cuttable, headers }) {
  const { HubConnectionBuilder, HttpTransportType, LogLevel, Subject } = signalR;
  const { MessagePackHubProtocol } = messagePack;

  let done = 0;
  let failed = 0;
  const failure = (what, error) => { failed += 1; report({ what, error: String(error?.stack ?? error) }); };
  async function check(what, body) {
    try {
      await Promise.race([body(), new Promise((_, reject) => setTimeout(() => reject(new Error("took too long")), 20000))]);
      done += 1;
    } catch (error) { failure(what, error); }
  }
  async function refused(promise, text) {
    try { await promise; } catch (error) { same(error.message, text); return; }
    throw new Error("it was not refused");
  }
  async function refusedAny(promise) {
    try { await promise; } catch { return; }
    throw new Error("it was not refused");
  }
  const build = (path, transport, protocol, options = {}) => {
    const builder = new HubConnectionBuilder().withUrl(url + path, { transport, headers: { "x-test": "42" }, ...options }).configureLogging(LogLevel.None);
    return (protocol ? builder.withHubProtocol(new MessagePackHubProtocol()) : builder).build();
  };
  const collect = (stream) => new Promise((resolve, reject) => {
    const items = [];
    stream.subscribe({ next: (item) => items.push(item), error: reject, complete: () => resolve(items) });
  });
  const heard = (connection, event) => new Promise((resolve) => connection.on(event, (...all) => resolve(all)));

  async function everything(path, name, transport, packed) {
    const what = `${path} ${name} ${packed ? "messagepack" : "json"}`;
    const connection = build(path, transport, packed);
    try { await connection.start(); } catch (error) { return failure(what, error); }
    const invoke = (...all) => connection.invoke(...all);
    await check(`${what} echo`, async () => same(await invoke("Echo", "你好, world <&'\"> 😀"), "你好, world <&'\"> 😀"));
    await check(`${what} method names in any case`, async () => same(await invoke("eChO", "x"), "x"));
    await check(`${what} transport`, async () => same(await invoke("GetActiveTransportName"), name));
    await check(`${what} id`, async () => same(await invoke("GetCallerConnectionId"), connection.connectionId));
    if (headers.includes(name)) await check(`${what} own header`, async () => same(await invoke("GetHeader", "x-test"), "42"));
    await check(`${what} no such header`, async () => same(await invoke("GetHeader", "x-none"), null));
    await check(`${what} exception`, () => refused(invoke("ThrowException", "boom"),
      "An unexpected error occurred invoking 'ThrowException' on the server. InvalidOperationException: boom"));
    await check(`${what} no such method`, () => refused(invoke("Nope"), "Failed to invoke 'Nope' due to an error on the server. HubException: Method does not exist."));
    await check(`${what} message`, async () => {
      const message = heard(connection, "message");
      await invoke("InvokeWithString", "hi");
      same(await message, ["hi"]);
    });
    await check(`${what} object`, async () => {
      const object = heard(connection, "CustomObject");
      await invoke("SendCustomObject", { Name: "test", Value: 42 });
      same(await object, [{ Name: "test", Value: 42 }]);
    });
    await check(`${what} stream`, async () => same(await collect(connection.stream("Stream")), ["a", "b", "c"]));
    await check(`${what} empty stream`, async () => same(await collect(connection.stream("EmptyStream")), []));
    await check(`${what} stream fails`, () => refused(collect(connection.stream("StreamThrowException", "boom")),
      "An unexpected error occurred invoking 'StreamThrowException' on the server. InvalidOperationException: boom"));
    await check(`${what} stream of a plain method`, () => refused(collect(connection.stream("Echo", "x")),
      "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation."));
    await check(`${what} plain call of a stream`, () => refused(invoke("Stream"),
      "The client attempted to invoke the streaming 'Stream' method with a non-streaming invocation."));
    await check(`${what} cancelled stream`, async () => {
      const cancelled = heard(connection, "StreamCanceled");
      const subscription = connection.stream("InfiniteStream").subscribe({ next() {}, error() {}, complete() {} });
      await invoke("Echo", "started");
      subscription.dispose();
      await cancelled;
    });
    await check(`${what} upload`, async () => {
      const subject = new Subject();
      const whole = invoke("StreamingConcat", subject);
      for (let item = 0; item < 200; item += 1) subject.next(`${item} `);
      subject.complete();
      same(await whole, Array.from({ length: 200 }, (_, item) => `${item} `).join(""));
    });
    await check(`${what} upload fails`, async () => {
      const subject = new Subject();
      const whole = invoke("StreamingConcat", subject);
      subject.next("x");
      subject.error("Something bad");
      await refused(whole, "An unexpected error occurred invoking 'StreamingConcat' on the server. HubException: Something bad");
    });
    await check(`${what} calls go on while an upload does`, async () => {
      const subject = new Subject();
      const whole = invoke("StreamingConcat", subject);
      for (let item = 0; item < 5; item += 1) {
        same(await invoke("Echo", item), item);
        subject.next(`${item} `);
      }
      subject.complete();
      same(await whole, "0 1 2 3 4 ");
    });
    await check(`${what} many uploads and streams at once`, async () => {
      const subjects = Array.from({ length: 40 }, () => new Subject());
      const wholes = subjects.map((subject) => invoke("StreamingConcat", subject));
      const streams = subjects.map(() => collect(connection.stream("Stream")));
      const echoes = subjects.map((_, place) => invoke("Echo", place));
      subjects.forEach((subject, place) => { subject.next(`${place}`); subject.next("!"); subject.complete(); });
      same(await Promise.all(wholes), subjects.map((_, place) => `${place}!`));
      same(await Promise.all(streams), subjects.map(() => ["a", "b", "c"]));
      same(await Promise.all(echoes), subjects.map((_, place) => place));
    });
    await check(`${what} calls within calls`, async () => {
      connection.on("Question", async (depth) => (depth > 0 ? invoke("Ask", depth - 1) : "answer"));
      same(await invoke("Ask", 5), "answer");
      same(await Promise.all(Array.from({ length: 100 }, () => invoke("Ask", 1))), Array(100).fill("answer"));
      connection.off("Question");
    });
    await check(`${what} upload where none is taken`, () => refused(invoke("Echo", "x", new Subject()),
      "An unexpected error occurred invoking 'Echo' on the server. HubException: Client sent 1 stream(s), Hub method expects 0."));
    await check(`${what} complex object`, async () => {
      const value = await invoke("SendComplexObject");
      same(value.String, "hello world");
      same(value.IntArray, [1, 2, 3]);
      same(value.Guid, "00010203-0405-0607-0706-050403020100");
      same(packed ? Array.from(value.ByteArray) : value.ByteArray, packed ? [1, 2, 3] : "AQID");
      same(packed ? value.DateTime : new Date(value.DateTime), new Date(Date.UTC(2000, 0, 1)));
      const back = await invoke("EchoComplexObject", value);
      same(packed ? { ...back, ByteArray: Array.from(back.ByteArray) } : back, packed ? { ...value, ByteArray: [1, 2, 3] } : value);
    });
    if (path === "/testhub") {
      const result = async () => (await fetch(`${url}/clientresult/${connection.connectionId}`)).text();
      await check(`${what} client result`, async () => {
        connection.on("Result", () => 10);
        same(await result(), "10");
        connection.off("Result");
        connection.on("Result", () => { throw new Error("from callback"); });
        same(await result(), "Error: from callback");
        connection.off("Result");
        same(await result(), "Client didn't provide a result.");
        connection.off("Result");
        connection.on("Result", () => "ten");
        same(await result(), "Error trying to deserialize result to Int32. " + (packed ? "Deserializing object of the `Int32` type for 'argument' failed."
          : "The JSON value could not be converted to System.Int32. Path: $ | LineNumber: 0 | BytePositionInLine: 5."));
        connection.off("Result");
      });
    }
    await check(`${what} aborted by its method`, async () => {
      const closed = new Promise((resolve) => connection.onclose(resolve));
      await refusedAny(invoke("Abort"));
      await closed;
      await connection.start();
    });
    await check(`${what} stops and starts again`, async () => {
      await connection.stop();
      await connection.start();
      same(await invoke("Echo", "again"), "again");
      await connection.stop();
    });
  }

  const transports = [["WebSockets", HttpTransportType.WebSockets], ["ServerSentEvents", HttpTransportType.ServerSentEvents], ["LongPolling", HttpTransportType.LongPolling]];
  for (const path of ["/testhub", "/testhub-nowebsockets"]) {
    for (const [name, transport] of transports) {
      for (const packed of [false, true]) {
        if (name === "WebSockets" && path !== "/testhub") continue;
        if (name === "ServerSentEvents" && packed) continue;
        await everything(path, name, transport, packed);
      }
    }
  }

  await check("redirect", async () => {
    const connection = build(`/redirect?baseUrl=${url}`, HttpTransportType.WebSockets);
    await connection.start();
    const before = await connection.invoke("GetNumRedirects");
    await connection.stop();
    await connection.start();
    if (!(await connection.invoke("GetNumRedirects") > before)) throw new Error("not redirected again");
    await connection.stop();
  });
  await check("the client for web workers", async () => same((await fetch(`${url}/lib/signalr-webworker/signalr.js`)).status, 200));
  await check("bad negotiation", async () => {
    try { await build("/bad-negotiate", HttpTransportType.LongPolling).start(); } catch (error) { return same(/400/.test(error.message), true); }
    throw new Error("it started");
  });
  await check("without a token nobody is let in", async () => {
    try { await build("/authorizedhub", HttpTransportType.WebSockets).start(); } catch (error) { return same(/401/.test(error.message), true); }
    throw new Error("it started");
  });
  for (const [name, transport] of transports) {
    await check(`with a token over ${name}`, async () => {
      const accessTokenFactory = async () => (await fetch(`${url}/generateJwtToken`)).text();
      const connection = build("/authorizedhub", transport, false, { accessTokenFactory });
      await connection.start();
      same(await connection.invoke("Echo", "in"), "in");
      await connection.stop();
    });
  }
  await check("automatic reconnect", async () => {
    const connection = new HubConnectionBuilder().withUrl(`${url}/testhub`, { transport: HttpTransportType.WebSockets, ...cuttable })
      .withAutomaticReconnect([0, 100, 500, 1000]).configureLogging(LogLevel.None).build();
    await connection.start();
    const id = connection.connectionId;
    const back = new Promise((resolve) => connection.onreconnected(resolve));
    await cut();
    if (await back === id) throw new Error("it is the same connection");
    same(await connection.invoke("Echo", "again"), "again");
    await connection.stop();
  });
  await check("stateful reconnect", async () => {
    const connection = new HubConnectionBuilder().withUrl(`${url}/testhub`, { transport: HttpTransportType.WebSockets, ...cuttable })
      .withStatefulReconnect({ bufferSize: 100000 }).configureLogging(LogLevel.None).build();
    await connection.start();
    const id = await connection.invoke("GetCallerConnectionId");
    for (let round = 0; round < 3; round += 1) {
      await cut();
      same(await connection.invoke("Echo", `round ${round}`), `round ${round}`);
      same(await connection.invoke("GetCallerConnectionId"), id);
    }
    await connection.stop();
  });
  report({ done, failed });
}
