"""Real Flight clients under the command of a test.

Reads one JSON command a line: {"id", "op", …arguments}; answers {"id", "value"} or {"id", "error": {"code", "message",
"kind"}}. Every command runs in a thread of its own, so that slow streams and fast ones go on side by side.
"""

import base64
import datetime as dt
import hashlib
import json
import os
import re
import sys
import threading
import time

import pyarrow as pa
import pyarrow.flight as fl
import samples

channels = {}
streams = {}
lock = threading.Lock()


def channel(args, port="port"):
    """One channel for each port and `connection`, which a test names where it wants several."""
    key = (args[port], args.get("connection", 0))
    with lock:
        if key not in channels:
            # A window that grew with the delays of a busy machine would take a whole stream from a server whose reader takes nothing.
            options = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
            channels[key] = fl.FlightClient(f"grpc://127.0.0.1:{key[0]}", generic_options=options)
        return channels[key]


def bulk(args):
    """The channel of the calls that carry data."""
    return channel(args, "bulk")


def options(args):
    headers = [(name.encode(), value.encode()) for name, value in args.get("headers", {}).items()]
    if args.get("token") is not None:
        headers.append((b"authorization", f"Bearer {args['token']}".encode()))
    return fl.FlightCallOptions(headers=headers, timeout=args.get("timeout"))


def descriptor(args):
    if "path" in args:
        return fl.FlightDescriptor.for_path(*args["path"])
    return fl.FlightDescriptor.for_command(json.dumps(args["request"]).encode())


def write(args, data, mode, more=None):
    request = {"table": args["table"], "mode": mode, **(more or {})}
    writer, reader = bulk(args).do_put(
        fl.FlightDescriptor.for_command(json.dumps(request)), data.schema, options(args)
    )
    with writer:
        writer.write_table(data, max_chunksize=args.get("chunk_rows", 10_000))
        writer.done_writing()
        return json.loads(reader.read().to_pybytes())


