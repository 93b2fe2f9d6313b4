"""Typed errors with the server's codes."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pyarrow as pa
import pyarrow.flight as fl
import pytest
from headrace_server import Server

import headrace
from headrace.connection import Connection
from headrace.errors import from_arrow

Lake = tuple[str, pa.Table]
Call = Callable[[headrace.Client, str], object]

REFUSED: dict[str, tuple[Call, type[headrace.HeadraceError], str]] = {
    "an absent table": (lambda c, _: c.scan("lake.absent").plan(), headrace.NotFoundError, "NOT_FOUND"),
    "an absent schema": (lambda c, _: c.schema("lake.absent"), headrace.NotFoundError, "NOT_FOUND"),
    "an unknown column": (
        lambda c, t: c.scan(t, columns=["nme"]).plan(),
        headrace.InvalidRequestError,
        "UNKNOWN_COLUMN",
    ),
    "a broken filter": (lambda c, t: c.scan(t, filter="id >").table(), headrace.InvalidRequestError, "INVALID_FILTER"),
    "no name": (lambda c, _: c.scan("lake").plan(), headrace.InvalidRequestError, "INVALID_REQUEST"),
    "too many shards": (lambda c, t: c.scan(t, shards=1025).plan(), headrace.InvalidRequestError, "INVALID_REQUEST"),
    "an absent snapshot": (lambda c, t: c.scan(t, snapshot_id=1).plan(), headrace.NotFoundError, "NOT_FOUND"),
    "an absent ref": (lambda c, t: c.scan(t, ref="nope").plan(), headrace.NotFoundError, "NOT_FOUND"),
    "an unknown action": (lambda c, _: c.action("nope", {}), headrace.InvalidRequestError, "INVALID_REQUEST"),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_refusals_have_types_and_codes(client: headrace.Client, lake: Lake, what: str) -> None:
    call, kind, code = REFUSED[what]
    with pytest.raises(kind) as raised:
        call(client, lake[0])
    assert type(raised.value) is kind
    assert raised.value.code == code
    assert str(raised.value) == f"{code}: {raised.value.message}"
    assert "Client context" not in raised.value.message
    assert isinstance(raised.value.__cause__, (fl.FlightError, pa.ArrowException))


def test_tokens_that_are_not_accepted(server: Server, lake: Lake) -> None:
    for token in (None, "abc", server.token("root", "admin")[:-2] + "xx"):
        with pytest.raises(headrace.UnauthenticatedError):
            headrace.connect(server.uri, token=token).scan(lake[0]).plan()
    for token in ("", "two words", "zwölf"):
        with pytest.raises(ValueError, match="printable ASCII"):
            headrace.connect(server.uri, token=token)


def test_a_token_may_come_with_the_end_of_its_line(server: Server, lake: Lake) -> None:
    client = headrace.connect(server.uri, token=server.token("root", "admin") + "\n")
    assert lake[0] in client.tables()


def test_a_visible_table_that_may_not_be_read_is_denied(server: Server, lake: Lake) -> None:
    looker = server.client("lo", "lookers")
    with pytest.raises(headrace.PermissionDeniedError):
        looker.scan(lake[0]).plan()


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(headrace.UnavailableError):
        headrace.connect("grpc://127.0.0.1:1", token="t").tables()


def test_errors_survive_pickling(client: headrace.Client) -> None:
    with pytest.raises(headrace.NotFoundError) as raised:
        client.scan("lake.absent").plan()
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (type(copy), str(copy), copy.code) == (headrace.NotFoundError, str(raised.value), "NOT_FOUND")


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (pa.ArrowInvalid("Flight error: UNKNOWN_COLUMN: no a: b. Client context: OK"), "UNKNOWN_COLUMN", "no a: b"),
        (fl.FlightUnauthorizedError("x: REVOKED: gone"), "REVOKED", "gone"),
        (fl.FlightServerError("message: COMMIT_UNKNOWN: perhaps"), "COMMIT_UNKNOWN", "perhaps"),
        (fl.FlightInternalError("stream removed"), "UNAVAILABLE", "stream removed"),
        (fl.FlightUnauthenticatedError("who?"), "UNAUTHENTICATED", "who?"),
        (pa.ArrowInvalid("a fault of Arrow's own"), "INTERNAL", "a fault of Arrow's own"),
        (
            fl.FlightUnavailableError("gone. gRPC client debug context: INTERNAL: x. Client context: OK"),
            "UNAVAILABLE",
            "gone",
        ),
    ],
)
def test_what_pyarrow_raises_is_translated(raised: Exception, code: str, message: str) -> None:
    typed = from_arrow(raised)
    assert (typed.code, typed.message) == (code, message)


def test_tokens_do_not_leave_an_encrypted_connection() -> None:
    locations = ["grpc+tcp://elsewhere:1", "grpc+tls://data:2", "arrow-flight-reuse-connection://?"]
    endpoint = fl.FlightEndpoint(b"ticket", locations)
    secure = Connection("grpc+tls://here:1", "token", None)
    assert [secure.location(endpoint, attempt) for attempt in range(3)] == [
        "grpc+tls://data:2",
        None,
        "grpc+tls://data:2",
    ]
    plain = Connection("grpc://here:1", "token", None)
    assert [plain.location(endpoint, attempt) for attempt in range(3)] == [*locations[:2], None]
    assert plain.location(fl.FlightEndpoint(b"ticket", []), 0) is None
    assert "token" not in repr(plain)
