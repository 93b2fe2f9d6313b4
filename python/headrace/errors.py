"""Exceptions that carry the server's error codes (docs/errors.md)."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.flight as fl


class HeadraceError(Exception):
    """A call that the server refused or that did not reach it. ``code`` is one of docs/errors.md."""

    code: str

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type[HeadraceError], tuple[str, str]]:
        return (type(self), (self.code, self.message))


class InvalidRequestError(HeadraceError):
    """INVALID_REQUEST, INVALID_FILTER, UNKNOWN_COLUMN, SCHEMA_MISMATCH, INVALID_POLICY: it will fail again."""


class NotFoundError(HeadraceError):
    """NOT_FOUND: absent, or not visible to the caller."""


class UnauthenticatedError(HeadraceError):
    """UNAUTHENTICATED: no token, or one that is not accepted."""


class PermissionDeniedError(HeadraceError):
    """PERMISSION_DENIED or TICKET_INVALID."""


class RevokedError(PermissionDeniedError):
    """REVOKED: the rights were withdrawn, or changed while the stream ran."""


class TicketExpiredError(HeadraceError):
    """TICKET_EXPIRED: plan again."""


class UnsupportedFeatureError(HeadraceError):
    """UNSUPPORTED_FEATURE."""


class GateFailedError(HeadraceError):
    """GATE_FAILED: a quality gate refused."""


class CommitConflictError(HeadraceError):
    """COMMIT_CONFLICT: another writer was first; read again, then retry."""


class CommitUnknownError(HeadraceError):
    """COMMIT_UNKNOWN: the outcome is not known; repeat with the same idempotency key."""


class AlreadyExistsError(HeadraceError):
    """ALREADY_EXISTS."""


class LimitExceededError(HeadraceError):
    """LIMIT_EXCEEDED: later, or smaller."""


class UnavailableError(HeadraceError):
    """UNAVAILABLE or POLICY_UNAVAILABLE: try again later. Also a connection that could not be made or broke."""


class CancelledError(HeadraceError):
    """CANCELLED: somebody ended the call or its plan."""


class DeadlineExceededError(HeadraceError):
    """DEADLINE_EXCEEDED."""


class CorruptFileError(HeadraceError):
    """CORRUPT_FILE: a data or metadata file cannot be read as what it claims to be."""


class InternalError(HeadraceError):
    """INTERNAL: a fault of the server (its message has an id for the operator) or of this client."""


_CLASSES: dict[str, type[HeadraceError]] = {
    "INVALID_REQUEST": InvalidRequestError,
    "INVALID_FILTER": InvalidRequestError,
    "UNKNOWN_COLUMN": InvalidRequestError,
    "SCHEMA_MISMATCH": InvalidRequestError,
    "INVALID_POLICY": InvalidRequestError,
    "NOT_FOUND": NotFoundError,
    "UNAUTHENTICATED": UnauthenticatedError,
    "PERMISSION_DENIED": PermissionDeniedError,
    "REVOKED": RevokedError,
    "TICKET_INVALID": PermissionDeniedError,
    "TICKET_EXPIRED": TicketExpiredError,
    "GATE_FAILED": GateFailedError,
    "UNSUPPORTED_FEATURE": UnsupportedFeatureError,
    "COMMIT_CONFLICT": CommitConflictError,
    "COMMIT_UNKNOWN": CommitUnknownError,
    "ALREADY_EXISTS": AlreadyExistsError,
    "LIMIT_EXCEEDED": LimitExceededError,
    "UNAVAILABLE": UnavailableError,
    "POLICY_UNAVAILABLE": UnavailableError,
    "CANCELLED": CancelledError,
    "DEADLINE_EXCEEDED": DeadlineExceededError,
    "CORRUPT_FILE": CorruptFileError,
    "INTERNAL": InternalError,
}

_CODED = re.compile(r"\b(" + "|".join(_CLASSES) + r"): (.*)", re.DOTALL)
# What pyarrow and gRPC append to the server's own message, with the full stop that they put before it.
_CLIENT_CONTEXT = re.compile(r"(\.\s+)?(gRPC client debug context:|Client context:|Detail: ).*", re.DOTALL)

# Arrow errors without a code of ours come from the connection, not from the server's decision.
_BROKEN_CONNECTION = (
    fl.FlightUnavailableError,
    fl.FlightInternalError,
    fl.FlightServerError,
    fl.FlightCancelledError,
    fl.FlightTimedOutError,
    pa.ArrowIOError,
)

# What pyarrow's Flight calls raise.
ARROW_ERRORS = (pa.ArrowException, fl.FlightError, OSError)


def from_arrow(error: BaseException) -> HeadraceError:
    """The typed exception for what pyarrow raised; raise it ``from`` the original."""
    text = _CLIENT_CONTEXT.sub("", str(error)).strip()
    coded = _CODED.search(text)
    if coded:
        code = coded.group(1)
        return _CLASSES[code](code, coded.group(2).strip())
    if isinstance(error, fl.FlightUnauthenticatedError):
        return UnauthenticatedError("UNAUTHENTICATED", text)
    if isinstance(error, _BROKEN_CONNECTION):
        return UnavailableError("UNAVAILABLE", text)
    return InternalError("INTERNAL", text)
