/** The Avro schemas of manifest lists and manifests (table spec, "Manifest Lists" and "Manifests"), as version 1 and 2 write them. */

type AvroFieldJson = { readonly name: string; readonly type: unknown; readonly 'field-id': number };

const required = (fieldId: number, name: string, type: unknown): AvroFieldJson => ({ name, type, 'field-id': fieldId });

const optional = (fieldId: number, name: string, type: unknown): AvroFieldJson & { readonly default: null } => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': fieldId,
});

const list = (elementId: number, items: unknown): object => ({ type: 'array', items, 'element-id': elementId });

/** Avro's maps have string keys, so Iceberg writes an array of pairs (table spec, Appendix A). */
const pairs = (keyId: number, valueId: number, value: 'long' | 'bytes'): object => ({
  type: 'array',
  logicalType: 'map',
  items: {
    type: 'record',
    name: `k${keyId}_v${valueId}`,
    fields: [required(keyId, 'key', 'int'), required(valueId, 'value', value)],
  },
});

export function manifestListSchema(formatVersion: 1 | 2): object {
  const count = formatVersion > 1 ? required : optional;
  const summary = {
    type: 'record',
    name: 'r508',
    fields: [
      required(509, 'contains_null', 'boolean'),
      optional(518, 'contains_nan', 'boolean'),
      optional(510, 'lower_bound', 'bytes'),
      optional(511, 'upper_bound', 'bytes'),
    ],
  };
  return {
    type: 'record',
    name: 'manifest_file',
    fields: [
      required(500, 'manifest_path', 'string'),
      required(501, 'manifest_length', 'long'),
      required(502, 'partition_spec_id', 'int'),
      ...(formatVersion > 1
        ? [
            required(517, 'content', 'int'),
            required(515, 'sequence_number', 'long'),
            required(516, 'min_sequence_number', 'long'),
          ]
        : []),
      required(503, 'added_snapshot_id', 'long'),
      count(504, 'added_files_count', 'int'),
      count(505, 'existing_files_count', 'int'),
      count(506, 'deleted_files_count', 'int'),
      count(512, 'added_rows_count', 'long'),
      count(513, 'existing_rows_count', 'long'),
      count(514, 'deleted_rows_count', 'long'),
      optional(507, 'partitions', list(508, summary)),
      optional(519, 'key_metadata', 'bytes'),
    ],
  };
}

/** `partition` is the Avro record of the partition tuple (`partitionSchema`). */
export function manifestEntrySchema(partition: object, formatVersion: 1 | 2): object {
  const v2 = formatVersion > 1;
  const dataFile = {
    type: 'record',
    name: 'r2',
    fields: [
      ...(v2 ? [required(134, 'content', 'int')] : []),
      required(100, 'file_path', 'string'),
      required(101, 'file_format', 'string'),
      required(102, 'partition', partition),
      required(103, 'record_count', 'long'),
      required(104, 'file_size_in_bytes', 'long'),
      ...(v2 ? [] : [required(105, 'block_size_in_bytes', 'long')]),
      optional(108, 'column_sizes', pairs(117, 118, 'long')),
      optional(109, 'value_counts', pairs(119, 120, 'long')),
      optional(110, 'null_value_counts', pairs(121, 122, 'long')),
      optional(137, 'nan_value_counts', pairs(138, 139, 'long')),
      optional(125, 'lower_bounds', pairs(126, 127, 'bytes')),
      optional(128, 'upper_bounds', pairs(129, 130, 'bytes')),
      optional(131, 'key_metadata', 'bytes'),
      optional(132, 'split_offsets', list(133, 'long')),
      ...(v2 ? [optional(135, 'equality_ids', list(136, 'int'))] : []),
      optional(140, 'sort_order_id', 'int'),
    ],
  };
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      required(0, 'status', 'int'),
      v2 ? optional(1, 'snapshot_id', 'long') : required(1, 'snapshot_id', 'long'),
      ...(v2 ? [optional(3, 'sequence_number', 'long'), optional(4, 'file_sequence_number', 'long')] : []),
      required(2, 'data_file', dataFile),
    ],
  };
}
