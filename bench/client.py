"""The measuring client, the same for Headrace and every rival: pyarrow.flight.
usage: client.py   Each line of standard input is a job's JSON: uri, token (or null), request, mode, and what the mode needs.

Mode `hash` reads each endpoint once and prints {"rows", "bytes", "hash"}, the hash not depending on the order of rows or batches.
Mode `measure` (streams, scans, warm, warmScans) connects, reads `warm` `warmScans` times per stream, prints {"ready": true}, and at the next line of input has each stream read
the scan `scans` times; each stream is a thread with connections of its own. It prints {"rows", "bytes", "wall_s",
"client_cpu_s", "scan_ms": […]}; a scan is planned (GetFlightInfo) before it is read, and its time counts both. Bytes are decoded
Arrow as received (RecordBatch.nbytes)."""
import json
import sys
import threading
import time

import pyarrow.flight as fl

from content_hash import ContentHash

REUSE = b"arrow-flight-reuse-connection://?"


class Reader:
    """One stream's connections: to where it plans, and to where endpoints point."""

    def __init__(self, uri: str, token: str | None) -> None:
        self.uri = uri
        headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
        self.options = fl.FlightCallOptions(headers=headers)
        self.clients = {uri: fl.connect(uri)}

    def client(self, endpoint: fl.FlightEndpoint) -> fl.FlightClient:
        named = [location.uri for location in endpoint.locations if location.uri != REUSE]
        uri = named[0].decode() if named else self.uri
        if uri not in self.clients:
            self.clients[uri] = fl.connect(uri)
        return self.clients[uri]

    def batches(self, request: dict):
        descriptor = fl.FlightDescriptor.for_command(json.dumps(request).encode())
        info = self.clients[self.uri].get_flight_info(descriptor, self.options)
        for endpoint in info.endpoints:
            for chunk in self.client(endpoint).do_get(endpoint.ticket, self.options):
                yield chunk.data

    def scan(self, request: dict) -> tuple[int, int]:
        rows = size = 0
        for batch in self.batches(request):
            rows += batch.num_rows
            size += batch.nbytes
        return rows, size


def measure(job: dict) -> dict:
    readers = [Reader(job["uri"], job["token"]) for _ in range(job["streams"])]
    totals = [(0, 0)] * len(readers)
    scan_ms: list[float] = []
    failures: list[BaseException] = []

    def stream(at: int, request: dict, scans: int) -> None:
        try:
            rows = size = 0
            for _ in range(scans):
                start = time.perf_counter()
                got = readers[at].scan(request)
                scan_ms.append((time.perf_counter() - start) * 1e3)
                rows, size = rows + got[0], size + got[1]
            totals[at] = (rows, size)
        except BaseException as error:  # a thread's failure must fail the process
            failures.append(error)

    def all_streams(request: dict, scans: int) -> None:
        threads = [threading.Thread(target=stream, args=(at, request, scans)) for at in range(len(readers))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    all_streams(job["warm"], job["warmScans"])
    scan_ms.clear()
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.readline()
    cpu, wall = time.process_time(), time.perf_counter()
    all_streams(job["request"], job["scans"])
    wall_s, client_cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    rows, size = (sum(total[part] for total in totals) for part in (0, 1))
    return {"rows": rows, "bytes": size, "wall_s": wall_s, "client_cpu_s": client_cpu_s, "scan_ms": scan_ms}


def content_hash(job: dict) -> dict:
    content = ContentHash()
    size = 0
    for batch in Reader(job["uri"], job["token"]).batches(job["request"]):
        content.add(batch)
        size += batch.nbytes
    return {"rows": content.rows, "bytes": size, "hash": content.hexdigest()}


if __name__ == "__main__":
    # Not iterated over: iterating reads ahead, and a measurement waits for a line of its own.
    while line := sys.stdin.readline():
        job = json.loads(line)
        answer = content_hash(job) if job["mode"] == "hash" else measure(job)
        print(json.dumps(answer), flush=True)
