"""A trivial application behind our real server, for tests of the worker. Run with a port."""

import sys
import time
from collections.abc import Iterator

from flask import Flask, Response, request

from marketplace.web.server import Server
from marketplace.web.settings import WebSettings


def make_app() -> Flask:
    """One short page, one that says again what it is sent, and one long stream."""
    app = Flask(__name__)

    @app.get("/short")
    def short() -> str:
        return "ok"

    @app.post("/echo")
    def echo() -> bytes:
        return request.get_data()

    @app.get("/stream")
    def stream() -> Response:
        def ticks() -> Iterator[str]:
            while True:
                yield ": tick\n\n"
                time.sleep(0.05)

        return Response(ticks(), mimetype="text/event-stream")

    return app


if __name__ == "__main__":
    settings = WebSettings(port=int(sys.argv[1]), threads=32)
    sys.argv = sys.argv[:1]
    Server(settings, make_app).run()
