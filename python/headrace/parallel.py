"""Several streams read at once, ahead of their consumer, within a bound of bytes."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence

import pyarrow as pa

from headrace.errors import HeadraceError, InternalError
from headrace.stream import EndpointStream

# Streams of one scan that are open at once.
STREAMS_MAX = 16


class ParallelStreams:
    """Threads that read streams ahead of the consumer. To be used as a context manager, and iterated once."""

    def __init__(self, streams: Sequence[EndpointStream], *, ordered: bool, buffer_bytes: int) -> None:
        self._streams = streams
        self._ordered = ordered
        self._owner = os.getpid()
        self._changed = threading.Condition()
        self._stopped = False
        self._batches: list[deque[pa.RecordBatch]] = [deque() for _ in streams]
        self._held = [0] * len(streams)
        self._done = [False] * len(streams)
        self._error: BaseException | None = None
        self._next_stream = 0
        # Where the last batch came from, so that streams take turns.
        self._turn = -1
        self._threads = [
            threading.Thread(target=self._work, daemon=True, name=f"headrace-scan-{at}")
            for at in range(min(len(streams), STREAMS_MAX))
        ]
        # A share for each open stream, so that the one whose turn it is always gets on.
        self._share = max(1, buffer_bytes // len(self._threads))

    def __enter__(self) -> ParallelStreams:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._owner != os.getpid():
            return
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for stream in self._streams:
            stream.close()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        try:
            while (at := self._claim()) is not None:
                self._read(at)
        except BaseException as error:
            # A thread's failure belongs to the consumer.
            with self._changed:
                self._error = self._error or error
                self._stopped = True
                self._changed.notify_all()

    def _claim(self) -> int | None:
        with self._changed:
            at = self._next_stream
            if self._stopped or at >= len(self._streams):
                return None
            self._next_stream += 1
            return at

    def _read(self, at: int) -> None:
        for batch in self._streams[at]:
            if batch.num_rows == 0:
                continue
            with self._changed:
                while self._held[at] >= self._share and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                self._batches[at].append(batch)
                self._held[at] += batch.nbytes
                self._changed.notify_all()
        with self._changed:
            self._done[at] = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while True:
            if self._owner != os.getpid():
                raise RuntimeError(
                    "this iteration belongs to the process that began it: iterate the scan anew after a fork"
                )
            with self._changed:
                while (at := self._ready()) is None:
                    if self._error is not None:
                        raise _for_consumer(self._error)
                    if all(self._done):
                        return
                    self._changed.wait()
                self._turn = at
                batch = self._batches[at].popleft()
                self._held[at] -= batch.nbytes
                self._changed.notify_all()
            yield batch

    def _ready(self) -> int | None:
        """The stream to take the next batch from, or None while there is none."""
        if self._error is not None:
            return None
        count = len(self._streams)
        if not self._ordered:
            turns = (at % count for at in range(self._turn + 1, self._turn + 1 + count))
            return next((at for at in turns if self._batches[at]), None)
        for at in range(max(self._turn, 0), count):
            if self._batches[at]:
                return at
            if not self._done[at]:
                return None
        return None


def _for_consumer(error: BaseException) -> BaseException:
    if isinstance(error, (HeadraceError, RuntimeError, MemoryError)):
        return error
    wrapped = InternalError("INTERNAL", f"reading failed: {error}")
    wrapped.__cause__ = error
    return wrapped
