/** Metadata texts written by hand from the table specification; ids beyond 2^53 on purpose. */

export const goldenV1 = `{
  "format-version": 1,
  "location": "s3://bucket/v1/",
  "last-updated-ms": 1602638573874,
  "last-column-id": 3,
  "schema": {"type": "struct", "fields": [
    {"id": 1, "name": "x", "required": true, "type": "long"},
    {"id": 2, "name": "y", "required": true, "type": "long", "doc": "comment"},
    {"id": 3, "name": "z", "required": false, "type": "string"}]},
  "partition-spec": [
    {"name": "x", "transform": "identity", "source-id": 1},
    {"name": "y_bucket", "transform": "bucket[4]", "source-id": 2}],
  "properties": {"commit.retry.num-retries": 1},
  "current-snapshot-id": 3051729675574597004,
  "snapshots": [
    {"snapshot-id": 3051729675574597004, "timestamp-ms": 1515100955770, "manifests": ["s3://bucket/v1/m1.avro"]}]
}`;

export const goldenV2 = `{
  "format-version": 2,
  "table-uuid": "9C12D441-03FE-4693-9A96-A0705DDF69C1",
  "location": "s3://bucket/v2",
  "last-sequence-number": 34,
  "last-updated-ms": 1602638573590,
  "last-column-id": 3,
  "current-schema-id": 1,
  "schemas": [
    {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "x", "required": true, "type": "long"}]},
    {"type": "struct", "schema-id": 1, "identifier-field-ids": [1, 2], "fields": [
      {"id": 1, "name": "x", "required": true, "type": "long"},
      {"id": 2, "name": "y", "required": true, "type": "long", "doc": "comment"},
      {"id": 3, "name": "z", "required": true, "type": "long"}]}],
  "default-spec-id": 0,
  "partition-specs": [{"spec-id": 0, "fields": [
    {"name": "x", "transform": "identity", "source-id": 1, "field-id": 1000}]}],
  "last-partition-id": 1000,
  "default-sort-order-id": 3,
  "sort-orders": [{"order-id": 3, "fields": [
    {"transform": "identity", "source-id": 2, "direction": "asc", "null-order": "nulls-first"},
    {"transform": "bucket[4]", "source-id": 3, "direction": "desc", "null-order": "nulls-last"}]}],
  "properties": {"read.split.target.size": "134217728"},
  "current-snapshot-id": 3055729675574597004,
  "snapshots": [
    {"snapshot-id": 3051729675574597004, "timestamp-ms": 1515100955770, "sequence-number": 0,
     "summary": {"operation": "append"}, "manifest-list": "s3://bucket/v2/1.avro"},
    {"snapshot-id": 3055729675574597004, "parent-snapshot-id": 3051729675574597004, "timestamp-ms": 1555100955770,
     "sequence-number": 1, "summary": {"operation": "append", "added-records": "5"},
     "manifest-list": "s3://bucket/v2/2.avro", "schema-id": 1, "future-member": {"of": 9007199254740993}}],
  "snapshot-log": [
    {"snapshot-id": 3051729675574597004, "timestamp-ms": 1515100955770},
    {"snapshot-id": 3055729675574597004, "timestamp-ms": 1555100955770}],
  "metadata-log": [{"metadata-file": "s3://bucket/v2/metadata/00000-a.metadata.json", "timestamp-ms": 1515100955770}],
  "refs": {
    "main": {"snapshot-id": 3055729675574597004, "type": "branch", "max-snapshot-age-ms": 60000},
    "release": {"snapshot-id": 3051729675574597004, "type": "tag", "max-ref-age-ms": 10000000}},
  "statistics": [{"snapshot-id": 3055729675574597004, "statistics-path": "s3://bucket/v2/s.puffin",
    "file-size-in-bytes": 413, "file-footer-size-in-bytes": 42, "blob-metadata": []}],
  "future": [1, {"deep": 9007199254740993}]
}`;

export const goldenV3 = `{
  "format-version": 3,
  "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1",
  "location": "s3://bucket/v3",
  "last-sequence-number": 1,
  "last-updated-ms": 1602638573590,
  "last-column-id": 2,
  "current-schema-id": 0,
  "schemas": [{"type": "struct", "schema-id": 0, "fields": [
    {"id": 1, "name": "x", "required": true, "type": "long", "initial-default": 1, "write-default": 2},
    {"id": 2, "name": "t", "required": false, "type": "timestamptz_ns"}]}],
  "default-spec-id": 0,
  "partition-specs": [{"spec-id": 0, "fields": []}],
  "last-partition-id": 999,
  "default-sort-order-id": 0,
  "sort-orders": [{"order-id": 0, "fields": []}],
  "properties": {},
  "current-snapshot-id": 3055729675574597004,
  "next-row-id": 125,
  "snapshots": [{"snapshot-id": 3055729675574597004, "timestamp-ms": 1555100955770, "sequence-number": 1,
    "first-row-id": 100, "added-rows": 25, "summary": {"operation": "append"},
    "manifest-list": "s3://bucket/v3/2.avro", "schema-id": 0, "key-id": "k1"}],
  "snapshot-log": [{"snapshot-id": 3055729675574597004, "timestamp-ms": 1555100955770}],
  "metadata-log": [],
  "refs": {"main": {"snapshot-id": 3055729675574597004, "type": "branch"}},
  "encryption-keys": [{"key-id": "k1", "encrypted-key-metadata": "AAAA"}]
}`;
