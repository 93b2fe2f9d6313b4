"""A real Headrace server for tests: its own data directory, policies and ports."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import headrace

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = ROOT / "bin" / "headrace"
_READY_SECONDS = 60
_STOP_SECONDS = 30


class Server:
    """Runs ``bin/headrace serve`` as long as the ``with`` block lasts."""

    def __init__(
        self,
        home: Path,
        policies: Mapping[str, str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        flags: Sequence[str] = (),
        data_port: int = 0,
        scheme: str = "grpc",
        host: str = "127.0.0.1",
    ) -> None:
        self.data_dir = home / "data"
        self.policies_dir = home / "policies"
        self.policies_dir.mkdir(parents=True)
        for name, text in (policies or {}).items():
            (self.policies_dir / name).write_text(text, encoding="utf-8")
        self._log = home / "log"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        self._env = {**clean, **(env or {})}
        self._flags = ["--host", host, "--data-port", str(data_port), *flags]
        self._scheme, self._host = scheme, host
        self._tokens: dict[tuple[str, ...], str] = {}
        self.ports: dict[str, int] = {}

    def __enter__(self) -> Server:
        ports = ["--flight-port", "0", "--http-port", "0"]
        command = [
            LAUNCHER,
            "serve",
            "--data-dir",
            self.data_dir,
            "--policies",
            self.policies_dir,
            *ports,
            *self._flags,
        ]
        with open(self._log, "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=self._env)
        assert self._process.stdout is not None
        timer = threading.Timer(_READY_SECONDS, self._process.kill)
        timer.start()
        line = self._process.stdout.readline()
        timer.cancel()
        if not line:
            raise RuntimeError(f"the server did not start:\n{self.log()}")
        self.ports = json.loads(line)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def uri(self) -> str:
        """Where the service takes Flight calls."""
        return f"{self._scheme}://{self._host}:{self.ports['flight']}"

    def log(self) -> str:
        """What the server has logged so far."""
        return self._log.read_text(encoding="utf-8")

    def cli(self, *arguments: str) -> str:
        """Runs a command on the server's data directory."""
        command = [LAUNCHER, *arguments, "--data-dir", self.data_dir]
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=self._env)
        if result.returncode != 0:
            raise RuntimeError(f"headrace {' '.join(arguments)}: {result.stderr}")
        return result.stdout.strip()

    def token(self, principal: str, *teams: str) -> str:
        """A token of the embedded issuer."""
        known = self._tokens.get((principal, *teams))
        if known is None:
            team_flags = ["--teams", ",".join(teams)] if teams else []
            known = self.cli("token", "--principal", principal, *team_flags)
            self._tokens[(principal, *teams)] = known
        return known

    def client(self, principal: str = "root", *teams: str, uri: str | None = None) -> headrace.Client:
        """A client of ``principal``; without teams, of an administrator."""
        return headrace.connect(uri or self.uri, token=self.token(principal, *(teams or ("admin",))))

    def stop(self) -> None:
        """Ends the server; streams that run get a moment to finish."""
        if self._process.poll() is None:
            self._process.terminate()
            timer = threading.Timer(_STOP_SECONDS, self._process.kill)
            timer.start()
            self._process.wait()
            timer.cancel()
        if self._process.stdout is not None:
            self._process.stdout.close()
