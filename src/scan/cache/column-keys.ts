import { createHash } from 'node:crypto';
import type { ArrowField, ArrowType } from '../arrow/column.ts';
import { type ColumnPlan, type MapEntries, planLeaves } from '../parquet/column-plan.ts';
import type { ParquetFile } from '../parquet/footer.ts';
import type { RowGroup } from '../parquet/metadata.ts';
import type { ParquetLeaf } from '../parquet/schema.ts';

/** Raised whenever a decoder or a conversion gives other values than before, or a column is packed otherwise. */
const decoderVersion = 1;

/** Rows of a segment at most: as many as a batch has at most, so that batches need not be put together. */
export const segmentRowsMax = 65_536;
/** A row group's segment aims for so many bytes over all of the file's columns, as far as that leaves this many rows. */
const segmentRowBytes = 16 << 20;
const segmentRowsMin = 2_048;
/** No column's segment is to be much larger. */
const columnBytesTarget = 2 << 20;
/** What a text takes at least, as far as a dictionary lets one tell. */
const textBytesMin = 8;

const fileKeys = new WeakMap<ParquetFile, string>();
const grids = new WeakMap<RowGroup, number>();

/**
 * Names a row group's column in the cache: by the file's place, size and identity and every byte of its footer, the row group, the leaves
 * that the column is made of, and what they are turned into. A path alone would trust that nobody ever puts another file there.
 */
export function chunkKey(file: ParquetFile, rowGroup: number, plan: ColumnPlan, { type }: ArrowField): string {
  return `${fileKey(file)}/${rowGroup}/${columnSignature(plan, type)}`;
}

function fileKey(file: ParquetFile): string {
  let key = fileKeys.get(file);
  if (key === undefined) {
    const { location, bytes, identity, footer } = file;
    const hash = createHash('sha256').update(JSON.stringify([decoderVersion, location, bytes, identity]));
    key = hash.update(footer).digest('base64url').slice(0, 22);
    fileKeys.set(file, key);
  }
  return key;
}

const signatures = new WeakMap<ColumnPlan, string>();
const signatureCharsMax = 48;

/** What of a file a plan reads and what it makes of that. Names are left out: they change nothing of the values. */
export function columnSignature(plan: ColumnPlan, type: ArrowType): string {
  let signature = signatures.get(plan);
  if (signature === undefined) {
    const text = describe(plan, type);
    const isShort = text.length <= signatureCharsMax;
    signature = isShort ? text : createHash('sha256').update(text).digest('base64url').slice(0, 22);
    signatures.set(plan, signature);
  }
  return signature;
}

function describe(plan: ColumnPlan | MapEntries, type: ArrowType): string {
  switch (plan.kind) {
    case 'null':
      return `n${typeText(type)}`;
    case 'leaf':
      return `${plan.leaf.index}${plan.required ? '!' : ''}${typeText(type)}`;
    case 'struct': {
      const children = plan.children.map((child, at) => describe(child, childType(type, at))).join();
      return `s${plan.carrier.index}.${plan.depth}${plan.required ? '!' : ''}(${children})`;
    }
    case 'list': {
      const { carrier, depth, repeatedDepth, required, element } = plan;
      const inner = element.kind === 'entries' ? describe(element, type) : describe(element, childType(type, 0));
      return `l${carrier.index}.${depth}.${repeatedDepth}${required ? '!' : ''}(${inner})`;
    }
    case 'entries':
      return `${describe(plan.key, childType(type, 0))},${describe(plan.value, childType(type, 1))}`;
    default:
      return plan satisfies never;
  }
}

function childType(type: ArrowType, at: number): ArrowType {
  if (type.kind === 'struct') return type.fields[at]!.type;
  if (type.kind === 'map') return at === 0 ? type.key.type : type.value.type;
  if (type.kind === 'list') return type.element.type;
  throw new TypeError(`${type.kind} has no children`);
}

/** The type with the types below it, without names. */
function typeText(type: ArrowType): string {
  switch (type.kind) {
    case 'list':
    case 'fixed-size-list':
      return `[${typeText(type.element.type)}]`;
    case 'struct':
      return `{${type.fields.map((field) => typeText(field.type)).join()}}`;
    case 'map':
      return `<${typeText(type.key.type)},${typeText(type.value.type)}>`;
    default:
      return Object.values(type).join(':');
  }
}

/**
 * Rows of a segment of a row group: a power of two, at the most {@link segmentRowsMax}. One grid for all columns, and the same whatever is
 * read, so that what one scan keeps serves another.
 */
export function segmentRowsOf(group: RowGroup, leaves: readonly ParquetLeaf[]): number {
  let rows = grids.get(group);
  if (rows === undefined) {
    const widths = leaves.map((leaf) => leafRowBytes(group, leaf));
    const all = widths.reduce((sum, width) => sum + width, 0);
    const widest = widths.reduce((most, width) => Math.max(most, width), 1);
    const aimed = Math.max(segmentRowsMin, segmentRowBytes / Math.max(1, all));
    rows = powerOfTwo(Math.min(segmentRowsMax, aimed, columnBytesTarget / widest));
    grids.set(group, rows);
  }
  return rows;
}

/** About how many bytes a row of a column has, decoded. */
export function columnRowBytes(group: RowGroup, plan: ColumnPlan): number {
  return [...new Set(planLeaves(plan))].reduce((sum, leaf) => sum + leafRowBytes(group, leaf), 0);
}

function leafRowBytes({ chunks, rows }: RowGroup, leaf: ParquetLeaf): number {
  return Math.max(chunks[leaf.index]!.uncompressedBytes / Math.max(1, rows), leastBytes(leaf));
}

function leastBytes({ physical, typeLength }: ParquetLeaf): number {
  switch (physical) {
    case 'boolean':
      return 1 / 8;
    case 'int32':
    case 'float':
      return 4;
    case 'int64':
    case 'double':
    case 'int96':
      return 8;
    case 'byte-array':
      return textBytesMin;
    case 'fixed':
      return typeLength;
    default:
      return physical satisfies never;
  }
}

const powerOfTwo = (most: number): number => 2 ** Math.floor(Math.log2(Math.max(1, most)));
