"""The life of a generated table: written and evolved through Headrace and PyIceberg, read at every snapshot."""

import random
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
from headrace_catalog import HeadraceCatalog
from pyiceberg import types as ice
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    TimeTransform,
    TruncateTransform,
    YearTransform,
)

import headrace
from differential import filters, readers, tables

TRANSFORMS: dict[str, Callable[[int | None], Any]] = {
    "identity": lambda _: IdentityTransform(),
    "bucket": lambda n: BucketTransform(n),
    "truncate": lambda n: TruncateTransform(n),
    "year": lambda _: YearTransform(),
    "month": lambda _: MonthTransform(),
    "day": lambda _: DayTransform(),
    "hour": lambda _: HourTransform(),
}


class Mismatch(Exception):
    pass


class Life:
    def __init__(
        self, client: headrace.Client, catalog: HeadraceCatalog, duck: Any, rng: random.Random, name: str
    ) -> None:
        self.client, self.catalog, self.duck, self.rng, self.name = client, catalog, duck, rng, name
        self.log: list[str] = []
        self.compared: Counter = Counter()
        self.partitioned: set[int] = set()

    def table(self):
        return self.catalog.load_table(self.name)

    def current_schema(self) -> pa.Schema:
        """As a writer through Headrace would have it."""
        return self.client.schema(self.name)

    def run(self, steps: int) -> None:
        rng = self.rng
        schema = tables.random_schema(rng)
        terms = tables.partition_terms(rng, schema)
        texts = [tables.partition_text(term) for term in terms]
        first = tables.random_rows(rng, schema, rng.choice([0, 1, 20, 60]))
        self.log.append(f"create {schema.to_string(show_field_metadata=False)} by {texts}, {first.num_rows} rows")
        self.client.put(self.name, first, mode="create", partition_by=texts or None)
        self.note_partitions()
        self.check_rows(readers.counted(first), "what was created")
        for _ in range(steps):
            step = rng.choice(
                [
                    self.append,
                    self.append,
                    self.append_elsewhere,
                    self.overwrite,
                    self.evolve,
                    self.evolve,
                    self.repartition,
                ]
            )
            step()
        for snapshot in self.table().metadata.snapshots:
            self.compare(snapshot.snapshot_id)
        self.compare(None)

    def note_partitions(self) -> None:
        for spec in self.table().metadata.partition_specs:
            self.partitioned.update(field.source_id for field in spec.fields)

    def check_rows(self, expected: Counter, what: str) -> None:
        problem = readers.difference(readers.counted(self.client.scan(self.name).table()), expected)
        if problem is not None:
            raise Mismatch(f"{what}: {problem}")

    def append(self) -> None:
        rows = tables.random_rows(self.rng, self.current_schema(), self.rng.choice([0, 1, 30]))
        self.log.append(f"append {rows.num_rows}")
        before = readers.counted(self.client.scan(self.name).table())
        self.client.put(self.name, rows)
        self.check_rows(before + readers.counted(rows), "an append")

    def append_elsewhere(self) -> None:
        """PyIceberg writes the files; Headrace commits them."""
        rows = tables.random_rows(self.rng, self.current_schema(), self.rng.choice([1, 30]))
        table = self.table()
        if not can_write(table):
            return
        self.log.append(f"append {rows.num_rows} with PyIceberg")
        try:
            table.append(rows)
        except (pa.ArrowInvalid, ValueError) as error:
            # pyarrow writes no null struct that has a required field; PyIceberg no decimal that truncation made longer.
            if not any(
                known in str(error) for known in ("is declared non-nullable but contains nulls", "precision of value")
            ):
                raise

    def overwrite(self) -> None:
        schema = self.current_schema()
        columns = filters.columns_of(schema)
        rows = tables.random_rows(self.rng, schema, self.rng.choice([0, 5]))
        before = self.client.scan(self.name).table().to_pylist()
        if not columns or self.rng.random() < 0.2:
            self.log.append(f"replace all by {rows.num_rows}")
            self.client.put(self.name, rows, mode="overwrite")
            self.check_rows(readers.counted(rows), "an overwrite of everything")
            return
        chosen = filters.random_filter(self.rng, columns)
        self.log.append(f"overwrite {filters.headrace(chosen)} by {rows.num_rows}")
        self.client.put(self.name, rows, mode="overwrite", overwrite_filter=filters.headrace(chosen))
        stay = [row for row in before if filters.evaluate(chosen, row) is not True]
        self.check_rows(readers.counted(stay) + readers.counted(rows), "an overwrite")

    def evolve(self) -> None:
        rng, table = self.rng, self.table()
        fields = [(None, field) for field in table.schema().fields]
        fields += [
            (parent, child)
            for _, parent in list(fields)
            if parent.field_type.is_struct
            for child in parent.field_type.fields
        ]
        parent, field = rng.choice(fields)
        path = (field.name,) if parent is None else (parent.name, field.name)
        taken = {one.name for one in (table.schema().fields if parent is None else parent.field_type.fields)}
        free = [name for name in tables.NAMES if name not in taken]
        change = rng.choice(["rename", "add", "add", "drop", "widen", "move", "loosen"])
        self.log.append(f"{change} {path}")
        with table.update_schema(allow_incompatible_changes=True) as update:
            if change == "rename":
                update.rename_column(path, rng.choice(free))
            elif change == "add":
                prefix = () if parent is None else (parent.name,)
                update.add_column((*prefix, rng.choice(free)), rng.choice(tables.NEW_TYPES))
            elif change == "drop" and len(taken) > 1 and field.field_id not in self.partitioned:
                update.delete_column(path)
            elif change == "widen" and (wider := self.wider(field)) is not None:
                update.update_column(path, field_type=wider)
            elif change == "move":
                update.move_first(path)
            elif change == "loosen":
                update.update_column(path, required=False)

    def wider(self, field: ice.NestedField) -> ice.IcebergType | None:
        # A decimal of more digits hashes and truncates the same, but its bounds in old manifests have fewer bytes.
        kind = {"int": "int", "float": "float"}.get(str(field.field_type))
        if kind is None and isinstance(field.field_type, ice.DecimalType):
            kind = "decimal"
        return None if kind is None else tables.WIDER[kind](field.field_type)

    def repartition(self) -> None:
        rng, table = self.rng, self.table()
        schema = self.current_schema()
        spec = table.spec()
        terms = tables.partition_terms(rng, schema)
        with table.update_spec() as update:
            for field in spec.fields:
                if rng.random() < 0.5 and str(field.transform) != "void":
                    self.log.append(f"partition drop {field.name}")
                    update.remove_field(field.name)
            # PyIceberg refuses a transform that the spec has, and a name that any spec has had.
            names = {field.name for one in table.metadata.partition_specs for field in one.fields}
            for name, transform, argument in terms[:1]:
                source = table.schema().find_field(name).field_id
                if any(field.source_id == source for field in spec.fields) or f"p{len(names)}" in names:
                    continue
                self.log.append(f"partition add {transform} {argument} {name}")
                update.add_field(name, TRANSFORMS[transform](argument), f"p{len(names)}")
        self.note_partitions()

    def compare(self, snapshot_id: int | None) -> None:
        """All rows, and a few filters, projections, limits and shards, of one snapshot; None = main."""
        table, rng = self.table(), self.rng
        if snapshot_id is None and table.current_snapshot() is None:
            return
        at = {} if snapshot_id is None else {"snapshot_id": snapshot_id}
        whole = self.client.scan(self.name, **at)
        theirs = table.scan(snapshot_id=snapshot_id)
        self.expect(
            readers.described_schema(whole.schema),
            readers.described_schema(schema_to_pyarrow(theirs.projection())),
            f"schema at {snapshot_id}",
        )
        ours = whole.table()
        expected = readers.counted(ours)
        in_duckdb = readers.duckdb_table(self.duck, table.metadata_location, snapshot_id)
        self.expect_rows(ours, readers.counted(in_duckdb), f"DuckDB at {snapshot_id}")
        self.expect_in_pyiceberg(ours, pyiceberg_rows(theirs), f"PyIceberg at {snapshot_id}")
        compression = rng.choice(["none", "lz4", "zstd"])
        sharded = self.client.scan(
            self.name, shards=rng.choice([2, 5]), batch_rows=7, compression=compression, dictionaries=True, **at
        )
        self.expect_rows(sharded.table(), expected, f"shards at {snapshot_id}")
        columns = filters.columns_of(whole.schema)
        if not columns:
            return
        for _ in range(3):
            self.compare_filtered(
                table, snapshot_id, at, ours.to_pylist(), filters.random_filter(rng, columns), columns
            )

    def compare_filtered(self, table, snapshot_id, at, rows, node: filters.Node, columns: list[filters.Column]) -> None:
        rng = self.rng
        text = filters.headrace(node)
        what = f"filter {text} at {snapshot_id}"
        passing = [row for row in rows if filters.evaluate(node, row) is True]
        ours = self.client.scan(self.name, filter=text, shards=rng.choice([1, 3]), **at).table()
        self.expect_rows(ours, readers.counted(passing), f"row by row: {what}")
        if (duck := self.filtered_by_duckdb(table, node, snapshot_id)) is not None:
            self.expect_rows(ours, readers.counted(duck), f"DuckDB: {what}")
        # PyIceberg looks a filter's columns up in the current schema, whatever it scans.
        current = snapshot_id is None or table.snapshot_by_id(snapshot_id).schema_id == table.schema().schema_id
        if (
            current
            and comparable_in_pyiceberg(node)
            and not meets_odd_float(node, rows)
            and (theirs := filtered_by_pyiceberg(table, node, snapshot_id)) is not None
        ):
            self.expect_in_pyiceberg(ours, theirs, f"PyIceberg: {what}")
        limit = rng.choice([0, 1, 7, 1000])
        limited = readers.counted(self.client.scan(self.name, filter=text, limit=limit, shards=2, **at).table())
        if limited.total() != min(limit, len(passing)) or limited - readers.counted(passing):
            raise Mismatch(f"limit {limit} gave {limited.total()} of {len(passing)} rows: {what}")
        chosen = rng.sample(columns, rng.randint(1, min(3, len(columns))))
        projected = (
            self.client.scan(self.name, columns=[one.text for one in chosen], filter=text, **at).table().to_pylist()
        )
        got = Counter(tuple(readers.canonical(one.value(row)) for one in chosen) for row in projected)
        want = Counter(tuple(readers.canonical(one.value(row)) for one in chosen) for row in passing)
        if problem := readers.difference(got, want):
            raise Mismatch(f"columns {[one.text for one in chosen]}: {what}: {problem}")

    def filtered_by_duckdb(self, table, node: filters.Node, snapshot_id: int | None) -> pa.Table | None:
        """
        None where DuckDB 1.5 fails: it estimates rows from memory never set when its filter leaves no file, and it
        computes some transforms other than the specification says, so that it skips files that match.
        """
        if misplaced_kinds(table) & kinds_of(node):
            return None
        try:
            return readers.duckdb_table(self.duck, table.metadata_location, snapshot_id, filters.duckdb(node))
        except duckdb.InternalException as error:
            if "Information loss on integer cast" not in str(error):
                raise
            self.duck = readers.open_duckdb()
            return None

    def expect_rows(self, ours: pa.Table | list[dict[str, Any]], theirs: Counter, what: str) -> None:
        self.compared[what.split(":")[0] if ":" in what else what.split(" ")[0]] += 1
        if problem := readers.difference(readers.counted(ours), theirs):
            raise Mismatch(f"{what}: {problem}")

    def expect_in_pyiceberg(self, ours: pa.Table, theirs: list[dict[str, Any]], what: str) -> None:
        """PyIceberg 0.12 reads a null map or list as an empty one where it has to convert what it holds."""
        rows = [readers.without_null_lists(row, ours.schema) for row in ours.to_pylist()]
        expected = [readers.without_null_lists(row, ours.schema) for row in theirs]
        self.expect_rows(rows, readers.counted(expected), what)

    def expect(self, ours: Any, theirs: Any, what: str) -> None:
        if ours != theirs:
            raise Mismatch(f"{what}:\n  ours   {ours}\n  theirs {theirs}")


