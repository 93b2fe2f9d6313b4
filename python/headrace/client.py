"""The client: connect, scan, put."""

from __future__ import annotations

import datetime as dt
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.flight as fl

from headrace.connection import Connection
from headrace.errors import ARROW_ERRORS, CommitUnknownError, UnavailableError, from_arrow
from headrace.scan import Scan

# A batch larger than this is sent in slices, well below the server's message limit.
_PUT_BYTES = 4 << 20
_PUT_ATTEMPTS = 4

PutData = pa.Table | pa.RecordBatch | pa.RecordBatchReader | Iterable[pa.RecordBatch]


@dataclass(frozen=True)
class PutResult:
    """What a put committed. ``snapshot_id`` is the decimal text of the new snapshot."""

    snapshot_id: str
    rows: int
    files: int


def connect(uri: str, *, token: str | None = None, tls_ca: str | os.PathLike[str] | bytes | None = None) -> Client:
    """A client of the service at ``uri`` (``grpc://host:port`` or ``grpc+tls://host:port``).

    ``tls_ca`` is a PEM file's path or its bytes. Nothing is sent before the first call.
    """
    if tls_ca is not None and not isinstance(tls_ca, bytes):
        with open(tls_ca, "rb") as file:
            tls_ca = file.read()
    return Client(Connection(uri, token, tls_ca))


class Client:
    """Calls to one Headrace service. Safe to share between threads, to fork and to pickle."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the channels that this process opened."""
        self._connection.close()

    def scan(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        filter: str | dict[str, Any] | None = None,
        snapshot_id: str | int | None = None,
        ref: str | None = None,
        timestamp: str | dt.datetime | None = None,
        shards: int = 1,
        ordered: bool = False,
        limit: int | None = None,
        batch_rows: int | None = None,
        compression: Literal["none", "lz4", "zstd"] = "none",
        dictionaries: bool = False,
        run: dict[str, str] | None = None,
    ) -> Scan:
        """A scan of ``table``, planned when it is first read.

        ``columns`` and ``filter`` name columns as ``a.b``; a part that holds a dot stands in double quotes. ``filter`` is text
        (``delay > 10 AND origin IN ('SEA', 'SFO')``) or Iceberg's expression JSON. At most one of ``snapshot_id``, ``ref`` and
        ``timestamp`` (with a zone) says what to read; the default is the branch ``main`` as it is when the scan is planned.
        ``shards`` streams are read in parallel; ``ordered`` yields their batches in the plan's order.
        """
        at: dict[str, str] = {}
        if snapshot_id is not None:
            at["snapshot_id"] = str(snapshot_id)
        if ref is not None:
            at["ref"] = ref
        if timestamp is not None:
            at["timestamp"] = timestamp if isinstance(timestamp, str) else timestamp.isoformat()
        request: dict[str, Any] = {"table": table, "shards": shards, "ordered": ordered, "compression": compression}
        optional = {
            "at": at or None,
            "columns": None if columns is None else list(columns),
            "filter": filter,
            "limit": limit,
            "batch_rows": batch_rows,
            "run": run,
        }
        request.update({name: value for name, value in optional.items() if value is not None})
        if dictionaries:
            request["dictionaries"] = True
        return Scan(self._connection, request)

    def put(
        self,
        table: str,
        data: PutData,
        *,
        mode: Literal["create", "append", "overwrite"] = "append",
        schema: pa.Schema | None = None,
        partition_by: Sequence[str] | None = None,
        overwrite_filter: str | None = None,
        branch: str | None = None,
        idempotency_key: str | None = None,
    ) -> PutResult:
        """Writes ``data`` as one commit and returns its snapshot. Nothing is visible before the commit, or after a failure.

        A plain iterable of batches needs ``schema`` unless it yields at least one. A table or batch is sent again, under the same
        idempotency key, when the connection breaks or the outcome is unknown; other data can be read only once and is not.
        """
        request: dict[str, Any] = {"table": table, "mode": mode, "idempotency_key": idempotency_key or str(uuid.uuid4())}
        optional = {
            "partition_by": None if partition_by is None else list(partition_by),
            "overwrite_filter": overwrite_filter,
            "branch": branch,
        }
        request.update({name: value for name, value in optional.items() if value is not None})
        descriptor = fl.FlightDescriptor.for_command(json.dumps(request).encode())
        attempts = _PUT_ATTEMPTS if isinstance(data, (pa.Table, pa.RecordBatch)) else 1
        for attempt in range(1, attempts + 1):
            try:
                return self._put_once(descriptor, *_batches(data, schema))
            except (UnavailableError, CommitUnknownError):
                if attempt == attempts:
                    raise
        raise AssertionError("unreachable")

    def _put_once(self, descriptor: fl.FlightDescriptor, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> PutResult:
        try:
            writer, reader = self._connection.channel().do_put(descriptor, schema, self._connection.options())
            with writer:
                for batch in batches:
                    for part in _slices(batch):
                        writer.write_batch(part)
                writer.done_writing()
                answer = reader.read()
        except ARROW_ERRORS as error:
            raise from_arrow(error) from error
        if answer is None:
            raise CommitUnknownError("COMMIT_UNKNOWN", "the server ended the call without a result")
        result = json.loads(answer.to_pybytes())
        return PutResult(result["snapshot_id"], result["rows"], result["files"])

    def schema(self, table: str) -> pa.Schema:
        """The columns of ``table`` that the caller may see."""
        descriptor = fl.FlightDescriptor.for_command(json.dumps({"table": table}).encode())
        try:
            return self._connection.channel().get_schema(descriptor, self._connection.options()).schema
        except ARROW_ERRORS as error:
            raise from_arrow(error) from error

    def tables(self) -> list[str]:
        """The names of the tables that the caller may see."""
        try:
            flights = self._connection.channel().list_flights(options=self._connection.options())
            return sorted(".".join(part.decode() for part in flight.descriptor.path) for flight in flights)
        except ARROW_ERRORS as error:
            raise from_arrow(error) from error

    def snapshots(self, table: str) -> list[dict[str, Any]]:
        """The snapshots of ``table``, oldest first, as the server's JSON."""
        return self.action("headrace.snapshots", {"table": table})["snapshots"]

    def explain(self, request: dict[str, Any]) -> dict[str, Any]:
        """How a scan request would be planned: what is pruned and which policies decide."""
        return self.action("headrace.explain", request)

    def action(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Calls an action whose request and answer are JSON."""
        try:
            results = self._connection.channel().do_action((kind, json.dumps(body).encode()), self._connection.options())
            answers = [result.body.to_pybytes() for result in results]
        except ARROW_ERRORS as error:
            raise from_arrow(error) from error
        return json.loads(answers[0]) if answers else {}


def _batches(data: PutData, schema: pa.Schema | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    if isinstance(data, pa.Table):
        return data.schema, iter(data.to_batches())
    if isinstance(data, pa.RecordBatch):
        return data.schema, iter((data,))
    if isinstance(data, pa.RecordBatchReader):
        return data.schema, iter(data)
    batches = iter(data)
    if schema is not None:
        return schema, batches
    first = next(batches, None)
    if first is None:
        raise ValueError("an empty iterable says nothing about its columns: pass schema=")
    return first.schema, _chain(first, batches)


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    parts = max(1, -(-batch.nbytes // _PUT_BYTES))
    rows = max(1, -(-batch.num_rows // parts))
    for start in range(0, max(1, batch.num_rows), rows):
        yield batch.slice(start, rows)
