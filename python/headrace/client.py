"""The client: connect, scan, put."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
import uuid
from collections.abc import Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.flight as fl

from headrace.connection import Connection
from headrace.errors import ARROW_ERRORS, CommitUnknownError, UnavailableError, from_arrow
from headrace.forking import gate
from headrace.put import PutData, PutResult, is_repeatable, put_once
from headrace.scan import BUFFER_BYTES, Scan

_PUT_ATTEMPTS = 5
_PUT_BACKOFF_SECONDS = 0.2


def connect(uri: str, *, token: str | None = None, tls_ca: str | os.PathLike[str] | bytes | None = None) -> Client:
    """A client of the service at ``uri`` (``grpc://host:port`` or ``grpc+tls://host:port``).

    ``tls_ca`` is a PEM file's path or its bytes; without it, the system's authorities are trusted. Nothing is sent
    before the first call.
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
        """Closes the connections of this process."""
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
        buffer_bytes: int = BUFFER_BYTES,
    ) -> Scan:
        """A scan of ``table``, planned when it is first read.

        ``columns`` and ``filter`` name columns as ``a.b``; a part that holds a dot stands in double quotes.
        ``filter`` is text (``delay > 10 AND origin IN ('SEA', 'SFO')``) or Iceberg's expression JSON. At most one of
        ``snapshot_id``, ``ref`` and ``timestamp`` (with a zone) says what to read; the default is the branch ``main``
        as it is when the scan is planned. ``shards`` streams are read in parallel; ``ordered`` yields their batches
        in the plan's order. ``run`` (``id``, ``workload``, ``code_version``) goes to the audit log. At most about
        ``buffer_bytes`` of batches wait for a slow consumer.
        """
        if isinstance(columns, str):
            raise TypeError("columns must be a sequence of names, not one string")
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
            "dictionaries": dictionaries or None,
            "run": run,
        }
        request.update({name: value for name, value in optional.items() if value is not None})
        return Scan(self._connection, request, buffer_bytes=buffer_bytes)

    def put(
        self,
        table: str,
        data: PutData,
        *,
        mode: Literal["create", "append", "overwrite"] = "append",
        schema: pa.Schema | None = None,
        partition_by: Sequence[str] | None = None,
        overwrite_filter: str | dict[str, Any] | None = None,
        format_version: int | None = None,
        branch: str | None = None,
        idempotency_key: str | None = None,
    ) -> PutResult:
        """Writes ``data`` as one commit. Nothing is visible before it, or after a failure.

        ``data`` is a table, a batch, a reader, anything with Arrow's C stream interface, or an iterable of batches,
        which needs ``schema`` unless it yields at least one. If it raises while it is read, nothing is written. A
        table or batch is sent again, under the same idempotency key, when the connection breaks or the outcome is
        unknown; other data can be read only once and is not.
        """
        request: dict[str, Any] = {
            "table": table,
            "mode": mode,
            "idempotency_key": idempotency_key or str(uuid.uuid4()),
        }
        optional = {
            "partition_by": None if partition_by is None else list(partition_by),
            "overwrite_filter": overwrite_filter,
            "format_version": format_version,
            "branch": branch,
        }
        request.update({name: value for name, value in optional.items() if value is not None})
        failures = 0
        while True:
            try:
                return put_once(self._connection, request, data, schema)
            except (UnavailableError, CommitUnknownError):
                failures += 1
                if failures >= _PUT_ATTEMPTS or not is_repeatable(data):
                    raise
            time.sleep(_PUT_BACKOFF_SECONDS * 2**failures)

    def schema(self, table: str) -> pa.Schema:
        """The columns of ``table`` that the caller may see."""
        descriptor = fl.FlightDescriptor.for_command(json.dumps({"table": table}).encode())
        try:
            with gate.call():
                return self._connection.channel().get_schema(descriptor, self._connection.options()).schema
        except ARROW_ERRORS as error:
            raise from_arrow(error) from error

    def tables(self) -> list[str]:
        """The names of the tables that the caller may see."""
        try:
            with gate.call():
                flights = list(self._connection.channel().list_flights(options=self._connection.options()))
        except ARROW_ERRORS as error:
            raise from_arrow(error) from error
        return sorted(".".join(part.decode() for part in flight.descriptor.path) for flight in flights)

    def snapshots(self, table: str) -> list[dict[str, Any]]:
        """The snapshots of ``table``, oldest first, as the server's JSON."""
        snapshots: list[dict[str, Any]] = self.action("headrace.snapshots", {"table": table})["snapshots"]
        return snapshots

    def explain(self, request: dict[str, Any]) -> dict[str, Any]:
        """How a scan request would be planned: what is pruned and which policies decide."""
        return self.action("headrace.explain", request)

    def action(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Calls an action whose request and answer are JSON."""
        try:
            with gate.call():
                results = self._connection.channel().do_action(
                    (kind, json.dumps(body).encode()), self._connection.options()
                )
                answers = [result.body.to_pybytes() for result in results]
        except ARROW_ERRORS as error:
            raise from_arrow(error) from error
        return json.loads(answers[0]) if answers else {}