def kinds_of(node: filters.Node) -> set[str]:
    return set().union(*map(kinds_of, node.parts)) if node.column is None else {node.column.kind}


def misplaced_kinds(table) -> set[str]:
    """
    Types whose partitions DuckDB 1.5 looks for in the wrong place: it hashes a uuid's bytes in another order (table
    spec, Appendix B), and rounds times before 1970 up to their year, month, day or hour instead of down.
    """
    kinds = set()
    by_id = {field_id: schema for schema in table.metadata.schemas for field_id in schema.field_ids}
    for field in (field for spec in table.metadata.partition_specs for field in spec.fields):
        source = by_id[field.source_id].find_type(field.source_id)
        hashed = isinstance(source, ice.UUIDType) and isinstance(field.transform, BucketTransform)
        if hashed or isinstance(field.transform, TimeTransform):
            kinds.add(str(source))
    return kinds


def comparable_in_pyiceberg(node: filters.Node) -> bool:
    """PyIceberg filters neither by what lies in a struct nor by a uuid."""
    if node.column is not None:
        return len(node.column.path) == 1 and node.column.kind != "uuid"
    return all(comparable_in_pyiceberg(part) for part in node.parts)


def meets_odd_float(node: filters.Node, rows: list[dict[str, Any]]) -> bool:
    """pyarrow takes statistics for all of a row group's values, though they leave out NaN and say -0.0 for 0.0."""
    if node.column is None:
        return any(meets_odd_float(part, rows) for part in node.parts)
    values = (node.column.value(row) for row in rows) if node.column.floating else ()
    return any(value is not None and (value != value or value == 0) for value in values)


