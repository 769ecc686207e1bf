"""A worker process, for its tests."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from command_line import ENVIRONMENT

from deepreg_engine.methods.dense.presets import dense_preset

posix = pytest.mark.skipif(sys.platform == "win32", reason="process groups and signals are POSIX")
QUICK = dense_preset("quick").parameters.to_dict()


class Process:
    """A worker process and the events that it has sent."""

    def __init__(self, *arguments: str, environment: dict[str, str] | None = None, folder: Path | None = None) -> None:
        command = [sys.executable, "-m", "deepreg_engine", "worker", *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment or ENVIRONMENT, cwd=folder
        )
        self.events: queue.Queue = queue.Queue()
        self.log: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_log, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.events.put(json.loads(line))  # every line of stdout belongs to the protocol

    def _read_log(self) -> None:
        for line in self.process.stderr:
            self.log.append(line.decode())

    def send(self, line: object) -> None:
        data = line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def next(self, seconds: float = 60.0) -> dict:
        return self.events.get(timeout=seconds)

    def until(self, *kinds: str, number: object = None, seconds: float = 120.0) -> list[dict]:
        """Return all events up to the first of some kinds, only those of one request if a number is given."""
        found = []
        end = time.monotonic() + seconds
        while True:
            event = self.next(max(0.01, end - time.monotonic()))
            if number is None or event["id"] == number:
                found.append(event)
                if event["kind"] in kinds:
                    return found

    def ask(self, operation: str, number: object = 1, **arguments: object) -> dict:
        self.send({"id": number, "op": operation, "arguments": arguments})
        return self.until("result", "error", number=number)[-1]


def dense_arguments(folder: Path, output: Path, **more: object) -> dict:
    return {
        "fixed": str(folder / "fixed.nii.gz"),
        "moving": str(folder / "moving.nii.gz"),
        "transform": str(output / "t.nrrd"),
        "parameters": QUICK,
        "preset": "quick",
        **more,
    }
