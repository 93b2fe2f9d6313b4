"""A scan's plan: made once, pinned to its snapshot, and kept alive while its tickets expire."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Sequence
from typing import Any

import pyarrow.flight as fl

from headrace.connection import Connection
from headrace.errors import (
    ARROW_ERRORS,
    HeadraceError,
    InvalidRequestError,
    NotFoundError,
    TicketExpiredError,
    from_arrow,
)
from headrace.forking import gate

# A ticket with less than this share of its life left is renewed before a stream starts with it.
_RENEW_SHARE = 0.25

_State = tuple[Connection, dict[str, Any], bytes | None]


class Plan:
    """One request's plan. All of its streams read one snapshot with one schema under one decision of the policies."""

    def __init__(self, connection: Connection, request: dict[str, Any]) -> None:
        self.connection = connection
        self.request = request
        self._lock = threading.RLock()
        self._info: fl.FlightInfo | None = None
        self._generation = 0
        self._tickets: list[_Ticket] = []
        gate.register(self)

    def __getstate__(self) -> _State:
        return (self.connection, self.request, None if self._info is None else self._info.serialize())

    def __setstate__(self, state: _State) -> None:
        Plan.__init__(self, state[0], state[1])
        if state[2] is not None:
            self._keep(fl.FlightInfo.deserialize(state[2]))

    @property
    def info(self) -> fl.FlightInfo:
        """The FlightInfo; asked for at the first use."""
        with self._lock:
            if self._info is None:
                self._keep(self._ask(self.request))
            assert self._info is not None
            return self._info

    @property
    def facts(self) -> dict[str, Any]:
        """The FlightInfo's ``app_metadata``."""
        facts: dict[str, Any] = json.loads(self.info.app_metadata)
        return facts

    def ticket(self, at: int) -> tuple[fl.FlightEndpoint, int]:
        """The endpoint to start a stream with, renewed where it ends soon, and the generation of its cursors."""
        with self._lock:
            _ = self.info
            ticket = self._tickets[at]
            if ticket.expires_soon():
                self._tickets[at] = ticket = _Ticket(_renewed(self.connection, ticket.endpoint))
            return ticket.endpoint, self._generation

    def reissue(self, generation: int) -> bool:
        """New tickets for the very same streams, after those of ``generation`` expired.

        False where the policies' decision has changed, so that no stream may go on as it began. A plan is a pure
        function of snapshot, schema, request and decision, so an endpoint of the new one has the rows of the old one,
        in their order.
        """
        with self._lock:
            if generation != self._generation:
                return True
            before, endpoints = self.facts, len(self.info.endpoints)
            info = self._ask_again()
            same = json.loads(info.app_metadata)["policy_digest"] == before["policy_digest"]
            if same and len(info.endpoints) == endpoints:
                self._keep(info)
                return True
            return False

    def replan(self) -> None:
        """Plans the same snapshot again, under the policies of now: only before any row was handed out."""
        with self._lock:
            self._keep(self._ask_again())

    def interrupt(self) -> None:
        """See :class:`headrace.forking.Parkable`; its calls are short."""

    def park(self) -> bool:
        """See :class:`headrace.forking.Parkable`; it holds a lock alone."""
        return False

    def reset(self) -> None:
        """See :class:`headrace.forking.Parkable`."""
        self._lock = threading.RLock()

    def _ask_again(self) -> fl.FlightInfo:
        """The same snapshot, read with the same schema: as it was asked for if that still means them, else by id."""
        pinned = _version(self.facts)
        by_id = {**self.request, "at": {"snapshot_id": pinned[0]}}
        for request in (self.request,) if pinned[0] is None else (self.request, by_id):
            try:
                info = self._ask(request)
            except (InvalidRequestError, NotFoundError):
                # A column or a ref that is not called so any more; the other way of asking may still know it.
                if request is by_id:
                    raise
                continue
            if _version(json.loads(info.app_metadata)) == pinned:
                return info
        raise TicketExpiredError(
            "TICKET_EXPIRED",
            "the tickets have expired, and the table's schema has changed since they were made: scan again",
        )

    def _ask(self, request: dict[str, Any]) -> fl.FlightInfo:
        descriptor = fl.FlightDescriptor.for_command(json.dumps(request).encode())
        try:
            with gate.call():
                return self.connection.channel().get_flight_info(descriptor, self.connection.options())
        except ARROW_ERRORS as error:
            raise from_arrow(error) from error

    def _keep(self, info: fl.FlightInfo) -> None:
        self._info = info
        self._generation += 1
        self._tickets = [_Ticket(endpoint) for endpoint in info.endpoints]


def _version(facts: dict[str, Any]) -> tuple[str | None, int]:
    return facts["snapshot_id"], facts["schema_id"]


class _Ticket:
    """An endpoint and, by this process's own clock, when to renew it."""

    def __init__(self, endpoint: fl.FlightEndpoint) -> None:
        self.endpoint = endpoint
        expiry = endpoint.expiration_time
        self._renew_at: float | None = None
        if expiry is not None:
            life = (expiry.as_py() - dt.datetime.now(dt.UTC)).total_seconds()
            # Where the clocks disagree so much that it seems to be over, the server is asked once a second at most.
            self._renew_at = time.monotonic() + max(1.0, life * (1 - _RENEW_SHARE))

    def expires_soon(self) -> bool:
        return self._renew_at is not None and time.monotonic() > self._renew_at


def _renewed(connection: Connection, endpoint: fl.FlightEndpoint) -> fl.FlightEndpoint:
    """The endpoint with a later expiry; as it is where the server renews it no more: the stream will say why."""
    message = endpoint.serialize()
    # The request is a message of one field, the endpoint (Flight.proto, RenewFlightEndpointRequest).
    body = b"\x0a" + _varint(len(message)) + message
    try:
        with gate.call():
            results = list(connection.channel().do_action(("RenewFlightEndpoint", body), connection.options()))
    except ARROW_ERRORS as error:
        typed: HeadraceError = from_arrow(error)
        if isinstance(typed, TicketExpiredError):
            return endpoint
        raise typed from error
    return fl.FlightEndpoint.deserialize(results[0].body.to_pybytes())


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def part_of(count: int, index: int, of: int) -> Sequence[int]:
    """Which of ``count`` endpoints belong to part ``index`` of ``of``."""
    if not 0 <= index < of:
        raise ValueError(f"part {index} of {of}: parts are numbered from 0")
    return range(index, count, of)
