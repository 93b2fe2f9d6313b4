"""A scan: planned once, read in parallel, resumed where a stream breaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.flight as fl

from headrace.connection import Connection
from headrace.errors import TicketExpiredError
from headrace.parallel import ParallelStreams
from headrace.plan import Plan, part_of
from headrace.stream import EndpointStream

# Batches received and not yet handed out, over all streams of one scan.
BUFFER_BYTES = 128 << 20

# How often a scan is planned again when what policies permit changes before its first batch.
_PLANS = 3


class Scan:
    """Iterates :class:`pyarrow.RecordBatch`. Each iteration reads the same pinned snapshot again, from the start.

    A scan may be shared by threads, pickled, and used after a fork: once planned, all of them read the same plan. An
    iteration that has begun goes on in the process that began it.
    """

    def __init__(self, connection: Connection, request: dict[str, Any], *, buffer_bytes: int = BUFFER_BYTES) -> None:
        self._plan = Plan(connection, request)
        self._buffer_bytes = buffer_bytes
        self._part: tuple[int, int] | None = None

    def plan(self) -> fl.FlightInfo:
        """Flight's own description of the plan; made at the first use, and pinned to its snapshot from then on."""
        return self._plan.info

    @property
    def metadata(self) -> dict[str, Any]:
        """The plan's facts: ``snapshot_id``, ``schema_id``, ``policy_digest`` and, where visible, what was pruned."""
        return self._plan.facts

    @property
    def snapshot_id(self) -> str | None:
        """Decimal text of the snapshot that this scan reads; None for a table without one."""
        snapshot_id: str | None = self._plan.facts["snapshot_id"]
        return snapshot_id

    @property
    def schema(self) -> pa.Schema:
        """The columns of the batches."""
        return self._plan.info.schema

    def part(self, index: int, of: int) -> Scan:
        """The share ``index`` of ``of`` of this scan's plan, for one of several workers or ranks.

        The parts have every row once among them. A plan has ``shards`` streams: ask for at least as many as there are
        parts.
        """
        if self._part is not None:
            raise ValueError("a part of a scan has no parts of its own")
        part_of(0, index, of)
        part = Scan.__new__(Scan)
        part._plan, part._buffer_bytes, part._part = self._plan, self._buffer_bytes, (index, of)
        return part

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Batches in the plan's order when the scan is ``ordered``, else as they arrive. Empty ones are left out."""
        for attempt in range(_PLANS):
            delivered = False
            try:
                for batch in self._batches():
                    delivered = True
                    yield batch
                return
            except TicketExpiredError:
                if delivered or attempt == _PLANS - 1:
                    raise
            self._plan.replan()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        streams = [EndpointStream(self._plan, at) for at in self._endpoints()]
        if not streams:
            return
        if len(streams) == 1:
            yield from (batch for batch in streams[0] if batch.num_rows > 0)
            return
        ordered = bool(self._plan.request.get("ordered"))
        with ParallelStreams(streams, ordered=ordered, buffer_bytes=self._buffer_bytes) as parallel:
            yield from parallel

    def _endpoints(self) -> Sequence[int]:
        count = len(self._plan.info.endpoints)
        return range(count) if self._part is None else part_of(count, *self._part)

    def reader(self) -> pa.RecordBatchReader:
        """The same batches as a :class:`pyarrow.RecordBatchReader`, for libraries that take one."""
        schema = self.schema

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in self:
                if not batch.schema.equals(schema):
                    raise TicketExpiredError(
                        "TICKET_EXPIRED", "the columns that policy permits changed since the plan: scan again"
                    )
                yield batch

        return pa.RecordBatchReader.from_batches(schema, batches())

    def table(self) -> pa.Table:
        """All rows in memory."""
        batches = list(self)
        # Read after the batches: a plan made anew before the first of them may have other columns.
        return pa.Table.from_batches(batches, schema=self.schema)
