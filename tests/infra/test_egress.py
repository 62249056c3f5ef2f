"""The way out: only to allowed names, only to public addresses, never twice looked up."""

import socket
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.infra.egress import Egress, EgressSettings, Request, is_allowed, is_public
from marketplace.kernel.errors import CaravanError
from tests.infra.small_internet import ALLOW, PUBLIC, Net, Site

HIDDEN = [
    "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
    "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "2002:7f00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1",
]  # fmt: skip


def test_an_allowed_page_is_fetched(port: int) -> None:
    net = Net(port)
    request = Request("POST", "http://example.org/a b?q=é", {"X-Mine": "1"}, b"body")
    answer = net.egress.fetch(request, allow=ALLOW)
    assert (answer.status, answer.body, answer.headers["x-kind"]) == (200, b"hello", "site")
    [(method, path, headers, body)] = Site.seen
    assert (method, path, body) == ("POST", "/a%20b?q=%C3%A9", b"body")
    assert (headers["host"], headers["x-mine"]) == ("example.org", "1")
    assert headers["accept-encoding"] == "identity"
    assert net.reached == [(PUBLIC, 80)]


@pytest.mark.parametrize("address", HIDDEN)
def test_a_name_that_leads_inside_is_refused(port: int, address: str) -> None:
    assert not is_public(address)
    for addresses in ([address], [PUBLIC, address]):
        net = Net(port, {"example.org": [addresses]})
        assert net.rule("http://example.org/") == "http.not-public"
        assert net.reached == []


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_as_public_as_itself(address: Any) -> None:
    assert is_public(f"::ffff:{address}") == is_public(str(address))
    if address.is_private or address.is_loopback or address.is_link_local:
        assert not is_public(str(address))


def test_a_name_that_changes_its_address_gains_nothing(port: int) -> None:
    net = Net(port, {"example.org": [[PUBLIC], ["127.0.0.1"]]})
    net.egress.fetch(Request("GET", "http://example.org/"), allow=ALLOW)
    assert net.reached == [(PUBLIC, 80)]
    assert net.rule("http://example.org/") == "http.not-public"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "http://notexample.org/", "http://example.org.evil.example/",
        "http://example.net/", "http://127.0.0.1/", "http://[::ffff:127.0.0.1]/",
        "http://2130706433/", "http://localhost/",
    ],
)  # fmt: skip
def test_what_is_not_named_is_out_of_reach(port: int, url: str) -> None:
    net = Net(port)
    assert net.rule(url) == "http.off-list"
    assert net.reached == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/", "file:///etc/passwd", "http://example.org:8080/", "", "example.org",
        "http://user@example.org/", "http://user:word@example.org/", "http://example.org@127.0.0.1/",
        "http://[::1", "http://example.org:99999/", "http://a..b/", "http://example.org/\r\nX-A: b",
        "http://exam\nple.org/", "http://example.org/\0", "http://example.org/\u202ea",
        "http://inside%2f.example.net/", "http://in side.example.net/",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(port: int, url: str) -> None:
    assert Net(port).rule(url) == "http.url"


ODD = st.sampled_from(
    ["http://", "https://", "example.org", ".example.net", "127.0.0.1", "[::1]", "@", ":", "/",
     "\\", "#", "?", "%", "\r\n", "\t", "\u3002", "\uff10", "0x7f", "017", ".", "..", "xn--",
     "\u202e", "\ud800", "user", "80", "a"]
)  # fmt: skip


ASKED: list[tuple[str, int]] = []


def noted(host: str, port: int) -> Sequence[str]:
    ASKED.append((host, port))
    return [PUBLIC]


def refused_by_all(address: str, _port: int, _timeout_s: float) -> socket.socket:
    assert address == PUBLIC
    raise ConnectionRefusedError


NOWHERE = Egress(EgressSettings(), resolve=noted, connect=refused_by_all)


