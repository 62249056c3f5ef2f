"""A small internet for a store under attack: Python imports this first in each of its processes.

Names below example.org lead where their case wants; what leads to a public address ends at the
test's own site. Everything else is as it was.
"""

import itertools
import os
import socket
from typing import Any

PUBLIC = "93.184.215.14"
NAMES = {
    "inside.example.org": ["10.0.0.1"],
    "metadata.example.org": ["169.254.169.254"],
    "loopback.example.org": ["127.0.0.1"],
    "mapped.example.org": ["::ffff:127.0.0.1"],
    "nat64.example.org": ["64:ff9b::7f00:1"],
    "mixed.example.org": [PUBLIC, "192.168.1.1"],
}
turns = itertools.cycle([[PUBLIC], ["127.0.0.1"]])
getaddrinfo, create_connection = socket.getaddrinfo, socket.create_connection


def lead(host: Any, port: Any, *given: Any, **named: Any) -> Any:
    """The addresses of a name."""
    if not str(host).endswith(".example.org"):
        return getaddrinfo(host, port, *given, **named)
    found = next(turns) if host == "turns.example.org" else NAMES.get(host, [PUBLIC])
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]


def go(address: tuple[str, int], *given: Any, **named: Any) -> socket.socket:
    """A connection; the public address is the test's site."""
    if address[0] == PUBLIC:
        address = ("127.0.0.1", int(os.environ["HOSTILE_SITE_PORT"]))
    return create_connection(address, *given, **named)


if "HOSTILE_SITE_PORT" in os.environ:
    socket.getaddrinfo = lead
    socket.create_connection = go
