"""Answers in one process what PyIceberg makes of generated values, schemas and changes. Reads `input`, leaves `output`."""

import json
import uuid
from decimal import Decimal, localcontext
from types import SimpleNamespace

import mmh3
from pyiceberg.conversions import from_bytes, to_bytes
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table.name_mapping import create_mapping_from_schema
from pyiceberg.table.update.schema import UpdateSchema
from pyiceberg.transforms import parse_transform
from pyiceberg.typedef import Record
from pyiceberg.types import NestedField
from pyiceberg.utils.truncate import truncate_upper_bound_binary_string, truncate_upper_bound_text_string


def type_of(name):
    return NestedField(field_id=1, name="x", field_type=name, required=False).field_type


def read(name, text):
    if text is None:
        return None
    if name == "boolean":
        return text == "true"
    if name in ("float", "double"):
        return float(text)
    if name == "string":
        return text
    if name == "uuid":
        return uuid.UUID(bytes=bytes.fromhex(text))
    if name == "binary" or name.startswith("fixed"):
        return bytes.fromhex(text)
    if name.startswith("decimal"):
        scale = int(name.rstrip(")").split(",")[1])
        with localcontext() as context:
            context.prec = 60
            return Decimal(int(text)).scaleb(-scale)
    return int(text)


def show(value):
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, uuid.UUID):
        return value.bytes.hex()
    if isinstance(value, Decimal):
        sign, digits, _ = value.as_tuple()
        unscaled = int("".join(map(str, digits)) or "0")
        return str(-unscaled if sign else unscaled)
    return repr(value) if isinstance(value, float) else str(value)


def transformed(case):
    source = type_of(case["type"])
    apply = parse_transform(case["transform"]).transform(source)
    return [show(apply(read(case["type"], value))) for value in case["values"]]


def serialized(case):
    kind = type_of(case["type"])
    values = [read(case["type"], value) for value in case["values"]]
    encoded = [to_bytes(kind, value) for value in values]
    return [[data.hex(), show(from_bytes(kind, data))] for data in encoded]


def upper_bounds(case):
    cut = truncate_upper_bound_text_string if case["type"] == "string" else truncate_upper_bound_binary_string
    return [show(cut(read(case["type"], value), case["length"])) for value in case["values"]]


def plain(model):
    return json.loads(model.model_dump_json(exclude_none=True))


def schema_facts(text):
    schema = Schema.model_validate_json(text)
    return {
        "json": plain(schema),
        "fresh": plain(assign_fresh_schema_ids(schema)),
        "mapping": json.loads(create_mapping_from_schema(schema).model_dump_json(exclude_none=True)),
    }


def paths(case):
    schema = Schema.model_validate_json(json.dumps(case["schema"]))
    spec = PartitionSpec(*[PartitionField.model_validate_json(json.dumps(field)) for field in case["fields"]])
    types = [parse_transform(f["transform"]).result_type(schema.find_type(f["source-id"])) for f in case["fields"]]
    return [
        spec.partition_to_path(Record(*[read(str(t), v) for t, v in zip(types, values, strict=True)]), schema)
        for values in case["values"]
    ]


def evolved(case):
    schema = Schema.model_validate_json(json.dumps(case["schema"]))
    table = SimpleNamespace(table_metadata=SimpleNamespace(partition_specs=[], schemas=[schema]))
    update = UpdateSchema(table, schema=schema)
    for change in case["changes"]:
        take(update, change)
    try:
        return plain(update._apply())
    except KeyError as error:
        # PyIceberg 0.12 takes a list's or map's struct that lost its last field for an absent type.
        if error.args[0] not in ("element_type", "value_type"):
            raise
        return None


def take(update, change):
    kind = change["kind"]
    if kind == "add":
        update.add_column(tuple((change["parent"] or []) + [change["name"]]), type_of(change["type"]), change.get("doc"))
    elif kind == "drop":
        update.delete_column(tuple(change["path"]))
    elif kind == "rename":
        update.rename_column(tuple(change["path"]), change["name"])
    elif kind == "widen":
        update.update_column(tuple(change["path"]), field_type=type_of(change["type"]))
    elif kind == "make-optional":
        update.make_column_optional(tuple(change["path"]))
    elif kind == "set-doc":
        update.update_column(tuple(change["path"]), doc=change["doc"])
    elif change["to"]["kind"] == "first":
        update.move_first(tuple(change["path"]))
    else:
        sibling = tuple(change["path"][:-1] + [change["to"]["sibling"]])
        move = update.move_before if change["to"]["kind"] == "before" else update.move_after
        move(tuple(change["path"]), sibling)


output = {
    "hashes": [mmh3.hash(bytes.fromhex(data)) for data in input["hashes"]],
    "transforms": [transformed(case) for case in input["transforms"]],
    "bounds": [serialized(case) for case in input["bounds"]],
    "uppers": [upper_bounds(case) for case in input["uppers"]],
    "schemas": [schema_facts(json.dumps(schema)) for schema in input["schemas"]],
    "paths": [paths(case) for case in input["paths"]],
    "evolutions": [evolved(case) for case in input["evolutions"]],
}
