"""Three independent Python clients against the conformance hubs: functional.py URL; ends with a JSON line with "done"."""
import asyncio
import json
import sys
import threading

from aiosignalr.client import HubConnection
from pysignalr.client import SignalRClient
from pysignalr.protocol.json import JSONProtocol
from pysignalr.protocol.messagepack import MessagepackProtocol
from signalrcore.hub_connection_builder import HubConnectionBuilder
from signalrcore.types import HttpTransportType, HubProtocolEncoding

URL = sys.argv[1]
done, failed = [], []


def note(what, right):
    (done if right else failed).append(what)
    if not right:
        print(json.dumps({"failed": what}), flush=True)


async def aiosignalr(protocol, transport):
    what = f"aiosignalr {transport} {protocol}"
    connection = HubConnection(protocol=protocol)
    told = asyncio.get_running_loop().create_future()
    connection.on("Message", lambda text: told.done() or told.set_result(text))
    await connection.start(URL + "/testhub", transports={transport})
    note(f"{what} echo", await connection.invoke("Echo", "hällo") == "hällo")
    note(f"{what} transport", await connection.invoke("GetActiveTransportName") == transport)
    note(f"{what} stream", [item async for item in await connection.stream("Stream")] == ["a", "b", "c"])
    await connection.send("InvokeWithString", "hi")
    note(f"{what} message", await asyncio.wait_for(told, 10) == "hi")
    try:
        await connection.invoke("ThrowException", "boom")
        note(f"{what} exception", False)
    except Exception as error:
        note(f"{what} exception", "InvalidOperationException: boom" in str(error))
    await connection.stop()


async def resumed():
    connection = HubConnection().with_stateful_reconnect()
    back = asyncio.Event()
    connection.on_reconnected = back.set
    await connection.start(URL + "/testhub", transports={"WebSockets"})
    own = await connection.invoke("GetCallerConnectionId")
    for lap in range(3):
        back.clear()
        connection._transport._connection.transport.abort()
        await asyncio.wait_for(back.wait(), 15)
        note(f"aiosignalr stateful {lap}", await asyncio.wait_for(connection.invoke("Echo", f"lap {lap}"), 15) == f"lap {lap}")
    note("aiosignalr stateful same connection", await connection.invoke("GetCallerConnectionId") == own)
    await connection.stop()


async def pysignalr(protocol):
    what = f"pysignalr {type(protocol).__name__}"
    client = SignalRClient(URL + "/weatherHub", protocol=protocol)
    heard = asyncio.get_running_loop().create_future()
    items, ended = [], asyncio.Event()

    async def message(arguments):
        heard.done() or heard.set_result(arguments)

    async def result(arguments):
        return "Reply message"

    async def item(value):
        items.append(value)

    async def complete(_):
        ended.set()

    async def opened():
        await client.send("TriggerResultRequired", ["me", "hello"])
        await client.stream("Countdown", [5], on_next=item, on_complete=complete)

    client.on("SuccessReceivedMessage", message)
    client.on("ResultRequired", result)
    client.on_open(opened)
    task = asyncio.create_task(client.run())
    note(f"{what} client result", await asyncio.wait_for(heard, 10) == ["me", "hello"])
    await asyncio.wait_for(ended.wait(), 10)
    note(f"{what} stream", [int(value) for value in items] == [5, 4, 3, 2, 1])
    task.cancel()


def signalrcore(transport, encoding):
    what = f"signalrcore {transport.value} {encoding.value}"
    connection = HubConnectionBuilder().with_url(URL + "/testhub", options={"transport": transport}).with_hub_protocol(encoding).build()
    opened, answered, answers = threading.Event(), threading.Event(), []
    connection.on_open(opened.set)
    connection.start()
    opened.wait(10)
    connection.send("Echo", ["hällo"], lambda message: (answers.append(message.result), answered.set()))
    answered.wait(10)
    note(f"{what} echo", answers == ["hällo"])
    connection.stop()


async def main():
    for protocol in ("json", "messagepack"):
        for transport in ("WebSockets", "ServerSentEvents", "LongPolling"):
            if (protocol, transport) != ("messagepack", "ServerSentEvents"):
                await aiosignalr(protocol, transport)
    await resumed()
    await pysignalr(JSONProtocol())
    await pysignalr(MessagepackProtocol())


asyncio.run(main())
for transport in HttpTransportType:
    for encoding in HubProtocolEncoding:
        # This client takes binary long polls for text: it fails with ASP.NET Core's hub alike.
        if encoding == HubProtocolEncoding.text or transport == HttpTransportType.web_sockets:
            signalrcore(transport, encoding)
print(json.dumps({"done": len(done), "failed": failed}), flush=True)
import os
os._exit(0)
