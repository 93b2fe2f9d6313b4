"""Generated filters in four forms: Headrace's text, PyIceberg's expression, DuckDB's SQL, and an evaluation by row.

The rules compared are SQL's three-valued logic with IEEE 754 floats, which is what Headrace documents. The others
differ in known places, which are written out here: DuckDB takes NaN for equal to itself and above infinity; PyIceberg
pushes NOT down past NaN (NOT x < 1 becomes x >= 1), lets nulls pass NOT IN, and the nulls of a column that a file lacks
pass != and NOT LIKE too.
"""

import datetime as dt
import math
import random
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyiceberg import expressions as ice

from differential.tables import primitive_of, quoted

INVERSE = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
SQL_NUMBERS = {"int": "INTEGER", "long": "BIGINT", "float": "FLOAT", "double": "DOUBLE"}
PYICEBERG = {
    "=": ice.EqualTo,
    "!=": ice.NotEqualTo,
    "<": ice.LessThan,
    "<=": ice.LessThanOrEqual,
    ">": ice.GreaterThan,
    ">=": ice.GreaterThanOrEqual,
}


@dataclass(frozen=True)
class Column:
    path: tuple[str, ...]
    kind: str
    arrow: pa.DataType

    @property
    def text(self) -> str:
        return ".".join(quoted(part) for part in self.path)

    @property
    def sql(self) -> str:
        text = quoted(self.path[0])
        for part in self.path[1:]:
            text = f"struct_extract({text}, '{part}')"
        return text

    @property
    def floating(self) -> bool:
        return self.kind in ("float", "double")

    def value(self, row: dict[str, Any]) -> Any:
        value: Any = row
        for part in self.path:
            value = None if value is None else value[part]
        return value


@dataclass(frozen=True)
class Node:
    """``op``: a comparison, in, between, null, nan, like, not, and, or."""

    op: str
    column: Column | None = None
    values: tuple[Any, ...] = ()
    parts: tuple["Node", ...] = ()


def columns_of(schema: pa.Schema) -> list[Column]:
    """Primitive columns at any depth of structs."""
    found = []

    def visit(fields, path):
        for field in fields:
            if pa.types.is_struct(field.type):
                visit(field.type.fields, (*path, field.name))
            elif (primitive := primitive_of(field.type)) is not None:
                found.append(Column((*path, field.name), primitive.kind, field.type))

    visit(schema, ())
    return found


def random_filter(rng: random.Random, columns: list[Column], depth: int = 3) -> Node:
    if depth > 0 and rng.random() < 0.45:
        op = rng.choice(["and", "or", "not"])
        count = 1 if op == "not" else rng.randint(2, 3)
        return Node(op, parts=tuple(random_filter(rng, columns, depth - 1) for _ in range(count)))
    column = rng.choice(columns)
    return _condition(rng, column)


def _condition(rng: random.Random, column: Column) -> Node:
    def value() -> Any:
        for _ in range(100):
            one = primitive_of(column.arrow).values(rng)
            if not (column.floating and (math.isnan(one) or math.isinf(one))):
                return one
        raise AssertionError("no finite value")

    ops = ["null", "in", "=", "!="]
    if column.kind != "boolean":
        ops += ["<", "<=", ">", ">=", "between"]
    if column.floating:
        ops += ["nan", "nan"]
    if column.kind == "string":
        ops += ["like", "like"]
    op = rng.choice(ops)
    if op in ("null", "nan"):
        return Node(op, column)
    if op == "like":
        return Node(op, column, (rng.choice(["a", "ab", "S", "stra", "日", "o'", "zz"]),))
    if op == "in":
        return Node(op, column, tuple(value() for _ in range(rng.randint(1, 4))))
    if op == "between":
        return Node(op, column, tuple(sorted((value(), value()))))
    return Node(op, column, (value(),))


def evaluate(node: Node, row: dict[str, Any]) -> bool | None:
    if node.op == "not":
        inner = evaluate(node.parts[0], row)
        return None if inner is None else not inner
    if node.op in ("and", "or"):
        results = [evaluate(part, row) for part in node.parts]
        absorbing = node.op == "or"
        if absorbing in results:
            return absorbing
        return None if None in results else not absorbing
    value = node.column.value(row)
    if node.op == "null":
        return value is None
    if value is None:
        return None
    match node.op:
        case "nan":
            return math.isnan(value)
        case "like":
            return value.startswith(node.values[0])
        case "in":
            return any(value == one for one in node.values)
        case "between":
            return node.values[0] <= value <= node.values[1]
        case "=":
            return value == node.values[0]
        case "!=":
            return value != node.values[0]
        case "<":
            return value < node.values[0]
        case "<=":
            return value <= node.values[0]
        case ">":
            return value > node.values[0]
        case ">=":
            return value >= node.values[0]
    raise AssertionError(node.op)


