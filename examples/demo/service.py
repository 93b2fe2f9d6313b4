"""A Headrace server of the demo's own, and its command line."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import headrace

ROOT = Path(__file__).resolve().parents[2]
HEADRACE = ROOT / "bin" / "headrace"
_READY_SECONDS = 60
_STOP_SECONDS = 30


class Service:
    """Runs ``headrace serve`` on a data directory and free ports until the ``with`` block ends."""

    def __init__(self, data_dir: Path, policies: Path) -> None:
        self._data_dir = data_dir
        self._policies = policies
        self._log = data_dir.parent / "demo.log"
        # The demo is configured by its flags alone.
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        self.ports: dict[str, int] = {}

    def __enter__(self) -> Service:
        ports = ["--flight-port", "0", "--data-port", "0", "--http-port", "0"]
        command = [HEADRACE, "serve", "--data-dir", self._data_dir, "--policies", self._policies, *ports]
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=self._env)
        try:
            line = self._first_line()
        except BaseException:
            self._stop()
            raise
        if not line:
            self._stop()
            raise SystemExit(f"the server did not start; its log is {self._log}")
        self.ports = json.loads(line)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _first_line(self) -> str:
        assert self._process.stdout is not None
        # A server that hangs is ended, and with it the line that is waited for.
        timer = threading.Timer(_READY_SECONDS, self._process.kill)
        timer.start()
        try:
            return self._process.stdout.readline()
        finally:
            timer.cancel()

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, *args: str) -> Any:
        """A CLI command on the data directory, its JSON read; ends the demo when it fails."""
        command = [HEADRACE, *args, "--data-dir", self._data_dir, "--json"]
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=self._env)
        if result.returncode != 0:
            raise SystemExit(f"headrace {' '.join(args)}: {result.stderr.strip()}")
        return json.loads(result.stdout) if result.stdout.strip() else None

    def connect(self, principal: str, *teams: str) -> headrace.Client:
        """A client that acts as ``principal``, with a token of the embedded issuer."""
        team_flags = ["--teams", ",".join(teams)] if teams else []
        token = self.run("token", "--principal", principal, *team_flags)["token"]
        return headrace.connect(f"grpc://127.0.0.1:{self.ports['flight']}", token=token)