def schema_of(schema):
    return [f"{field.name}: {field.type}{'' if field.nullable else ' not null'}" for field in schema]


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (dt.date, dt.datetime, dt.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def flight_info(args):
    return channel(args).get_flight_info(descriptor(args), options(args))


def describe_info(info):
    return {
        "schema": schema_of(info.schema),
        "total_records": info.total_records,
        "total_bytes": info.total_bytes,
        "tickets": [base64.b64encode(endpoint.ticket.ticket).decode() for endpoint in info.endpoints],
        "metadata": json.loads(info.app_metadata or b"{}"),
        "path": [part.decode() for part in info.descriptor.path or []],
        "bytes": base64.b64encode(info.serialize()).decode(),
    }


def open_reader(args):
    """A stream of `ticket`, or of the only endpoint of `request`, or of an exchange of it."""
    if "ticket" in args:
        return bulk(args).do_get(fl.Ticket(base64.b64decode(args["ticket"])), options(args))
    if args.get("exchange"):
        writer, reader = bulk(args).do_exchange(descriptor(args), options(args))
        writer.done_writing()
        # The reader ends with its writer, so that it must live as long.
        reader_writers[id(reader)] = writer
        return reader
    return bulk(args).do_get(flight_info(args).endpoints[0].ticket, options(args))


reader_writers = {}


def batch_digest(batch):
    """Of every byte of the batch as the server sent it: buffers, validity, dictionaries."""
    digest = hashlib.sha256(batch.serialize())
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            digest.update(json.dumps(column.dictionary.to_pylist()).encode())
    return digest.hexdigest()


def chunk_of(chunk, args):
    metadata = json.loads(chunk.app_metadata.to_pybytes())
    answer = {"rows": chunk.data.num_rows, "bytes": chunk.data.nbytes, **metadata}
    if args.get("ids"):
        answer["ids"] = chunk.data.column(args["ids"]).to_pylist()
    if args.get("digests"):
        answer["digest"] = batch_digest(chunk.data)
    return answer


class Ops:
    @staticmethod
    def put(args):
        data = samples.make(args["sample"], **args.get("with", {}))
        more = {name: args[name] for name in ("partition_by", "overwrite_filter", "idempotency_key") if name in args}
        return write(args, data, args.get("mode", "append"), more)

    @staticmethod
    def put_rows(args):
        """Appends what another scan answered: `source`'s rows, as they were received."""
        info = channel(args).get_flight_info(descriptor({"request": args["source"]}), options(args))
        data = bulk(args).do_get(info.endpoints[0].ticket, options(args)).read_all()
        return write(args, data, args["mode"])

    @staticmethod
    def put_json(args):
        """Appends `rows`, whose types are pyarrow's guesses unless `types` names them."""
        types = args.get("types", {})
        guessed = pa.Table.from_pylist(args["rows"])
        fields = [pa.field(f.name, getattr(pa, types[f.name])() if f.name in types else f.type) for f in guessed.schema]
        data = pa.Table.from_pylist(args["rows"], schema=pa.schema(fields))
        return write(args, data, args.get("mode", "append"))

    @staticmethod
    def info(args):
        return describe_info(flight_info(args))

    @staticmethod
    def scan(args):
        """All rows of a request, endpoint after endpoint."""
        info = flight_info(args)
        batches, rows = [], []
        for endpoint in info.endpoints:
            for chunk in bulk(args).do_get(endpoint.ticket, options(args)):
                batches.append(chunk.data.num_rows)
                rows.extend(chunk.data.to_pylist())
        return {**describe_info(info), "batches": batches, "rows": plain(rows)}

    @staticmethod
    def exchange(args):
        writer, reader = bulk(args).do_exchange(descriptor(args), options(args))
        writer.done_writing()
        chunks = list(reader)
        rows = [row for chunk in chunks for row in chunk.data.to_pylist()]
        answer = {"schema": schema_of(reader.schema), "batches": [c.data.num_rows for c in chunks], "rows": plain(rows)}
        writer.close()
        return answer

    @staticmethod
    def batches(args):
        """Rows, bytes, cursors (and ids or digests where asked for) of the stream's batches."""
        return [chunk_of(chunk, args) for chunk in open_reader(args)]

    @staticmethod
    def raw(args):
        """The buffers of a stream, as pyarrow received them."""
        buffers = []
        for chunk in open_reader(args):
            for column in chunk.data.columns:
                buffers.extend(base64.b64encode(buffer.to_pybytes()).decode() for buffer in column.buffers() if buffer)
                if pa.types.is_dictionary(column.type):
                    words = json.dumps(column.dictionary.to_pylist())
                    buffers.append(base64.b64encode(words.encode()).decode())
        return buffers

    @staticmethod
    def schema(args):
        return schema_of(channel(args).get_schema(descriptor(args), options(args)).schema)

    @staticmethod
    def tables(args):
        flights = channel(args).list_flights(args.get("criteria", "").encode(), options(args))
        return [describe_info(info) for info in flights]

    @staticmethod
    def action(args):
        body = base64.b64decode(args["body"]) if "body" in args else json.dumps(args["json"]).encode()
        results = [result.body.to_pybytes() for result in channel(args).do_action((args["type"], body), options(args))]
        if "body" in args:
            return [base64.b64encode(result).decode() for result in results]
        return json.loads(results[0])

    @staticmethod
    def open(args):
        """Starts a stream that `read` continues; gives its first batch."""
        reader = open_reader(args)
        streams[args["stream"]] = reader
        return chunk_of(reader.read_chunk(), args)

    @staticmethod
    def read(args):
        """Reads `count` more batches (default: all), one every `pause` seconds."""
        reader, chunks = streams[args["stream"]], []
        try:
            while len(chunks) < args.get("count", 1 << 60):
                chunks.append(chunk_of(reader.read_chunk(), args))
                time.sleep(args.get("pause", 0))
        except StopIteration:
            pass
        return chunks

    @staticmethod
    def drain(args):
        """Reads a stream until it breaks; tells when, and with what."""
        reader, batches, rows, started = streams[args["stream"]], 0, 0, time.monotonic()
        try:
            while time.monotonic() - started < args["seconds"]:
                chunk = reader.read_chunk()
                batches += 1
                rows += chunk.data.num_rows
                time.sleep(args.get("pause", 0))
            outcome = {"code": "STILL_RUNNING"}
        except StopIteration:
            outcome = {"code": "COMPLETE"}
        except Exception as error:  # noqa: BLE001: how the stream broke is the answer
            outcome = failure(error)
        return {**outcome, "batches": batches, "rows": rows, "seconds": time.monotonic() - started}

    @staticmethod
    def cancel(args):
        streams.pop(args["stream"]).cancel()

    @staticmethod
    def cancel_many(args):
        """Starts and cancels the stream of one ticket again and again, after its first batch or at once."""
        for at in range(args["count"]):
            reader = open_reader(args)
            if at % 2 == 0:
                reader.read_chunk()
            reader.cancel()

    @staticmethod
    def close(args):
        with lock:
            mine = [key for key in channels if key[0] in (args["port"], args["bulk"])]
            closing = [channels.pop(key) for key in mine]
        for one in closing:
            one.close()


CODED = re.compile(r"\b([A-Z]+(?:_[A-Z]+)*): (.*)", re.DOTALL)
# What pyarrow and gRPC append to the server's own message.
CONTEXT = re.compile(r"\.?\s*(gRPC client debug context|Client context|Detail):.*", re.DOTALL)


def failure(error):
    """The server's code and message; the code is empty where the client itself failed."""
    coded = CODED.search(str(error))
    code, message = coded.groups() if coded else ("", str(error))
    return {"code": code, "message": CONTEXT.sub("", message).strip(), "kind": type(error).__name__}


def answer(command):
    try:
        value = {"id": command["id"], "value": getattr(Ops, command["op"])(command)}
    except Exception as error:  # noqa: BLE001: a failure is the answer
        value = {"id": command["id"], "error": failure(error)}
    line = json.dumps(value) + "\n"
    with lock:
        sys.stdout.write(line)
        sys.stdout.flush()


for line in sys.stdin:
    threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
# Streams that a test left behind must not hold up the end.
os._exit(0)