@pytest.mark.fuzz
@given(
    st.sampled_from(["http://", "https://", ""]),
    st.lists(ODD | st.text(max_size=3), max_size=6),
    st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
)
def test_any_address_is_refused_or_leads_to_an_allowed_name(
    scheme: str, parts: list[str], headers: dict[str, str]
) -> None:
    ASKED.clear()
    with pytest.raises(CaravanError) as refused:
        NOWHERE.fetch(Request("GET", scheme + "".join(parts), headers), allow=ALLOW)
    assert (refused.value.rule or "").startswith("http.")
    for host, port in ASKED:
        assert host == "example.org" or host.endswith(".example.net")
        assert port in {80, 443}


def test_names_below_are_allowed_by_a_star_alone() -> None:
    assert is_allowed("a.example.net", ALLOW)
    assert is_allowed("a.b.example.net", ALLOW)
    assert not is_allowed("example.net", ALLOW)
    assert not is_allowed("badexample.net", ALLOW)
    assert not is_allowed("a.example.org", ALLOW)


def test_a_redirect_is_held_to_the_same_rules(port: int) -> None:
    net = Net(port, {"inner.example.net": [["10.0.0.1"]]})
    assert net.rule("http://example.org/hop?http://example.com/") == "http.off-list"
    assert net.rule("http://example.org/hop?http://inner.example.net/") == "http.not-public"
    assert net.rule("http://example.org/hop?file:///etc/passwd") == "http.url"
    assert net.rule("http://example.org/hop?/hop?/hop?/hop?/hop?/") == "http.redirects"
    assert {address for address, _port in net.reached} == {PUBLIC}


def test_each_request_is_paid_for_before_it_is_sent(port: int) -> None:
    net = Net(port, {"inner.example.net": [["10.0.0.1"]]})
    paid: list[int] = []

    def spend() -> None:
        if len(paid) == 2:
            raise OverflowError
        paid.append(len(net.reached))

    def fetch(url: str) -> None:
        net.egress.fetch(Request("GET", url), allow=ALLOW, spend=spend)

    with pytest.raises(CaravanError):
        fetch("http://example.org/hop?http://inner.example.net/")
    assert paid == [0, 1]
    with pytest.raises(OverflowError):
        fetch("http://example.org/")
    assert len(net.reached) == 1


def test_another_host_gets_none_of_the_headers(port: int) -> None:
    net = Net(port)
    request = Request("GET", "http://example.org/hop?http://a.example.net/", {"X-Key": "k"})
    assert net.egress.fetch(request, allow=ALLOW).status == 200
    assert [seen[2].get("x-key") for seen in Site.seen] == ["k", None]


def test_what_changes_something_is_not_sent_on(port: int) -> None:
    request = Request("POST", "http://example.org/hop?/", body=b"once")
    assert Net(port).egress.fetch(request, allow=ALLOW).status == 302


def test_an_answer_has_an_end(port: int) -> None:
    net = Net(port)
    assert net.rule("http://example.org/long") == "http.too-large"
    began = time.monotonic()
    assert net.rule("http://example.org/drip") == "http.timeout"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"method": "CONNECT"}, "http.method"),
        ({"headers": {"Host": "inside"}}, "http.header"),
        ({"headers": {"transfer-encoding": "chunked"}}, "http.header"),
        ({"headers": {"X-A": "a\r\nHost: inside"}}, "http.header"),
        ({"headers": {"X-A\r\nB": "a"}}, "http.header"),
        ({"headers": {"X-A": "سلام"}}, "http.header"),
        ({"method": "POST", "body": b"x" * 101}, "http.too-long"),
    ],
)
def test_a_request_that_must_not_be_sent_is_refused(
    port: int, given: dict[str, Any], rule: str
) -> None:
    assert Net(port).rule("http://example.org/", **given) == rule
    assert Site.seen == []


def test_a_host_that_is_not_there_is_told(port: int) -> None:
    def nowhere(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror("unknown")

    net = Net(port)
    net.egress = Egress(EgressSettings(), resolve=nowhere, connect=net.connect)
    assert net.rule("http://example.org/") == "http.no-host"
