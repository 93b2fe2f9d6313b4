"""Generated tables: schemas of every Iceberg type, rows, partition terms and evolutions, from one ``random.Random``."""

import datetime as dt
import decimal
import math
import random
import uuid

import numpy as np
import pyarrow as pa
from pyiceberg import types as ice

NAMES = [
    "id",
    "Delay",
    "home city",
    "größe",
    "a_b",
    "x1",
    "flag?",
    "note",
    "when",
    "amount",
    "code",
    "zip",
    "lat",
    "lon",
    "tag",
]
WORDS = ["", "a", "ab", "abc", "b", "SEA", "SFO", "straße", "日本", "o'hare", "100%", "a_b", "x" * 40]


def _string(rng: random.Random) -> str:
    return rng.choice(WORDS)


def _float(rng: random.Random) -> float:
    return rng.choice([0.0, -0.0, 1.0, -1.5, 2.25, 1e10, -1e-3, math.inf, -math.inf, math.nan, 3.0])


def _long(rng: random.Random) -> int:
    return rng.choice([0, 1, -1, 2, 3, 34, 1000, -1000, 2**31, -(2**40), 2**63 - 1, -(2**63)])


def _date(rng: random.Random) -> dt.date:
    return dt.date(rng.choice([1, 1899, 1969, 1970, 2000, 2024, 9999]), rng.randint(1, 12), rng.randint(1, 28))


def _time(rng: random.Random) -> dt.time:
    return rng.choice([dt.time(0, 0), dt.time(23, 59, 59, 999999), dt.time(1, 2, 3, 4), dt.time(12, 30)])


def _timestamp(rng: random.Random) -> dt.datetime:
    # DuckDB and PyIceberg agree with the specification only from 1677 on, where nanoseconds fit.
    year = rng.choice([1700, 1969, 1970, 2017, 2024, 2200])
    return dt.datetime(
        year, rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23), 59, 59, rng.choice([0, 1, 999999])
    )


def _zoned(rng: random.Random) -> dt.datetime:
    return _timestamp(rng).replace(tzinfo=dt.UTC)


def _decimal(precision: int, scale: int):
    top = 10**precision - 1
    choices = [0, 1, -1, 1234, -1234, top, -top, 50]
    return lambda rng: decimal.Decimal(rng.choice([one for one in choices if abs(one) <= top])).scaleb(
        -scale, decimal.Context(prec=60)
    )


def _float32(rng: random.Random) -> float:
    return float(np.float32(_float(rng)))


class Primitive:
    def __init__(self, kind, arrow, values, transforms):
        self.kind, self.arrow, self.values, self.transforms = kind, arrow, values, transforms


_DATES = ["year", "month", "day"]
PRIMITIVES = [
    Primitive("boolean", pa.bool_(), lambda rng: rng.random() < 0.5, ["identity"]),
    Primitive(
        "int",
        pa.int32(),
        lambda rng: rng.choice([0, 1, -1, 5, 34, -34, 2**31 - 1, -(2**31)]),
        ["identity", "bucket", "truncate"],
    ),
    Primitive("long", pa.int64(), _long, ["identity", "bucket", "truncate"]),
    Primitive("float", pa.float32(), _float32, []),
    Primitive("double", pa.float64(), _float, []),
    Primitive("decimal", pa.decimal128(9, 2), _decimal(9, 2), ["identity", "bucket", "truncate"]),
    Primitive("decimal", pa.decimal128(18, 0), _decimal(18, 0), ["identity", "bucket"]),
    Primitive("decimal", pa.decimal128(38, 10), _decimal(38, 10), ["identity", "bucket"]),
    Primitive("date", pa.date32(), _date, ["identity", "bucket", *_DATES]),
    Primitive("time", pa.time64("us"), _time, ["identity", "bucket"]),
    Primitive("timestamp", pa.timestamp("us"), _timestamp, ["identity", "bucket", "hour", *_DATES]),
    Primitive("timestamptz", pa.timestamp("us", "UTC"), _zoned, ["identity", "bucket", "hour", *_DATES]),
    Primitive("string", pa.string(), _string, ["identity", "bucket", "truncate"]),
    Primitive("uuid", pa.uuid(), lambda rng: uuid.UUID(int=rng.choice([0, 1, 2**127, 2**128 - 1, 77])), ["bucket"]),
    Primitive(
        "fixed",
        pa.binary(3),
        lambda rng: rng.choice([b"\0\0\0", b"abc", b"\xff\xfe\xfd", b"abd"]),
        ["identity", "bucket"],
    ),
    Primitive(
        "binary",
        pa.binary(),
        lambda rng: rng.choice([b"", b"a", b"abc", b"\xff\x00", b"ab"]),
        ["identity", "bucket", "truncate"],
    ),
]


