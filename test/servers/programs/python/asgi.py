# The app of uvicorn.
import asyncio

HELLO = b"hello\n"
BIG = b"x" * 20_000_000


async def respond(send, body, status=200, content_type=b"text/plain"):
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def stream(receive, send):
    await send({
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"text/event-stream")],
    })

    async def events():
        while True:
            await send({"type": "http.response.body", "body": b"data: hello\n\n", "more_body": True})
            await asyncio.sleep(0.25)

    sending = asyncio.create_task(events())
    while (await receive())["type"] != "http.disconnect":
        pass
    sending.cancel()


async def post(receive, send):
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message.get("body", b""))
        if not message.get("more_body", False):
            break
    await respond(send, b"%d\n" % length)


async def echo(receive, send):
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
        else:
            return


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await echo(receive, send)
        return
    if scope["type"] != "http":
        return
    route = scope["method"] + " " + scope["path"]
    if route == "GET /":
        await respond(send, HELLO)
    elif route == "GET /slow":
        await asyncio.sleep(1)
        await respond(send, HELLO)
    elif route == "GET /big":
        await respond(send, BIG)
    elif route == "GET /stream":
        await stream(receive, send)
    elif route == "POST /post":
        await post(receive, send)
    else:
        await respond(send, b"", 404)
