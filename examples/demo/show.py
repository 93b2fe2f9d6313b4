"""What the demo prints."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

_COLOUR = sys.stdout.isatty()
_started = time.monotonic()


def _styled(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if _COLOUR else text


def step(title: str) -> None:
    print(f"\n{_styled('1', title)}  {_styled('2', f'[{time.monotonic() - _started:.1f} s]')}", flush=True)


def note(text: str) -> None:
    print(f"  {text}", flush=True)


def check(holds: bool, claim: str) -> None:
    """Prints a claim that was tried, and ends the demo where it does not hold."""
    mark = _styled("32", "✓") if holds else _styled("31", "✗")
    print(f"  {mark} {claim}", flush=True)
    if not holds:
        raise SystemExit(1)


def rows(table: pa.Table) -> None:
    """A few rows as aligned columns."""
    grid([table.column_names, *([str(value) for value in row.values()] for row in table.to_pylist())])


def grid(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    for number, line in enumerate(lines):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        print(f"    {_styled('2', text) if number == 0 else text}", flush=True)


def progress(batches: Iterable[pa.RecordBatch], total: int) -> Iterator[pa.RecordBatch]:
    """The batches, with a bar that follows them; a line for each quarter where the output is no terminal."""
    done, shown = 0, 0
    for batch in batches:
        yield batch
        done += batch.num_rows
        percent = 100 * done // total if total else 100
        if _COLOUR and percent != shown:
            print(f"\r  [{'█' * (percent * 40 // 100):<40}] {percent:3d} %  {done:,} rows", end="", flush=True)
        elif not _COLOUR and percent // 25 > shown // 25:
            note(f"{percent:3d} %  {done:,} rows sent")
        shown = percent
    if _COLOUR:
        print(flush=True)
