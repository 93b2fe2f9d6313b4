"""Forks: gRPC's threads do not live on in a forked child, so a fork finds every channel closed.

Before a fork running streams are parked (they continue at their cursors afterwards, in the parent and in the child
alike), short calls are awaited, and all channels are closed, which ends gRPC's threads. Both processes then open
channels of their own.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_FORK_WAIT_SECONDS = 10.0

# gRPC ends its threads a moment after its last channel was closed; a child forked before that hangs in its first call.
_GRPC_END_SECONDS = 10.0
_GRPC_END_BLIND_SECONDS = 0.25
_GRPC_THREADS = frozenset({"event_engine", "grpc_global_tim", "lifeguard", "grpc_shutdown", "timer_manager"})
_TASKS = "/proc/self/task"


class Parkable(Protocol):
    """What holds resources of gRPC, or locks, between calls."""

    def interrupt(self) -> None:
        """Makes a call that may take long end soon."""

    def park(self) -> bool:
        """Gives up what it holds of gRPC; no call is running. True = there was something."""

    def reset(self) -> None:
        """In the child: makes locks anew that may have been copied while a thread of the parent held them."""


class ForkGate:
    """Counts the calls that are under way, and holds new ones back while the process forks."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls = 0
        self._writes = 0
        self._forking = False
        # Calls within calls of the same thread are part of them, and must not wait for a fork that waits for those.
        self._own = threading.local()
        self._parkables: weakref.WeakSet[Parkable] = weakref.WeakSet()
        # Set in a child whose parent could not close its channels: gRPC would hang here.
        self._refusal: str | None = None

    def register(self, parkable: Parkable) -> None:
        """Has ``parkable`` parked at each fork, as long as it lives."""
        with self._changed:
            self._parkables.add(parkable)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around each call that a fork waits for: short ones, and reads that :meth:`Parkable.interrupt` ends."""
        if getattr(self._own, "calling", False):
            yield
            return
        with self._changed:
            while self._forking:
                self._changed.wait()
            self._refuse()
            self._calls += 1
        self._own.calling = True
        try:
            yield
        finally:
            self._own.calling = False
            with self._changed:
                self._calls -= 1
                self._changed.notify_all()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Around each upload: a fork does not wait for it, and its child cannot make calls."""
        with self._changed:
            while self._forking:
                self._changed.wait()
            self._refuse()
            self._writes += 1
        try:
            yield
        finally:
            with self._changed:
                self._writes -= 1

    def _refuse(self) -> None:
        if self._refusal is not None:
            raise RuntimeError(self._refusal)

    def before_fork(self) -> None:
        deadline = time.monotonic() + _FORK_WAIT_SECONDS
        with self._changed:
            self._forking = True
            for parkable in list(self._parkables):
                parkable.interrupt()
            while self._calls > 0 and self._changed.wait(deadline - time.monotonic()):
                pass
            if self._calls == 0 and self._writes == 0:
                parked = [parkable.park() for parkable in list(self._parkables)]
                if any(parked):
                    _await_grpc_end()

    def after_fork_in_parent(self) -> None:
        with self._changed:
            self._forking = False
            self._changed.notify_all()

    def after_fork_in_child(self) -> None:
        if self._calls > 0 or self._writes > 0:
            what = "a put" if self._writes > 0 else "a call"
            self._refusal = (
                f"this process was forked while {what} to Headrace was under way in its parent, which gRPC does not "
                "survive: fork before or after, or use multiprocessing's spawn method"
            )
        # The lock may have been copied while another thread held it.
        self._changed = threading.Condition()
        self._calls = self._writes = 0
        self._forking = False
        for parkable in list(self._parkables):
            parkable.reset()


def _await_grpc_end() -> None:
    if not os.path.isdir(_TASKS):
        # Elsewhere than on Linux the threads cannot be seen, only given the time that they need.
        time.sleep(_GRPC_END_BLIND_SECONDS)
        return
    deadline = time.monotonic() + _GRPC_END_SECONDS
    while _grpc_threads() and time.monotonic() < deadline:
        time.sleep(0.002)


def _grpc_threads() -> bool:
    for task in os.listdir(_TASKS):
        try:
            with open(f"{_TASKS}/{task}/comm", encoding="utf-8") as file:
                if file.read().rstrip() in _GRPC_THREADS:
                    return True
        except OSError:
            # It has ended since it was listed.
            continue
    return False


gate = ForkGate()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=gate.before_fork,
        after_in_parent=gate.after_fork_in_parent,
        after_in_child=gate.after_fork_in_child,
    )
