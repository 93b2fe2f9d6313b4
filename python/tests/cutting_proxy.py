"""A TCP proxy that cuts connections after so many bytes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterable, Iterator


class CuttingProxy:
    """Listens on a port of 127.0.0.1 and forwards to ``target``, which may be set later.

    ``cut`` says after how many bytes from the server each of the next connections is reset; further ones last.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.target: tuple[str, int] = ("127.0.0.1", 0)
        self.cuts_made = 0
        self._lock = threading.Lock()
        self._cuts: Iterator[int] = iter(())
        self._open: set[socket.socket] = set()

    def __enter__(self) -> CuttingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut_all()

    def cut(self, after_bytes: Iterable[int]) -> None:
        """Cuts what is open, and then the next connections after so many bytes each."""
        with self._lock:
            self._cuts = iter(list(after_bytes))
            self.cuts_made = 0
        self.cut_all()

    def cut_all(self) -> None:
        """Resets every open connection."""
        with self._lock:
            sockets, self._open = self._open, set()
        for one in sockets:
            _reset(one)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except OSError:
                _reset(client)
                continue
            with self._lock:
                self._open |= {client, server}
                allowance = next(self._cuts, None)
            for source, sink, limit in ((client, server, None), (server, client, allowance)):
                threading.Thread(target=self._pump, args=(source, sink, limit), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        left = limit
        with contextlib.suppress(OSError):
            while data := source.recv(16_384 if left is None else min(16_384, left)):
                sink.sendall(data)
                if left is not None:
                    left -= len(data)
                    if left == 0:
                        self.cuts_made += 1
                        break
        with self._lock:
            self._open -= {source, sink}
        _reset(source)
        _reset(sink)


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Without lingering, closing sends a reset: what is on its way is lost, as with a crashed peer.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        one.close()
