# The app of gunicorn.
import time

HELLO = b"hello\n"
BIG = b"x" * 20_000_000


def slow():
    time.sleep(1)
    return HELLO


def events():
    while True:
        yield b"data: hello\n\n"
        time.sleep(0.25)


def post(environ):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return b"%d\n" % len(environ["wsgi.input"].read(length))


def app(environ, start_response):
    route = environ["REQUEST_METHOD"] + " " + environ["PATH_INFO"]
    if route == "GET /stream":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return events()
    if route == "GET /":
        body = HELLO
    elif route == "GET /slow":
        body = slow()
    elif route == "GET /big":
        body = BIG
    elif route == "POST /post":
        body = post(environ)
    else:
        start_response("404 Not Found", [("Content-Length", "0")])
        return [b""]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
