import { type ArrowType, byteWidth, type Column } from '../column.ts';
import { bitmapBytes } from './bitmap.ts';

/** `length` nulls of a type, all buffers zero. */
export function nullColumn(type: ArrowType, length: number): Column {
  if (type.kind === 'null') return { kind: 'null', type, length, nullCount: length, validity: null };
  const validity = length === 0 ? null : new Uint8Array(bitmapBytes(length));
  const base = { type, length, nullCount: length, validity };
  switch (type.kind) {
    case 'bool':
      return { ...base, kind: 'bool', values: new Uint8Array(bitmapBytes(length)) };
    case 'utf8':
    case 'binary':
      return { ...base, kind: 'bytes', offsets: new Int32Array(length + 1), values: new Uint8Array(0) };
    case 'list':
      return { ...base, kind: 'list', offsets: new Int32Array(length + 1), child: nullColumn(type.element.type, 0) };
    case 'map': {
      const child = nullColumn({ kind: 'struct', fields: [type.key, type.value] }, 0);
      return { ...base, kind: 'list', offsets: new Int32Array(length + 1), child };
    }
    case 'fixed-size-list': {
      const child = nullColumn(type.element.type, length * type.size);
      return { ...base, kind: 'fixed-list', size: type.size, child };
    }
    case 'struct':
      return { ...base, kind: 'struct', children: type.fields.map((field) => nullColumn(field.type, length)) };
    default: {
      const width = byteWidth(type);
      return { ...base, kind: 'fixed', width, values: new Uint8Array(length * width) };
    }
  }
}
