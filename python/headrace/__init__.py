"""Streams Arrow record batches from governed Apache Iceberg tables, at a pinned snapshot.

For example::

    client = headrace.connect("grpc://127.0.0.1:8815", token=token)
    for batch in client.scan("silver.flights", columns=["delay"], filter="delay > 10"):
        ...
"""

from headrace.client import Client, connect
from headrace.errors import (
    AlreadyExistsError,
    CancelledError,
    CommitConflictError,
    CommitUnknownError,
    CorruptFileError,
    DeadlineExceededError,
    GateFailedError,
    HeadraceError,
    InternalError,
    InvalidRequestError,
    LimitExceededError,
    NotFoundError,
    PermissionDeniedError,
    RevokedError,
    TicketExpiredError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedFeatureError,
)
from headrace.put import PutResult
from headrace.scan import Scan

__all__ = [
    "AlreadyExistsError",
    "CancelledError",
    "Client",
    "CommitConflictError",
    "CommitUnknownError",
    "CorruptFileError",
    "DeadlineExceededError",
    "GateFailedError",
    "HeadraceError",
    "InternalError",
    "InvalidRequestError",
    "LimitExceededError",
    "NotFoundError",
    "PermissionDeniedError",
    "PutResult",
    "RevokedError",
    "Scan",
    "TicketExpiredError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnsupportedFeatureError",
    "connect",
]
