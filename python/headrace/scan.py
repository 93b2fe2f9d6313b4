"""A scan: planned once, read in parallel, resumed where a stream breaks."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.flight as fl

from headrace.connection import REUSE_CONNECTION, Connection
from headrace.errors import ARROW_ERRORS, HeadraceError, TicketExpiredError, UnavailableError, from_arrow

# Batches received and not yet handed out, over all streams of one scan.
BUFFER_BYTES = 128 << 20
STREAMS_MAX = 16
# Attempts in a row without a single new batch before a broken stream is given up.
_ATTEMPTS = 6
_BACKOFF_SECONDS = 0.1
_RENEW_SECONDS = 60


class Scan:
    """Iterates :class:`pyarrow.RecordBatch`. Each iteration reads the same pinned snapshot again, from the start."""

    def __init__(self, connection: Connection, request: dict[str, Any]) -> None:
        self._connection = connection
        self._request = request
        self._info: fl.FlightInfo | None = None

    def plan(self) -> fl.FlightInfo:
        """The plan; made at the first use and pinned to its snapshot from then on."""
        if self._info is None:
            self._info = self._plan()
            snapshot_id = self.metadata["snapshot_id"]
            if snapshot_id is not None:
                self._request = {**self._request, "at": {"snapshot_id": snapshot_id}}
        return self._info

    def _plan(self) -> fl.FlightInfo:
        descriptor = fl.FlightDescriptor.for_command(json.dumps(self._request).encode())
        try:
            return self._connection.channel().get_flight_info(descriptor, self._connection.options())
        except ARROW_ERRORS as error:
            raise from_arrow(error) from error

    def __getstate__(self) -> tuple[Connection, dict[str, Any]]:
        return (self._connection, self._request)

    def __setstate__(self, state: tuple[Connection, dict[str, Any]]) -> None:
        self._connection, self._request = state
        self._info = None

    @property
    def metadata(self) -> dict[str, Any]:
        """The plan's own facts: ``snapshot_id``, ``schema_id``, ``policy_digest`` and, where visible, what was pruned."""
        return json.loads(self.plan().app_metadata)

    @property
    def snapshot_id(self) -> str | None:
        """Decimal text of the snapshot that this scan reads; None for a table without one."""
        return self.metadata["snapshot_id"]

    @property
    def schema(self) -> pa.Schema:
        return self.plan().schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Batches in the plan's order when the scan is ``ordered``, else as they arrive. Empty ones are left out."""
        endpoints = self._live_endpoints()
        if len(endpoints) == 1:
            yield from (batch for batch in read_endpoint(self._connection, endpoints[0], None) if batch.num_rows > 0)
            return
        with _Streams(self._connection, endpoints, ordered=bool(self._request.get("ordered"))) as streams:
            yield from streams

    def _live_endpoints(self) -> list[fl.FlightEndpoint]:
        """The plan's endpoints, planned again at the same snapshot when their tickets are about to expire."""
        if any(_expires_soon(endpoint) for endpoint in self.plan().endpoints):
            self._info = self._plan()
        return list(self.plan().endpoints)

    def reader(self) -> pa.RecordBatchReader:
        """The same batches as a :class:`pyarrow.RecordBatchReader`, for libraries that take one."""
        return pa.RecordBatchReader.from_batches(self.schema, iter(self))

    def table(self) -> pa.Table:
        """All rows in memory."""
        return pa.Table.from_batches(iter(self), schema=self.schema)


def read_endpoint(
    connection: Connection, endpoint: fl.FlightEndpoint, stopped: threading.Event | None
) -> Iterator[pa.RecordBatch]:
    """The batches of one endpoint. A broken stream continues at the last cursor: no row is lost or repeated."""
    cursor: str | None = None
    failures = 0
    while True:
        try:
            for batch, cursor in _read_once(connection, endpoint, cursor, failures):
                failures = 0
                yield batch
                if stopped is not None and stopped.is_set():
                    return
            return
        except ARROW_ERRORS as error:
            typed = from_arrow(error)
            failures += 1
            if failures >= _ATTEMPTS or not isinstance(typed, UnavailableError):
                raise typed from error
            time.sleep(_BACKOFF_SECONDS * 2**failures)


