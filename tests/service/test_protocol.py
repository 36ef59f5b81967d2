"""Limits of requests and connections, with a real server process."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from levy_schemas.problems import MEDIA_TYPE
from tests.processes import Service, Stack

SETTINGS = {
    "HEADER_BYTES": "4096",
    "HEADER_SECONDS": "0.5",
    "BODY_SECONDS": "1.0",
    "KEEP_ALIVE_SECONDS": "0.8",
    "CLIENT_CONNECTIONS": "40",
    "CLIENT_CONNECTIONS_PER_ADDRESS": "20",
}
POST = b"POST /price HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
MARGIN = 2.0
"""Seconds by which a busy machine may be late."""

Connect = Callable[..., socket.socket]


@pytest.fixture(scope="module")
def server() -> Iterator[Service]:
    with Stack() as stack:
        yield stack.service("gateway", settings=SETTINGS)


@pytest.fixture
def connect(server: Service) -> Iterator[Connect]:
    with ExitStack() as stack:

        def connected(address: str = "127.0.0.1") -> socket.socket:
            return stack.enter_context(
                socket.create_connection(("127.0.0.1", server.port), 10.0, (address, 0))
            )

        yield connected


def received(connection: socket.socket) -> bytes:
    """Return everything until the server closes the connection."""
    content = b""
    try:
        while chunk := connection.recv(65536):
            content += chunk
    except ConnectionResetError:
        pass
    return content


def problem(content: bytes, status: int) -> dict[str, str]:
    """Return the problem in a response of the server."""
    head, _, body = content.partition(b"\r\n\r\n")
    headers = head.decode().lower()
    assert headers.startswith(f"http/1.1 {status} ")
    assert MEDIA_TYPE in headers
    assert "connection: close" in headers
    value = json.loads(body)
    assert value["status"] == status
    assert f"x-request-id: {value['request_id']}" in headers
    return dict(value)


@pytest.mark.parametrize(
    "headers",
    [
        b"X-Long: " + b"a" * 5_000 + b"\r\n\r\n",
        b"X-Endless: " + b"a" * 5_000,
        b"".join(b"a%d:\r\n" % k for k in range(200)) + b"\r\n",
        b"".join(b"a%d:\r\n" % k for k in range(200)),
    ],
    ids=["long", "long-incomplete", "many", "many-incomplete"],
)
def test_large_headers_are_refused(headers: bytes, connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + headers)
    assert problem(received(connection), 431)["code"] == "headers-too-large"


def test_a_long_url_is_refused(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    problem(received(connection), 431)


def test_headers_arrive_in_time_however_often_bytes_arrive(connect: Connect) -> None:
    connection, started = connect(), time.monotonic()
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n")
    connection.setblocking(False)
    content = b""
    while not content and time.monotonic() - started < 0.5 + MARGIN:
        connection.sendall(b"A: b\r\n")
        time.sleep(0.05)
        try:
            content = connection.recv(65536)
        except BlockingIOError:
            continue
    assert time.monotonic() - started > 0.4
    assert problem(content, 408)["code"] == "request-timeout"


def test_a_body_arrives_in_time(connect: Connect) -> None:
    connection, started = connect(), time.monotonic()
    connection.sendall(POST + b"X-Request-ID: mine\r\nContent-Length: 100\r\n\r\n{")
    assert problem(received(connection), 408)["request_id"] == "mine"
    assert 0.9 < time.monotonic() - started < 1.0 + MARGIN


@pytest.mark.parametrize("sent", [b"", GET], ids=["new", "after-a-request"])
def test_an_idle_connection_is_closed(sent: bytes, connect: Connect) -> None:
    connection, started = connect(), time.monotonic()
    connection.sendall(sent)
    content = received(connection)
    assert content.count(b"HTTP/1.1 200") == (1 if sent else 0)
    assert content.count(b"HTTP/1.1") == (1 if sent else 0)
    assert 0.4 < time.monotonic() - started < 0.8 + MARGIN


def test_a_slow_request_within_the_limits_succeeds(connect: Connect) -> None:
    connection = connect()
    for part in (GET[:20], GET[20:], GET[:5], GET[5:] + GET + GET):
        connection.sendall(part)
        time.sleep(0.1)
    content = received(connection)
    assert content.count(b"HTTP/1.1 200") == 4


def test_a_body_in_one_piece_with_the_headers_does_not_count_as_headers(connect: Connect) -> None:
    connection = connect()
    body = b"[" + b" " * 10_000 + b"]"
    connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body + GET[:-2])
    connection.sendall(b"\r\n")
    content = received(connection)
    assert content.count(b"HTTP/1.1 422") == 1
    assert content.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    "request_line",
    [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET"],
    ids=["text", "version", "tls", "incomplete"],
)
def test_malformed_http_is_a_problem(request_line: bytes, connect: Connect) -> None:
    connection = connect()
    connection.sendall(request_line)
    content = received(connection)
    problem(content, 408 if request_line == b"GET" else 400)


def test_connections_of_an_address_are_limited_the_longest_idle_first(
    connect: Connect, server: Service
) -> None:
    first = connect("127.0.0.2")
    many = [connect("127.0.0.2") for _ in range(20)]
    assert received(first) == b""
    many[-1].sendall(GET)
    assert many[-1].recv(65536).startswith(b"HTTP/1.1 200")


def test_incomplete_requests_make_room_for_others(connect: Connect, server: Service) -> None:
    for address in ("127.0.0.3", "127.0.0.4"):
        for _ in range(20):
            connect(address).sendall(POST + b"Content-Length: 100\r\n\r\n{")
    for _ in range(5):
        assert httpx.get(f"{server.url}/health/live", trust_env=False).status_code == 200


def test_memory_is_bounded_whatever_headers_are_sent(connect: Connect, server: Service) -> None:
    before = server.resident_mib()
    for _ in range(20):
        connection = connect()
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nX: ")
            for _ in range(20):
                connection.sendall(b"a" * 2**20)
        except OSError:
            continue
        else:
            pytest.fail("20 MiB of headers were accepted")
    assert server.resident_mib() - before < 20.0
