"""Uploads: one DoPut is one commit, or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.flight as fl

from headrace.connection import Connection
from headrace.errors import ARROW_ERRORS, CommitUnknownError, from_arrow
from headrace.forking import gate

# A batch larger than this is sent in slices, well below the server's message limit.
_MESSAGE_BYTES = 4 << 20

# The server takes the end of an upload for its completion; this mark says that it broke off instead.
_ABORT = json.dumps({"abort": True}).encode()


@runtime_checkable
class ArrowStream(Protocol):
    """What exports Arrow's C stream: tables of pyarrow, polars, DuckDB, pandas …"""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...


PutData = ArrowStream | Iterable[pa.RecordBatch]


@dataclass(frozen=True)
class PutResult:
    """What a put committed. ``snapshot_id`` is the decimal text of the new snapshot."""

    snapshot_id: str
    rows: int
    files: int


def is_repeatable(data: PutData) -> bool:
    """Whether ``data`` can be read a second time."""
    return isinstance(data, (pa.Table, pa.RecordBatch))


def put_once(connection: Connection, request: dict[str, Any], data: PutData, schema: pa.Schema | None) -> PutResult:
    """Sends ``data`` and waits for the commit. What ``data`` raises while it is read ends the upload without one."""
    descriptor = fl.FlightDescriptor.for_command(json.dumps(request).encode())
    schema, batches = _batches(data, schema)
    with gate.write():
        try:
            writer, reader = connection.channel().do_put(descriptor, schema, connection.options())
        except ARROW_ERRORS as error:
            raise from_arrow(error) from error
        answer = _send(writer, reader, batches)
    if answer is None:
        raise CommitUnknownError("COMMIT_UNKNOWN", "the server ended the call without a result")
    result = json.loads(answer.to_pybytes())
    return PutResult(result["snapshot_id"], result["rows"], result["files"])


def _send(
    writer: fl.FlightStreamWriter, reader: fl.FlightMetadataReader, batches: Iterator[pa.RecordBatch]
) -> pa.Buffer | None:
    ended = False
    try:
        # `next` stands outside of the handler: what the data raises is not a failure of the call.
        while (batch := next(batches, None)) is not None:
            for part in _slices(batch):
                try:
                    writer.write_batch(part)
                except ARROW_ERRORS as error:
                    ended = True
                    raise _refusal(writer, error) from error
        ended = True
        try:
            writer.done_writing()
            answer = reader.read()
            writer.close()
        except ARROW_ERRORS as error:
            raise _refusal(writer, error) from error
        return answer
    finally:
        if not ended:
            with suppress(*ARROW_ERRORS):
                writer.write_metadata(_ABORT)
            with suppress(*ARROW_ERRORS):
                writer.close()


def _refusal(writer: fl.FlightStreamWriter, error: BaseException) -> BaseException:
    """The server's own reason, which pyarrow tells on closing when a write failed."""
    try:
        writer.close()
    except ARROW_ERRORS as closing:
        return from_arrow(closing)
    return from_arrow(error)


def _batches(data: PutData, schema: pa.Schema | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    if isinstance(data, pa.RecordBatch):
        return data.schema, iter((data,))
    if isinstance(data, pa.Table):
        return data.schema, iter(data.to_batches())
    if isinstance(data, pa.RecordBatchReader):
        return data.schema, iter(data)
    if isinstance(data, ArrowStream):
        reader = pa.RecordBatchReader.from_stream(data)
        return reader.schema, iter(reader)
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
    """Halves of halves that each fit a message, whatever rows hold the bytes."""
    if batch.num_rows <= 1 or _sent_bytes(batch) <= _MESSAGE_BYTES:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from _slices(batch.slice(0, middle))
    yield from _slices(batch.slice(middle))


def _sent_bytes(batch: pa.RecordBatch) -> int:
    # A dictionary is sent once, in a message of its own.
    return sum(
        column.indices.nbytes if isinstance(column, pa.DictionaryArray) else column.nbytes for column in batch.columns
    )
