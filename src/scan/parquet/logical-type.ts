import type { LogicalType, ParquetTimeUnit } from './schema.ts';
import type { ThriftReader } from './thrift.ts';

const units: Record<number, ParquetTimeUnit> = { 1: 'ms', 2: 'us', 3: 'ns' };
const plain = {
  1: 'string',
  2: 'map',
  3: 'list',
  4: 'enum',
  6: 'date',
  11: 'unknown',
  12: 'json',
  13: 'bson',
  14: 'uuid',
  15: 'float16',
  16: 'variant',
  17: 'geometry',
  18: 'geography',
} as const;

/** Reads the union `LogicalType`; null where it holds a member that this reader does not know (it then has no meaning for us). */
export function readLogicalType(reader: ThriftReader, type: number): LogicalType | null {
  let logical: LogicalType | null = null;
  reader.structField(type, (id, member) => {
    if (id === 5) logical = readDecimal(reader, member);
    else if (id === 7 || id === 8) logical = readTime(reader, member, id === 7 ? 'time' : 'timestamp');
    else if (id === 10) logical = readInteger(reader, member);
    else {
      reader.skip(member);
      if (id in plain) logical = { kind: plain[id as keyof typeof plain] };
    }
  });
  return logical;
}

function readDecimal(reader: ThriftReader, type: number): LogicalType {
  let scale = 0;
  let precision = 0;
  reader.structField(type, (id, field) => {
    if (id === 1) scale = reader.i32(field);
    else if (id === 2) precision = reader.i32(field);
    else reader.skip(field);
  });
  return checkedDecimal(reader, precision, scale);
}

function checkedDecimal(reader: ThriftReader, precision: number, scale: number): LogicalType {
  if (precision < 1 || precision > 76 || scale < 0 || scale > precision) {
    reader.fail(`a decimal has precision ${precision} and scale ${scale}`);
  }
  return { kind: 'decimal', precision, scale };
}

function readTime(reader: ThriftReader, type: number, kind: 'time' | 'timestamp'): LogicalType {
  let utc = false;
  let unit: ParquetTimeUnit | undefined;
  reader.structField(type, (id, field) => {
    if (id === 1) utc = reader.bool(field);
    else if (id === 2) {
      reader.structField(field, (member, memberType) => {
        unit = units[member];
        reader.skip(memberType);
      });
    } else reader.skip(field);
  });
  if (unit === undefined) reader.fail(`a ${kind} has no known unit`);
  return { kind, unit, utc };
}

function readInteger(reader: ThriftReader, type: number): LogicalType {
  let bits = 0;
  let signed = true;
  reader.structField(type, (id, field) => {
    if (id === 1) bits = reader.byte(field);
    else if (id === 2) signed = reader.bool(field);
    else reader.skip(field);
  });
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) reader.fail(`an integer has ${bits} bits`);
  return { kind: 'int', bits, signed };
}

/** What a converted type means where no logical type stands beside it (LogicalTypes.md, the compatibility tables). */
export function convertedType(
  reader: ThriftReader,
  converted: number,
  precision: number,
  scale: number,
): LogicalType | null {
  switch (converted) {
    case 0:
      return { kind: 'string' };
    case 1:
    case 2:
      return { kind: 'map' };
    case 3:
      return { kind: 'list' };
    case 4:
      return { kind: 'enum' };
    case 5:
      return checkedDecimal(reader, precision, scale);
    case 6:
      return { kind: 'date' };
    case 7:
      return { kind: 'time', unit: 'ms', utc: true };
    case 8:
      return { kind: 'time', unit: 'us', utc: true };
    case 9:
      return { kind: 'timestamp', unit: 'ms', utc: true };
    case 10:
      return { kind: 'timestamp', unit: 'us', utc: true };
    case 11:
    case 12:
    case 13:
    case 14:
      return { kind: 'int', bits: (8 << (converted - 11)) as 8 | 16 | 32 | 64, signed: false };
    case 15:
    case 16:
    case 17:
    case 18:
      return { kind: 'int', bits: (8 << (converted - 15)) as 8 | 16 | 32 | 64, signed: true };
    case 19:
      return { kind: 'json' };
    case 20:
      return { kind: 'bson' };
    case 21:
      return { kind: 'interval' };
    default:
      return null;
  }
}
