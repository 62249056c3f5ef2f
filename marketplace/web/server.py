"""Serves the store with gunicorn."""

import gc
from collections.abc import Callable

from flask import Flask
from gunicorn.app.base import BaseApplication

from marketplace.web.settings import WebSettings

# Python's own are 700, 10, 10. Half a million objects that only a collection can free are some
# hundred MB.
GARBAGE = (5_000, 10, 10)


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, configured in code: no file of its own, nothing read from the environment.

    Args:
        make_app: called once in each web process, after the fork.
    """

    def __init__(self, settings: WebSettings, make_app: Callable[[], Flask]) -> None:
        self._settings = settings
        self._make_app = make_app
        super().__init__()

    def load_config(self) -> None:
        """Fill in gunicorn's settings."""
        threads = self._settings.threads
        options = {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "workers": self._settings.workers,
            "threads": threads,
            "worker_class": "marketplace.web.worker.HardenedWorker",
            # gthread goes on accepting when all threads are busy; with the default of 1000
            # connections short requests then wait behind streams for seconds.
            "worker_connections": threads + 16,
            "backlog": 1024,
            "keepalive": 5,
            "timeout": 60,
            "graceful_timeout": 5,
            "worker_tmp_dir": "/dev/shm",  # noqa: S108  (a heartbeat file, kept off the disk)
            "control_socket_disable": True,
            # The worker bounds the whole head; a query of thousands of letters gets an answer.
            "limit_request_line": 0,
            "umask": 0o077,
            "errorlog": "-",
            "loglevel": "warning",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application of one web process."""
        app = self._make_app()
        # A collection stops every thread. What is there now stays and is walked over no more, and
        # hundreds of open streams alone are no reason for a whole one.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GARBAGE)
        return app
