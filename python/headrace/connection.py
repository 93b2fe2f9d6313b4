"""Flight channels, opened lazily and per process."""

from __future__ import annotations

import os
import threading

import pyarrow.flight as fl

REUSE_CONNECTION = "arrow-flight-reuse-connection://?"


class Connection:
    """The channels to one Headrace service. Safe to fork and to pickle: a channel is opened by the process that uses it."""

    def __init__(self, uri: str, token: str | None, tls_ca: bytes | None) -> None:
        self.uri = uri
        self.token = token
        self.tls_ca = tls_ca
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._channels: dict[str, fl.FlightClient] = {}
        # gRPC cannot close a channel that another process opened, so a forked child keeps its parent's alive and unused.
        self._inherited: list[dict[str, fl.FlightClient]] = []

    def __getstate__(self) -> tuple[str, str | None, bytes | None]:
        return (self.uri, self.token, self.tls_ca)

    def __setstate__(self, state: tuple[str, str | None, bytes | None]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def channel(self, uri: str | None = None) -> fl.FlightClient:
        """The channel to ``uri`` (default: the service itself)."""
        uri = uri or self.uri
        if self._owner != os.getpid():
            self._inherited.append(self._channels)
            self._lock, self._owner, self._channels = threading.Lock(), os.getpid(), {}
        with self._lock:
            channel = self._channels.get(uri)
            if channel is None:
                options = {} if self.tls_ca is None else {"tls_root_certs": self.tls_ca}
                channel = self._channels[uri] = fl.FlightClient(uri, **options)
            return channel

    def options(self, headers: dict[str, str] | None = None, timeout: float | None = None) -> fl.FlightCallOptions:
        pairs = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        if self.token is not None:
            pairs.append((b"authorization", f"Bearer {self.token}".encode()))
        return fl.FlightCallOptions(headers=pairs, timeout=timeout)

    def close(self) -> None:
        if self._owner != os.getpid():
            return
        with self._lock:
            channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.close()