def primitive_of(arrow: pa.DataType) -> Primitive | None:
    for one in PRIMITIVES:
        if one.arrow == arrow:
            return one
    if pa.types.is_decimal(arrow):
        return Primitive("decimal", arrow, _decimal(arrow.precision, arrow.scale), ["identity", "bucket"])
    return None


def random_type(rng: random.Random, depth: int) -> pa.DataType:
    shape = rng.random()
    if depth == 0 or shape < 0.75:
        return rng.choice(PRIMITIVES).arrow
    if shape < 0.87:
        names = rng.sample(NAMES, rng.randint(1, 3))
        return pa.struct([pa.field(name, random_type(rng, depth - 1), nullable=rng.random() < 0.8) for name in names])
    if shape < 0.95:
        return pa.list_(pa.field("element", random_type(rng, depth - 1), nullable=rng.random() < 0.8))
    return pa.map_(rng.choice([pa.string(), pa.int32(), pa.int64()]), random_type(rng, depth - 1))


def random_schema(rng: random.Random) -> pa.Schema:
    names = rng.sample(NAMES, rng.randint(1, 7))
    return pa.schema([pa.field(name, random_type(rng, 2), nullable=rng.random() < 0.85) for name in names])


def random_value(rng: random.Random, field: pa.Field):
    if field.nullable and rng.random() < 0.2:
        return None
    kind = field.type
    if pa.types.is_struct(kind):
        return {child.name: random_value(rng, child) for child in kind.fields}
    if pa.types.is_map(kind):
        keys = {random_value(rng, kind.key_field) for _ in range(rng.randint(0, 3))}
        return [(key, random_value(rng, kind.item_field)) for key in sorted(keys)]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [random_value(rng, kind.value_field) for _ in range(rng.randint(0, 3))]
    return primitive_of(kind).values(rng)


def random_rows(rng: random.Random, schema: pa.Schema, rows: int) -> pa.Table:
    columns = [array_of([random_value(rng, field) for _ in range(rows)], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def array_of(values: list, kind: pa.DataType) -> pa.Array:
    """``pa.array`` does not build extension types below a struct or a list, so a storage array is made first."""
    if kind == pa.uuid():
        return pa.ExtensionArray.from_storage(kind, pa.array([one and one.bytes for one in values], pa.binary(16)))
    if not _holds_uuid(kind):
        return pa.array(values, kind)
    nulls = pa.array([one is None for one in values], pa.bool_())
    if pa.types.is_struct(kind):
        children = [array_of([one and one[field.name] for one in values], field.type) for field in kind.fields]
        return pa.StructArray.from_arrays(children, fields=list(kind.fields), mask=nulls)
    offsets = [0]
    for one in values:
        offsets.append(offsets[-1] + len(one or ()))
    flat = [item for one in values for item in one or ()]
    offsets = pa.array(offsets, pa.int32())
    if pa.types.is_map(kind):
        keys, items = (
            array_of([key for key, _ in flat], kind.key_type),
            array_of([item for _, item in flat], kind.item_type),
        )
        return pa.MapArray.from_arrays(offsets, keys, items, type=kind, mask=nulls)
    return pa.ListArray.from_arrays(offsets, array_of(flat, kind.value_type), type=kind, mask=nulls)


def _holds_uuid(kind: pa.DataType) -> bool:
    if kind == pa.uuid():
        return True
    if pa.types.is_map(kind):
        return _holds_uuid(kind.item_type)
    return any(_holds_uuid(kind.field(at).type) for at in range(kind.num_fields))


def partition_terms(rng: random.Random, schema: pa.Schema) -> list[tuple[str, str, int | None]]:
    """Up to three of (column, transform, argument), no column twice."""
    terms = []
    for field in rng.sample(list(schema), len(schema)):
        primitive = primitive_of(field.type)
        if primitive is None or not primitive.transforms or len(terms) == 3 or rng.random() < 0.5:
            continue
        transform = rng.choice(primitive.transforms)
        terms.append((field.name, transform, rng.choice([2, 4, 7]) if transform in ("bucket", "truncate") else None))
    return terms


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def partition_text(term: tuple[str, str, int | None]) -> str:
    name, transform, argument = term
    if transform == "identity":
        return quoted(name)
    return f"{transform}({argument}, {quoted(name)})" if argument else f"{transform}({quoted(name)})"


# What a column of one type may become (table spec, "Schema Evolution").
WIDER = {
    "int": lambda _: ice.LongType(),
    "float": lambda _: ice.DoubleType(),
    "decimal": lambda t: ice.DecimalType(38, t.scale),
}
NEW_TYPES = [
    ice.IntegerType(),
    ice.StringType(),
    ice.DecimalType(9, 2),
    ice.TimestamptzType(),
    ice.UUIDType(),
    ice.FixedType(3),
    ice.DoubleType(),
]