def literal_text(kind: str, value: Any) -> str:
    match kind:
        case "boolean":
            return "TRUE" if value else "FALSE"
        case "string":
            return "'" + value.replace("'", "''") + "'"
        case "date":
            return f"DATE '{value.isoformat()}'"
        case "time":
            return f"TIME '{value.isoformat('microseconds')}'"
        case "timestamp":
            return f"TIMESTAMP '{value.isoformat(' ', 'microseconds')}'"
        case "timestamptz":
            return f"TIMESTAMP '{value.replace(tzinfo=None).isoformat('T', 'microseconds')}Z'"
        case "uuid":
            return f"UUID '{value}'"
        case "fixed" | "binary":
            return f"X'{value.hex()}'"
    return f"{value:f}" if kind == "decimal" else repr(value)


def headrace(node: Node) -> str:
    if node.op == "not":
        return f"NOT ({headrace(node.parts[0])})"
    if node.op in ("and", "or"):
        return f" {node.op.upper()} ".join(f"({headrace(part)})" for part in node.parts)
    name, literals = node.column.text, [literal_text(node.column.kind, value) for value in node.values]
    match node.op:
        case "null":
            return f"{name} IS NULL"
        case "nan":
            return f"{name} IS NAN"
        case "like":
            prefix = node.values[0].replace("'", "''")
            return f"{name} LIKE '{prefix}%'"
        case "in":
            return f"{name} IN ({', '.join(literals)})"
        case "between":
            return f"{name} BETWEEN {literals[0]} AND {literals[1]}"
    return f"{name} {node.op} {literals[0]}"


def _sql_literal(column: Column, value: Any) -> str:
    match column.kind:
        case "string":
            return "'" + value.replace("'", "''") + "'"
        case "boolean":
            return "true" if value else "false"
        case "fixed" | "binary":
            return f"from_hex('{value.hex()}')"
        case "decimal":
            return f"CAST('{value:f}' AS DECIMAL({column.arrow.precision}, {column.arrow.scale}))"
        case "int" | "long" | "float" | "double":
            return f"CAST('{value!r}' AS {SQL_NUMBERS[column.kind]})"
    return f"CAST('{value}' AS {column.kind.upper()})"


def duckdb(node: Node) -> str:
    if node.op == "not":
        return f"(NOT {duckdb(node.parts[0])})"
    if node.op in ("and", "or"):
        return "(" + f" {node.op.upper()} ".join(duckdb(part) for part in node.parts) + ")"
    name, literals = node.column.sql, [_sql_literal(node.column, value) for value in node.values]
    match node.op:
        case "null":
            return f"({name} IS NULL)"
        case "nan":
            return f"isnan({name})"
        case "like":
            return f"starts_with({name}, {_sql_literal(node.column, node.values[0])})"
        case "in":
            plain = f"({name} IN ({', '.join(literals)}))"
        case "between":
            plain = f"({name} BETWEEN {literals[0]} AND {literals[1]})"
        case _:
            plain = f"({name} {node.op} {literals[0]})"
    if not node.column.floating:
        return plain
    for_nan = "true" if node.op == "!=" else "false"
    return f"(CASE WHEN isnan({name}) THEN {for_nan} ELSE {plain} END)"


def pyiceberg(node: Node, negated: bool = False) -> ice.BooleanExpression:
    if node.op == "not":
        return pyiceberg(node.parts[0], not negated)
    if node.op in ("and", "or"):
        joined = ice.And if (node.op == "and") != negated else ice.Or
        parts = [pyiceberg(part, negated) for part in node.parts]
        return joined(*parts)
    column = node.column
    name = ".".join(column.path)
    values = [_pyiceberg_literal(column.kind, value) for value in node.values]

    def with_nan(expression: ice.BooleanExpression) -> ice.BooleanExpression:
        return ice.Or(expression, ice.IsNaN(name)) if column.floating and negated else expression

    def not_null(expression: ice.BooleanExpression) -> ice.BooleanExpression:
        return ice.And(expression, ice.NotNull(name))

    match node.op:
        case "null":
            return ice.NotNull(name) if negated else ice.IsNull(name)
        case "nan":
            return ice.NotNaN(name) if negated else ice.IsNaN(name)
        case "like":
            return not_null(ice.NotStartsWith(name, values[0])) if negated else ice.StartsWith(name, values[0])
        case "in":
            return not_null(ice.NotIn(name, values)) if negated else ice.In(name, values)
        case "between":
            low, high = values
            if negated:
                return with_nan(ice.Or(ice.LessThan(name, low), ice.GreaterThan(name, high)))
            return ice.And(ice.GreaterThanOrEqual(name, low), ice.LessThanOrEqual(name, high))
    if negated and node.op not in ("=", "!="):
        return with_nan(PYICEBERG[INVERSE[node.op]](name, values[0]))
    op = INVERSE[node.op] if negated else node.op
    expression = PYICEBERG[op](name, values[0])
    return not_null(expression) if op == "!=" else expression


def _pyiceberg_literal(kind: str, value: Any) -> Any:
    if kind in ("date", "time"):
        return value.isoformat()
    if kind in ("timestamp", "timestamptz"):
        return value.isoformat("T", "microseconds") if isinstance(value, dt.datetime) else value
    return value
