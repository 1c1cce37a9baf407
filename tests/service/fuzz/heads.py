"""Hostile heads and framing: raw bytes of a connection, cut into segments."""

import json
import random

from tests.service.fuzz.inputs import students

_METHODS = (
    "POST",
    "POST",
    "POST",
    "GET",
    "PUT",
    "post",
    "P\x00ST",
    "OPTIONS",
    "CONNECT",
    "PRI",
    "",
)
_TARGETS = ("/score", "/score", "/score/bulk", "/model", "/livez", "*", "//score", "/score?x=%00", "/sc\x01ore",
            "http://a/score", "/" + "a" * 9000, "/score#x", "", "/../score", "/score/")  # fmt: skip
_VERSIONS = ("HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", "http/1.1", "")
_LENGTHS = ("{}", "{}", "{}", "0{}", "000000{}", "+{}", "-{}", "{} ", " {}", "{}, {}", "{}\t", "0x{}", "1e3",
            "9" * 20, "", "{}.0")  # fmt: skip
_EXTRA = (
    *("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",),
    *("Upgrade: websocket\r\nConnection: upgrade\r\n", "Connection: close\r\n", "Connection: \r\n"),
    *("Expect: 100-continue\r\n", "Expect: 200-maybe\r\n", "X-Request-ID: 1\r\n", "Host: b\r\n"),
    *("Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n", "TE: trailers\r\n"),
    *("Transfer-Encoding : chunked\r\n", "Transfer-Encoding: \x0bchunked\r\n", " folded: x\r\n"),
    *("Content-Encoding: gzip\r\n", "Content-Length: 3\r\n", "A: " + "b" * 70_000 + "\r\n"),
    *("N\x00ul: x\r\n", "N: \xff\xfe\r\n", "no colon\r\n", ": empty\r\n", "L: f\n", "C: r\r"),
    *("traceparent: 00-0-0-0\r\n", "Range: bytes=0-\r\n", "Forwarded: for=x\r\n", "x: y\r\n" * 500),
)


def segments(generator: random.Random) -> list[bytes]:
    """Make the bytes of one to three requests and cut them."""
    stream = b"".join(_request(generator) for _ in range(generator.choice((1, 1, 1, 2, 3))))
    if generator.random() < 0.1:
        stream = stream[: generator.randrange(len(stream) + 1)]
    cuts = sorted(generator.randrange(len(stream) + 1) for _ in range(generator.choice((0, 1, 3))))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def _request(generator: random.Random) -> bytes:
    body = json.dumps({"students": students(generator, generator.randint(1, 2))}).encode()
    line = f"{generator.choice(_METHODS)} {generator.choice(_TARGETS)} {generator.choice(_VERSIONS)}\r\n"
    if generator.random() < 0.6:
        line = "POST /score HTTP/1.1\r\n"
    fields = ["Host: a\r\n", "Content-Type: application/json\r\n"]
    fields += generator.sample(_EXTRA, generator.choice((0, 0, 1, 2)))
    if any("chunked" in one for one in fields) or generator.random() < 0.2:
        fields.append("Transfer-Encoding: chunked\r\n")
        body = _chunked(generator, body)
    if generator.random() < 0.8:
        length = generator.choice(_LENGTHS).format(len(body), len(body))
        fields.append(f"Content-Length: {length}\r\n")
    generator.shuffle(fields)
    return (line + "".join(fields) + "\r\n").encode("latin-1") + body


def _chunked(generator: random.Random, body: bytes) -> bytes:
    cut = generator.randrange(len(body) + 1)
    form = generator.choice(("{:x}", "{:X}", "{:08x}", "{:x};ext=1", "0x{:x}", "-{:x}", "{:x} "))
    parts = [form.format(len(part)).encode() + b"\r\n" + part + b"\r\n"
             for part in (body[:cut], body[cut:]) if part]  # fmt: skip
    last = (b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nTrailer: x\r\n\r\n", b"0\n\n", b"")
    return b"".join(parts) + generator.choice(last)