def _read_once(
    connection: Connection, endpoint: fl.FlightEndpoint, cursor: str | None, failures: int
) -> Iterator[tuple[pa.RecordBatch, str | None]]:
    headers = {} if cursor is None else {"headrace-cursor": cursor}
    channel = connection.channel(_location(endpoint, failures))
    reader = channel.do_get(_renewed(connection, endpoint).ticket, connection.options(headers))
    finished = False
    try:
        for chunk in reader:
            if chunk.app_metadata is not None:
                cursor = json.loads(chunk.app_metadata.to_pybytes())["cursor"]
            if chunk.data is not None:
                yield chunk.data, cursor
        finished = True
    finally:
        if not finished:
            reader.cancel()


def _location(endpoint: fl.FlightEndpoint, failures: int) -> str | None:
    """Another one of the endpoint's locations after each failure; None = the service itself."""
    uris = [location.uri.decode() for location in endpoint.locations]
    if not uris:
        return None
    uri = uris[failures % len(uris)]
    return None if uri == REUSE_CONNECTION else uri


def _expires_soon(endpoint: fl.FlightEndpoint) -> bool:
    expiry = endpoint.expiration_time
    if expiry is None:
        return False
    return expiry.as_py() - dt.datetime.now(dt.UTC) < dt.timedelta(seconds=_RENEW_SECONDS)


def _renewed(connection: Connection, endpoint: fl.FlightEndpoint) -> fl.FlightEndpoint:
    """The endpoint with a later expiry, when a stream starts long after it was planned."""
    if not _expires_soon(endpoint):
        return endpoint
    message = endpoint.serialize()
    body = b"\x0a" + _varint(len(message)) + message
    try:
        results = list(connection.channel().do_action(("RenewFlightEndpoint", body), connection.options()))
    except ARROW_ERRORS as error:
        if isinstance(from_arrow(error), TicketExpiredError):
            return endpoint
        raise
    return fl.FlightEndpoint.deserialize(results[0].body.to_pybytes())


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class _Streams:
    """Threads that read endpoints ahead of the consumer, within a bound of bytes."""

    def __init__(self, connection: Connection, endpoints: list[fl.FlightEndpoint], *, ordered: bool) -> None:
        self._connection = connection
        self._endpoints = endpoints
        self._ordered = ordered
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._batches: list[deque[pa.RecordBatch]] = [deque() for _ in endpoints]
        self._held = [0] * len(endpoints)
        self._done = [False] * len(endpoints)
        self._error: HeadraceError | None = None
        self._next_endpoint = 0
        self._threads = [
            threading.Thread(target=self._work, daemon=True, name=f"headrace-scan-{at}")
            for at in range(min(len(endpoints), STREAMS_MAX))
        ]
        # A share for each running stream, so that the one whose turn it is always gets on.
        self._share = BUFFER_BYTES // len(self._threads)

    def __enter__(self) -> _Streams:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self._stopped.is_set():
            with self._changed:
                at = self._next_endpoint
                self._next_endpoint += 1
            if at >= len(self._endpoints):
                return
            try:
                self._read(at)
            except HeadraceError as error:
                self._fail(error)
                return
            except BaseException as error:  # noqa: BLE001: a thread's failure belongs to the consumer
                self._fail(HeadraceError("INTERNAL", str(error)))
                return

    def _read(self, at: int) -> None:
        for batch in read_endpoint(self._connection, self._endpoints[at], self._stopped):
            if batch.num_rows == 0:
                continue
            with self._changed:
                while self._held[at] >= self._share and not self._stopped.is_set():
                    self._changed.wait()
                if self._stopped.is_set():
                    return
                self._batches[at].append(batch)
                self._held[at] += batch.nbytes
                self._changed.notify_all()
        with self._changed:
            self._done[at] = True
            self._changed.notify_all()

    def _fail(self, error: HeadraceError) -> None:
        with self._changed:
            self._error = self._error or error
            self._stopped.set()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while True:
            with self._changed:
                while (at := self._ready()) is None:
                    if self._error is not None:
                        raise self._error
                    if all(self._done):
                        return
                    self._changed.wait()
                batch = self._batches[at].popleft()
                self._held[at] -= batch.nbytes
                self._changed.notify_all()
            yield batch

    def _ready(self) -> int | None:
        """The stream to take the next batch from, or None while there is none."""
        if self._error is not None:
            return None
        if not self._ordered:
            return next((at for at, batches in enumerate(self._batches) if batches), None)
        for at, batches in enumerate(self._batches):
            if batches:
                return at
            if not self._done[at]:
                return None
        return None
