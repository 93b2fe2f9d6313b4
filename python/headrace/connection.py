"""Flight channels, opened lazily and per process."""

from __future__ import annotations

import threading
from typing import Any

import pyarrow.flight as fl

from headrace.forking import gate

_REUSE_CONNECTION = "arrow-flight-reuse-connection:"
_TLS_SCHEME = "grpc+tls:"

# A broken connection is tried again soon, and a peer that vanished without a word is noticed while a stream waits for
# it.
_CHANNEL_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]


class Connection:
    """The channels to one Headrace service. Safe to share between threads, to fork and to pickle, token included."""

    def __init__(self, uri: str, token: str | None, tls_ca: bytes | None) -> None:
        if token is not None:
            token = token.strip()
            if not token or any(not "!" <= char <= "~" for char in token):
                raise ValueError("token is not one: a token has only printable ASCII characters")
        self.uri = uri
        self._token = token
        self._tls_ca = tls_ca
        self._lock = threading.Lock()
        self._channels: dict[str, fl.FlightClient] = {}
        gate.register(self)

    def __getstate__(self) -> tuple[str, str | None, bytes | None]:
        return (self.uri, self._token, self._tls_ca)

    def __setstate__(self, state: tuple[str, str | None, bytes | None]) -> None:
        Connection.__init__(self, *state)

    def __repr__(self) -> str:
        return f"Connection({self.uri!r})"

    def channel(self, uri: str | None = None) -> fl.FlightClient:
        """The channel to ``uri`` (default: the service itself). To be used under :data:`headrace.forking.gate`."""
        uri = uri or self.uri
        with self._lock:
            channel = self._channels.get(uri)
            if channel is None:
                options: dict[str, Any] = {"generic_options": _CHANNEL_OPTIONS}
                if self._tls_ca is not None:
                    options["tls_root_certs"] = self._tls_ca
                channel = self._channels[uri] = fl.FlightClient(uri, **options)
            return channel

    def location(self, endpoint: fl.FlightEndpoint, attempt: int) -> str | None:
        """Where to read ``endpoint``: its locations in turn, attempt by attempt; None = the service itself.

        A service that is reached through TLS does not send its callers' tokens elsewhere in the clear.
        """
        uris = [location.uri.decode() for location in endpoint.locations]
        if self.uri.startswith(_TLS_SCHEME):
            uris = [uri for uri in uris if uri.startswith((_TLS_SCHEME, _REUSE_CONNECTION))]
        if not uris:
            return None
        uri = uris[attempt % len(uris)]
        return None if uri.startswith(_REUSE_CONNECTION) else uri

    def options(self, headers: dict[str, str] | None = None) -> fl.FlightCallOptions:
        """Call options with the token and ``headers``."""
        pairs = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        if self._token is not None:
            pairs.append((b"authorization", f"Bearer {self._token}".encode()))
        return fl.FlightCallOptions(headers=pairs)

    def close(self) -> None:
        """Closes the channels of this process; the next call opens them again."""
        self.park()

    def interrupt(self) -> None:
        """See :class:`headrace.forking.Parkable`; its calls are short."""

    def park(self) -> bool:
        """See :class:`headrace.forking.Parkable`."""
        with self._lock:
            channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.close()
        return len(channels) > 0

    def reset(self) -> None:
        """See :class:`headrace.forking.Parkable`."""
        self._lock = threading.Lock()
