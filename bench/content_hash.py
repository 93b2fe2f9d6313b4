"""A hash of rows that depends on names, types, values and nulls, and not on the order of rows or on how they are batched."""
import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NULL = np.uint64(0x9E3779B97F4A7C15)


def mix(values: np.ndarray) -> np.ndarray:
    """The finalizer of splitmix64: every bit of the input reaches every bit of the output."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def bytes_hash(value: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little")


def is_flat(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind) or pa.types.is_nested(kind):
        return False
    return pa.types.is_primitive(kind) and kind.bit_width in (8, 16, 32, 64)


def column_values(array: pa.Array) -> np.ndarray:
    """One unsigned 64-bit number for each row. Equal values have equal numbers, whatever the encoding; nulls have one of their own."""
    if pa.types.is_dictionary(array.type):
        return array_of_distinct(array)
    if is_flat(array.type):
        width = array.type.bit_width // 8
        bits = np.frombuffer(array.buffers()[1], dtype=f"<u{width}", count=len(array) + array.offset)[array.offset :]
        values = mix(bits.astype(np.uint64) + np.uint64(1))
    else:
        return array_of_distinct(array.dictionary_encode()) if not pa.types.is_nested(array.type) else by_value(array)
    if array.null_count:
        values[pc.is_null(array).to_numpy(zero_copy_only=False)] = NULL
    return values


def array_of_distinct(array: pa.DictionaryArray) -> np.ndarray:
    distinct = np.append(by_value(array.dictionary), NULL)
    codes = pc.fill_null(array.indices.cast(pa.int64()), len(distinct) - 1)
    return distinct[codes.to_numpy(zero_copy_only=False)]


def by_value(array: pa.Array) -> np.ndarray:
    numbers = [int(NULL) if value is None else bytes_hash(repr(value).encode()) for value in array.to_pylist()]
    return np.array(numbers, dtype=np.uint64)


class ContentHash:
    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0
        self._xor = 0
        self._schema: str | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        fields = [f"{field.name}: {plain(field.type)}" for field in batch.schema]
        schema = "\n".join(fields)
        if self._schema not in (None, schema):
            raise ValueError(f"the schema changed from\n{self._schema}\nto\n{schema}")
        self._schema = schema
        self.rows += batch.num_rows
        if batch.num_rows == 0:
            return
        rows = np.zeros(batch.num_rows, dtype=np.uint64)
        with np.errstate(over="ignore"):
            for field, column in zip(fields, batch.columns, strict=True):
                rows += mix(column_values(column) ^ np.uint64(bytes_hash(field.encode())))
            rows = mix(rows)
            self._sum = (self._sum + int(rows.sum(dtype=np.uint64))) % 2**64
            self._xor ^= int(np.bitwise_xor.reduce(rows))

    def hexdigest(self) -> str:
        whole = f"{self.rows} {self._sum:016x} {self._xor:016x}\n{self._schema}"
        return hashlib.sha256(whole.encode()).hexdigest()


def plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
