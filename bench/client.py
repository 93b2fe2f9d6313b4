"""The measuring client, the same for Headrace and every rival: pyarrow.flight.
usage: client.py   Each line of standard input is a job's JSON: where to connect, `mode`, and what the mode needs.

Where: `uri`, `token` (or null), `roots` (PEM file of the authority for TLS, or null), `rewrite` (other addresses for those that
endpoints name, such as a proxy's; an address that it lacks is an error unless it is empty).

Modes
  hash      reads each endpoint once: {"rows", "bytes", "hash"}, the hash not depending on the order of rows or batches.
  locations gives the addresses that the endpoints of `request` name: {"locations": […]}.
  measure   connects, reads `warm` `warmScans` times per stream, prints {"ready": true}, and at the next line of input has each of
            `streams` threads read `request` `scans` times. Gives {"rows", "bytes", "wall_s", "client_cpu_s", "scan_ms": […]}; a scan is
            planned (GetFlightInfo) before it is read, and its time counts both. Bytes are decoded Arrow as received.
            `divide`: each thread asks for as many shards as there are threads and reads its own, instead of the whole.
            `oneConnection`: all threads share one connection for bulk calls, instead of having connections of their own.
            `firstOnly`: a scan ends with its first batch.
  stall     opens `streams` streams of `request` over `connections` connections, reads none of them, prints {"ready": true} and holds
            them until the next line of input: {"held": N}.
  plan      asks for `warm` once and then `calls` times for `request`, reading nothing: {"rows" (files that the plan kept), "bytes": 0, …}.
            `{call}` in the filter is another number in each call.
  resume    reads `request` once, then again until `until` of its `rows` have come, cancels, prints {"ready": true}, and at the next line
            of input reads the rest from the last batch's cursor: {"rows" (of the rest), "bytes", …}.
  put       sends the Arrow file `data` `times` times to the command `put` (JSON; its "table" and "idempotency_key" are completed):
            {"rows", "bytes", "wall_s", "client_cpu_s", "scan_ms"}, after the same {"ready": true}."""
import json
import sys
import threading
import time
import uuid

import pyarrow as pa
import pyarrow.flight as fl

from content_hash import ContentHash

REUSE = "arrow-flight-reuse-connection://?"


class Reader:
    """Connections to where one stream plans, and to where endpoints point."""

    def __init__(self, job: dict) -> None:
        self.uri = job["uri"]
        self.rewrite = job.get("rewrite") or {}
        token, roots = job.get("token"), job.get("roots")
        headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
        self.options = fl.FlightCallOptions(headers=headers)
        self.roots = None if roots is None else open(roots, "rb").read()
        self.clients: dict[str, fl.FlightClient] = {}
        self.only: str | None = None

    def connection(self, uri: str) -> fl.FlightClient:
        if uri not in self.clients:
            self.clients[uri] = fl.connect(uri, tls_root_certs=self.roots)
        return self.clients[uri]

    def bulk(self, endpoint: fl.FlightEndpoint) -> fl.FlightClient:
        return self.connection(self.only or self.address(endpoint))

    def address(self, endpoint: fl.FlightEndpoint) -> str:
        """Where an endpoint points; where one plans, if it names nothing else."""
        named = [location.uri.decode() for location in endpoint.locations]
        uri = next((uri for uri in named if uri != REUSE), None)
        if uri is None:
            return self.uri
        return self.rewrite[uri] if self.rewrite else uri

    def keep_to_first(self, request: dict) -> None:
        """From now on, all bulk calls go where the first endpoint of the request points."""
        self.only = self.address(self.plan(request).endpoints[0])

    def plan(self, request: dict) -> fl.FlightInfo:
        descriptor = fl.FlightDescriptor.for_command(json.dumps(request).encode())
        return self.connection(self.uri).get_flight_info(descriptor, self.options)

    def chunks(self, endpoint: fl.FlightEndpoint) -> fl.FlightStreamReader:
        return self.bulk(endpoint).do_get(endpoint.ticket, self.options)

    def scan(self, request: dict, part: tuple[int, int], first_only: bool) -> tuple[int, int]:
        rows = size = 0
        for endpoint in self.plan(request).endpoints[part[0] :: part[1]]:
            reader = self.chunks(endpoint)
            for chunk in reader:
                rows += chunk.data.num_rows
                size += chunk.data.nbytes
                if first_only:
                    reader.cancel()
                    return rows, size
        return rows, size


def timed(threads: int, work) -> tuple[float, float]:
    """Runs work(0), work(1) … at once; seconds of the clock and of this process's CPU."""
    failures: list[BaseException] = []

    def run(at: int) -> None:
        try:
            work(at)
        except BaseException as error:  # a thread's failure must fail the process
            failures.append(error)

    running = [threading.Thread(target=run, args=(at,)) for at in range(threads)]
    cpu, wall = time.process_time(), time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    spent = time.perf_counter() - wall, time.process_time() - cpu
    if failures:
        raise failures[0]
    return spent


def wait_for_go() -> None:
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.readline()


def measure(job: dict) -> dict:
    streams, first_only = job["streams"], job.get("firstOnly", False)
    divided = {"shards": streams} if job.get("divide") and streams > 1 else {}
    request, warm = ({**job[name], **divided} for name in ("request", "warm"))
    if job.get("oneConnection"):
        readers = [Reader(job)] * streams
        readers[0].keep_to_first(request)
    else:
        readers = [Reader(job) for _ in range(streams)]
    totals = [(0, 0)] * streams
    scan_ms: list[float] = []

    def stream(at: int, wanted: dict, scans: int) -> None:
        rows = size = 0
        part = (at, streams) if divided else (0, 1)
        for _ in range(scans):
            start = time.perf_counter()
            got = readers[at].scan(wanted, part, first_only)
            scan_ms.append((time.perf_counter() - start) * 1e3)
            rows, size = rows + got[0], size + got[1]
        totals[at] = (rows, size)

    timed(streams, lambda at: stream(at, warm, job["warmScans"]))
    scan_ms.clear()
    wait_for_go()
    wall_s, client_cpu_s = timed(streams, lambda at: stream(at, request, job["scans"]))
    rows, size = (sum(total[part] for total in totals) for part in (0, 1))
    return {"rows": rows, "bytes": size, "wall_s": wall_s, "client_cpu_s": client_cpu_s, "scan_ms": scan_ms}


