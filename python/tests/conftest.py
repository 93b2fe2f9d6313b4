"""The server that most tests share, and tables of their own."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from cutting_proxy import CuttingProxy
from headrace_server import Server

import headrace

# Readers see the rows of group a and b, and tails of the names; writers may write without reading.
POLICIES = {
    "lake.cedar": """
@filter("kind IN ('a', 'b')")
permit (principal in Team::"readers", action == Action::"readTable", resource in Namespace::"lake");
permit (principal in Team::"readers", action == Action::"readColumn", resource in Namespace::"lake")
  unless { resource.tags.contains("pii") };
@mask("show-last-4")
permit (principal in Team::"readers", action == Action::"readColumn", resource in Namespace::"lake")
  when { resource.tags.contains("pii") };
permit (principal in Team::"lookers", action == Action::"discover", resource in Namespace::"lake");
""",
}

# Addresses of this machine that are not 127.0.0.1, where proxies listen on the server's own port.
SECOND_LOOPBACK = "::1" if sys.platform == "darwin" else "127.0.0.2"

_numbers = itertools.count()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that tests share when they do not disturb it."""
    with Server(tmp_path_factory.mktemp("server"), POLICIES) as running:
        running.cli("create-namespace", "lake")
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> headrace.Client:
    """An administrator's client of the shared server."""
    return server.client()


@pytest.fixture
def new_table() -> Callable[[], str]:
    """Names of tables that do not exist yet."""
    return lambda: f"lake.t{next(_numbers)}"


def samples(rows: int, seed: int = 1) -> pa.Table:
    """Rows of several types: ``id`` counts up, ``kind`` is one of four, some values are null."""
    pick = np.random.default_rng(seed)
    score = pick.normal(size=rows)
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "kind": pa.array(pick.choice(["a", "b", "c", "d"], rows), pa.string()),
            "score": pa.array(score, mask=score > 1.5),
            "name": pa.array([f"name-{number:08}" for number in pick.integers(0, 1 << 26, rows)], pa.string()),
        }
    )


@pytest.fixture(scope="session")
def lake(client: headrace.Client) -> tuple[str, pa.Table]:
    """A table of 40,000 rows in several files, and its rows in the order of ``id``."""
    rows = samples(40_000)
    client.put("lake.shared", rows, mode="create", partition_by=["kind"])
    return "lake.shared", rows


@dataclass(frozen=True)
class Cut:
    """A server behind proxies."""

    server: Server
    control: CuttingProxy
    data: CuttingProxy
    table: str
    rows: pa.Table

    @property
    def uri(self) -> str:
        """The service as its callers see it."""
        return f"grpc://127.0.0.1:{self.control.port}"

    def client(self, *teams: str) -> headrace.Client:
        """A client that reaches the service through the proxies alone."""
        return self.server.client("cut", *teams, uri=self.uri)


@pytest.fixture(scope="session")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cut]:
    """A server that is reached through proxies alone, streams too. In its table the column ``name`` is tagged pii."""
    home: Path = tmp_path_factory.mktemp("cut")
    with CuttingProxy() as control, CuttingProxy() as data:
        env = {"HEADRACE_FLIGHT_ADVERTISED_HOST": "127.0.0.1"}
        with Server(home, POLICIES, env=env, data_port=data.port, host=SECOND_LOOPBACK) as server:
            control.target = (SECOND_LOOPBACK, server.ports["flight"])
            data.target = (SECOND_LOOPBACK, server.ports["data"])
            server.cli("create-namespace", "lake")
            rows = samples(60_000)
            cut = Cut(server, control, data, "lake.cut", rows)
            cut.client().put(cut.table, rows, mode="create", partition_by=["kind"])
            server.cli("tag", f"{cut.table}.name", "pii")
            yield cut
