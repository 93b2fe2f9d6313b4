"""One endpoint's stream, which continues where it broke off."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.flight as fl

from headrace.errors import (
    ARROW_ERRORS,
    HeadraceError,
    InternalError,
    LimitExceededError,
    TicketExpiredError,
    UnavailableError,
    from_arrow,
)
from headrace.forking import gate
from headrace.plan import Plan

# How long a stream is tried again without a single new batch: enough for a server to start anew.
_PATIENCE_SECONDS = 60.0
_BACKOFF_SECONDS = 0.05
_BACKOFF_SECONDS_MAX = 2.0
# Attempts in a row for errors that another attempt mends, or never.
_ATTEMPTS = 6


class EndpointStream:
    """The batches of one endpoint of a plan, each exactly once, whatever happens to the connection meanwhile."""

    def __init__(self, plan: Plan, at: int) -> None:
        self._plan = plan
        self._at = at
        # Rows handed out, and the server's mark after them, which only tickets of the same generation go with.
        self._rows = 0
        self._cursor: str | None = None
        self._cursor_generation = 0
        self._generation = 0
        self._failures = 0
        self._failing_since = 0.0
        # Why the ticket must be issued again before the next attempt.
        self._expired: TicketExpiredError | None = None
        self._reader: fl.FlightStreamReader | None = None
        self._interrupted = False
        self._closed = threading.Event()
        gate.register(self)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            while not self._closed.is_set():
                try:
                    chunk = self._read()
                except (HeadraceError, *ARROW_ERRORS) as error:
                    self._recover(error)
                    continue
                if chunk is None:
                    return
                if chunk.data is not None:
                    self._advance(chunk)
                    yield chunk.data
        finally:
            self.close()

    def close(self) -> None:
        """Ends the stream; also from another thread than the one that reads it."""
        self._closed.set()
        self.interrupt()
        self._reader = None

    def interrupt(self) -> None:
        """See :class:`headrace.forking.Parkable`: ends a running read, which is then taken up again."""
        reader = self._reader
        if reader is not None:
            self._interrupted = True
            reader.cancel()

    def park(self) -> bool:
        """See :class:`headrace.forking.Parkable`."""
        self.interrupt()
        reader, self._reader = self._reader, None
        return reader is not None

    def reset(self) -> None:
        """See :class:`headrace.forking.Parkable`: the child's copy begins with a connection of its own."""
        closed, self._closed = self._closed.is_set(), threading.Event()
        if closed:
            self._closed.set()

    def _read(self) -> fl.FlightStreamChunk | None:
        """The next chunk, or None after the last."""
        with gate.call():
            # A stream interrupted while nobody read from it holds batches that came before that: it is opened anew
            # all the same.
            if self._interrupted:
                self._interrupted = False
                self._reader = None
            if self._reader is None:
                self._open()
            assert self._reader is not None
            try:
                return self._reader.read_chunk()
            except StopIteration:
                self._reader = None
                return None

    def _open(self) -> None:
        if self._expired is not None:
            if not self._plan.reissue(self._generation):
                raise self._expired
            self._expired = None
        endpoint, self._generation = self._plan.ticket(self._at)
        headers = {}
        if self._cursor is not None and self._cursor_generation == self._generation:
            headers["headrace-cursor"] = self._cursor
        elif self._rows > 0:
            headers["headrace-offset"] = str(self._rows)
        connection = self._plan.connection
        channel = connection.channel(connection.location(endpoint, self._failures))
        self._reader = channel.do_get(endpoint.ticket, connection.options(headers))

    def _advance(self, chunk: fl.FlightStreamChunk) -> None:
        self._failures = 0
        rows = self._rows + chunk.data.num_rows
        if chunk.app_metadata is not None:
            mark = json.loads(chunk.app_metadata.to_pybytes())
            self._cursor, self._cursor_generation = mark["cursor"], self._generation
            if mark["next"] != rows:
                raise InternalError("INTERNAL", f"the stream is at row {mark['next']} where row {rows} was due")
        self._rows = rows

    def _recover(self, error: BaseException) -> None:
        """Returns where reading on is worth another try; else raises the typed error."""
        self._reader = None
        if self._closed.is_set() or self._interrupted:
            return
        typed = error if isinstance(error, HeadraceError) else from_arrow(error)
        self._failures += 1
        if not self._may_pass(typed):
            raise typed from (typed.__cause__ if typed is error else error)
        if isinstance(typed, TicketExpiredError):
            self._expired = typed
        # The first attempt after a success follows at once: most breaks are a connection that was closed.
        if self._failures > 1:
            self._closed.wait(min(_BACKOFF_SECONDS_MAX, _BACKOFF_SECONDS * 2**self._failures))

    def _may_pass(self, error: HeadraceError) -> bool:
        """Whether the next attempt may end better."""
        now = time.monotonic()
        if self._failures == 1:
            self._failing_since = now
        if isinstance(error, UnavailableError):
            return now - self._failing_since < _PATIENCE_SECONDS
        if self._failures >= _ATTEMPTS:
            return False
        if isinstance(error, TicketExpiredError):
            # Unless it says why the ticket was not issued anew.
            return self._expired is None
        # Also what ends a stream whose reader was too slow: it may resume.
        return isinstance(error, LimitExceededError)
