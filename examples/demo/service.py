"""A Headrace server of the demo's own, and its command line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import headrace

ROOT = Path(__file__).resolve().parents[2]
HEADRACE = ROOT / "bin" / "headrace"


class Service:
    """Runs ``headrace serve`` on a data directory and free ports until the ``with`` block ends."""

    def __init__(self, data_dir: Path, policies: Path) -> None:
        self._data_dir = data_dir
        self._policies = policies

    def __enter__(self) -> Service:
        ports = ["--flight-port", "0", "--data-port", "0", "--http-port", "0"]
        self._log = (self._data_dir.parent / "demo.log").open("w")
        self._process = subprocess.Popen(
            [HEADRACE, "serve", "--data-dir", self._data_dir, "--policies", self._policies, *ports],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the server did not start; its log is {self._log.name}")
        self.ports: dict[str, int] = json.loads(line)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)
        self._log.close()

    def run(self, *args: str) -> Any:
        """A CLI command on the data directory, its JSON read; ends the demo when it fails."""
        command = [HEADRACE, *args, "--data-dir", self._data_dir, "--json"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SystemExit(f"headrace {' '.join(args)}: {result.stderr.strip()}")
        return json.loads(result.stdout) if result.stdout.strip() else None

    def connect(self, principal: str, *teams: str) -> headrace.Client:
        """A client that acts as ``principal``, with a token of the embedded issuer."""
        team_flags = ["--teams", ",".join(teams)] if teams else []
        token = self.run("token", "--principal", principal, *team_flags)["token"]
        return headrace.connect(f"grpc://127.0.0.1:{self.ports['flight']}", token=token)