def stall(job: dict) -> dict:
    readers = [Reader(job) for _ in range(job["connections"])]
    [endpoint] = readers[0].plan(job["request"]).endpoints
    held: list[fl.FlightStreamReader] = []
    counts = [job["streams"] // len(readers) + (at < job["streams"] % len(readers)) for at in range(len(readers))]
    timed(len(readers), lambda at: held.extend(readers[at].chunks(endpoint) for _ in range(counts[at])))
    wait_for_go()
    for reader in held:
        reader.cancel()
    return {"held": len(held)}


def put(job: dict) -> dict:
    reader = Reader(job)
    with pa.memory_map(job["data"]) as source:
        batches = pa.ipc.open_file(source)
        schema, parts = batches.schema, [batches.get_batch(at) for at in range(batches.num_record_batches)]
    rows, size = sum(part.num_rows for part in parts), sum(part.nbytes for part in parts)
    put_ms: list[float] = []

    def send(times: int) -> None:
        for _ in range(times):
            start = time.perf_counter()
            command = {**job["put"], "idempotency_key": str(uuid.uuid4())}
            descriptor = fl.FlightDescriptor.for_command(json.dumps(command).encode())
            writer, answers = reader.connection(reader.uri).do_put(descriptor, schema, reader.options)
            for part in parts:
                writer.write_batch(part)
            writer.done_writing()
            answer = answers.read()
            if answer is None or json.loads(answer.to_pybytes())["rows"] != rows:
                raise ValueError("the server did not say that it wrote every row")
            writer.close()
            put_ms.append((time.perf_counter() - start) * 1e3)

    wait_for_go()
    wall_s, client_cpu_s = timed(1, lambda _: send(job["times"]))
    counts = {"rows": rows * job["times"], "bytes": size * job["times"]}
    return {**counts, "wall_s": wall_s, "client_cpu_s": client_cpu_s, "scan_ms": put_ms}


CALLS = iter(range(1_000, 10**9))


def distinct(request: dict) -> dict:
    return {**request, "filter": request["filter"].replace("{call}", str(next(CALLS)))}


def plan(job: dict) -> dict:
    reader, plan_ms, files = Reader(job), [], 0
    reader.plan(distinct(job["warm"]) if "filter" in job["warm"] else job["warm"])

    def ask(_: int) -> None:
        nonlocal files
        for _ in range(job["calls"]):
            start = time.perf_counter()
            info = reader.plan(distinct(job["request"]))
            plan_ms.append((time.perf_counter() - start) * 1e3)
            files = json.loads(info.app_metadata)["files"]

    wait_for_go()
    wall_s, client_cpu_s = timed(1, ask)
    return {"rows": files, "bytes": 0, "wall_s": wall_s, "client_cpu_s": client_cpu_s, "scan_ms": plan_ms}


def resume(job: dict) -> dict:
    reader, rows, cursor = Reader(job), 0, ""
    [endpoint] = reader.plan(job["request"]).endpoints
    # Whoever serves this connection shall have read the footers: they are no part of what is read again.
    for _ in reader.chunks(endpoint):
        pass
    stream = reader.chunks(endpoint)
    for chunk in stream:
        rows += chunk.data.num_rows
        cursor = json.loads(chunk.app_metadata.to_pybytes())["cursor"]
        if rows >= job["until"]:
            stream.cancel()
            break
    rest = {"rows": 0, "bytes": 0}

    def read_rest(_: int) -> None:
        headers = [(b"authorization", f"Bearer {job['token']}".encode()), (b"headrace-cursor", cursor.encode())]
        for chunk in reader.bulk(endpoint).do_get(endpoint.ticket, fl.FlightCallOptions(headers=headers)):
            rest["rows"] += chunk.data.num_rows
            rest["bytes"] += chunk.data.nbytes

    wait_for_go()
    wall_s, client_cpu_s = timed(1, read_rest)
    if rows + rest["rows"] != job["rows"]:
        raise ValueError(f"{rows} rows before and {rest['rows']} after the interruption are not {job['rows']}")
    return {**rest, "wall_s": wall_s, "client_cpu_s": client_cpu_s, "scan_ms": [wall_s * 1e3]}


def content_hash(job: dict) -> dict:
    content, size, reader = ContentHash(), 0, Reader(job)
    for endpoint in reader.plan(job["request"]).endpoints:
        for chunk in reader.chunks(endpoint):
            content.add(chunk.data)
            size += chunk.data.nbytes
    return {"rows": content.rows, "bytes": size, "hash": content.hexdigest()}


def locations(job: dict) -> dict:
    endpoints = Reader(job).plan(job["request"]).endpoints
    named = {location.uri.decode() for endpoint in endpoints for location in endpoint.locations}
    return {"locations": sorted(named - {REUSE})}


MODES = {"hash": content_hash, "locations": locations, "measure": measure, "stall": stall, "plan": plan, "resume": resume, "put": put}

if __name__ == "__main__":
    # Not iterated over: iterating reads ahead, and a measurement waits for a line of its own.
    while line := sys.stdin.readline():
        job = json.loads(line)
        print(json.dumps(MODES[job["mode"]](job)), flush=True)
