"""Every type of Iceberg's format version 2, through a put and a scan and back."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
import pytest

import headrace

# Values of each type with nulls, with what is far from zero and what lies before 1970.
VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "boolean": (pa.bool_(), [True, None, False]),
    "int": (pa.int32(), [-(1 << 31), None, (1 << 31) - 1]),
    "long": (pa.int64(), [-(1 << 63), None, (1 << 63) - 1]),
    "float": (pa.float32(), [-0.0, None, float("inf")]),
    "double": (pa.float64(), [1e-300, None, float("-inf")]),
    "decimal9": (pa.decimal128(9, 2), [Decimal("-1234567.89"), None, Decimal("0.01")]),
    "decimal18": (pa.decimal128(18, 0), [Decimal(10**18 - 1), None, Decimal(0)]),
    "decimal38": (pa.decimal128(38, 10), [Decimal("-9999999999999999999999999999.9999999999"), None, Decimal("1E-10")]),
    "date": (pa.date32(), [dt.date(1, 1, 1), None, dt.date(9999, 12, 31)]),
    "time": (pa.time64("us"), [dt.time(0), None, dt.time(23, 59, 59, 999_999)]),
    "timestamp": (pa.timestamp("us"), [dt.datetime(1901, 2, 3, 4, 5, 6, 7), None, dt.datetime(2038, 1, 19)]),
    "timestamptz": (pa.timestamp("us", "UTC"), [dt.datetime(1969, 12, 31, 23, tzinfo=dt.UTC), None, None]),
    "string": (pa.string(), ["", None, "π 🦆 \u0000 end"]),
    "uuid": (pa.uuid(), [uuid.UUID(int=0), None, uuid.UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7")]),
    "fixed": (pa.binary(5), [b"\x00\xff\x00\xff\x00", None, b"12345"]),
    "binary": (pa.binary(), [b"", None, bytes(range(256))]),
    "list": (pa.list_(pa.int32()), [[], None, [1, None, 3]]),
    "map": (pa.map_(pa.string(), pa.float64()), [[], None, [("a", 1.5), ("b", None)]]),
    "struct": (
        pa.struct([("a", pa.int32()), ("b", pa.struct([("c", pa.string())]))]),
        [{"a": 1, "b": {"c": "x"}}, None, {"a": None, "b": None}],
    ),
    "deep": (
        pa.list_(pa.struct([("at", pa.timestamp("us", "UTC")), ("tags", pa.map_(pa.string(), pa.list_(pa.string())))])),
        [
            [{"at": dt.datetime(2020, 2, 29, tzinfo=dt.UTC), "tags": [("k", ["v", None]), ("l", None)]}, None],
            None,
            [],
        ],
    ),
}

NewTable = Callable[[], str]


def plain(kind: pa.DataType) -> pa.DataType:
    """The type without the field ids that the server adds at every depth."""
    if pa.types.is_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(plain(kind.key_type), plain(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, plain(field.type)) for field in kind])
    return kind


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_every_type_comes_back_as_it_was(
    client: headrace.Client, new_table: NewTable, compression: Literal["none", "lz4", "zstd"]
) -> None:
    table = new_table()
    rows = pa.table({name: pa.array(values, kind) for name, (kind, values) in VALUES.items()})
    rows = pa.concat_tables([rows] * 3)
    client.put(table, rows, mode="create")
    read = client.scan(table, compression=compression).table()
    assert [plain(field.type) for field in read.schema] == [plain(field.type) for field in rows.schema]
    for name in rows.column_names:
        assert read[name].to_pylist() == rows[name].to_pylist(), name


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (pa.array(["a", None, "b", "a"]).dictionary_encode(), pa.string()),
        (pa.array(["a", None, "bb"], pa.large_string()), pa.string()),
        (pa.array(["a", None, "b" * 20], pa.string_view()), pa.string()),
        (pa.array([b"a", None], pa.large_binary()), pa.binary()),
        (pa.array([1, None, -3], pa.int8()), pa.int32()),
        (pa.array([1, None, 65_535], pa.uint16()), pa.int32()),
        (pa.array([1, None, 4_000_000_000], pa.uint32()), pa.int64()),
        (pa.array([[1], None, []], pa.large_list(pa.int64())), pa.list_(pa.int64())),
        (pa.array([0, None, 1], pa.timestamp("ms")), pa.timestamp("us")),
        (pa.array([0, None, 1], pa.timestamp("s", "UTC")), pa.timestamp("us", "UTC")),
    ],
    ids=lambda value: str(value.type if isinstance(value, pa.Array) else value),
)
def test_types_without_a_counterpart_take_the_nearest_wider_one(
    client: headrace.Client, new_table: NewTable, given: pa.Array, taken: pa.DataType
) -> None:
    table = new_table()
    client.put(table, pa.table({"x": given}), mode="create")
    read = client.scan(table).table()
    assert plain(read.schema.field("x").type) == taken
    assert read["x"].to_pylist() == given.to_pylist()


@pytest.mark.parametrize(
    "kind",
    [pa.uint64(), pa.float16(), pa.timestamp("ns"), pa.timestamp("us", "Europe/Berlin"), pa.duration("us"), pa.null()],
    ids=str,
)
def test_types_that_would_lose_something_are_refused(
    client: headrace.Client, new_table: NewTable, kind: pa.DataType
) -> None:
    with pytest.raises(headrace.HeadraceError) as raised:
        client.put(new_table(), pa.table({"x": pa.array([None], kind)}), mode="create")
    assert raised.value.code in ("SCHEMA_MISMATCH", "UNSUPPORTED_FEATURE", "INVALID_REQUEST")