def pyiceberg_rows(scan) -> list[dict[str, Any]]:
    try:
        return scan.to_arrow().to_pylist()
    except pa.ArrowNotImplementedError as error:
        # pyarrow makes no empty table of a uuid in a struct, and PyIceberg asks for one where no file is left.
        if str(error) != "extension":
            raise
        return []


def filtered_by_pyiceberg(table, node: filters.Node, snapshot_id: int | None) -> list[dict[str, Any]] | None:
    """None where PyIceberg 0.12 fails: on the order of a null partition value, and on a decimal's precision."""
    try:
        return pyiceberg_rows(table.scan(row_filter=filters.pyiceberg(node), snapshot_id=snapshot_id))
    except (TypeError, pa.ArrowInvalid) as error:
        if "NoneType" not in str(error) and "Decimal type with precision" not in str(error):
            raise
        return None


def can_write(table) -> bool:
    """
    False for what PyIceberg 0.12 cannot partition by, and for manifests of it that DuckDB 1.5 aborts on: names that are
    none in Avro, and one named type written out twice.
    """
    named = Counter()
    for field in table.spec().fields:
        source = table.schema().find_type(field.source_id)
        if isinstance(source, ice.BinaryType) and isinstance(field.transform, TruncateTransform):
            return False
        if isinstance(source, ice.TimeType) and isinstance(field.transform, BucketTransform):
            return False
        if not field.name.isascii():
            return False
        if isinstance(source, (ice.DecimalType, ice.FixedType, ice.UUIDType)):
            named[str(field.transform.result_type(source))] += 1
    return all(count == 1 or kind == "int" for kind, count in named.items())


def run(flight: int, token: str, seed: str, first: int, count: int, steps: int) -> dict[str, Any]:
    """Lives ``first`` to ``first + count`` of a seed: what went wrong, with its history, and what was compared."""
    client = headrace.connect(f"grpc://127.0.0.1:{flight}", token=token)
    catalog, duck = HeadraceCatalog(client), readers.open_duckdb()
    failures, compared = [], Counter()
    for at in range(first, first + count):
        life = Life(client, catalog, duck, random.Random(f"{seed}/{at}"), f"bronze.life{at}")
        try:
            life.run(steps)
        except Exception:
            failures.append("\n".join([f"seed {seed}, table {at}", *life.log, traceback.format_exc(limit=-4)]))
        compared += life.compared
        if len(failures) == 3:
            break
    return {"failures": failures, "compared": compared}
