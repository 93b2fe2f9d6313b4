import { Binary } from 'apache-arrow/fb/binary';
import { Bool } from 'apache-arrow/fb/bool';
import { Date as DateTable } from 'apache-arrow/fb/date';
import { DateUnit } from 'apache-arrow/fb/date-unit';
import { Decimal } from 'apache-arrow/fb/decimal';
import { Duration } from 'apache-arrow/fb/duration';
import type { Field } from 'apache-arrow/fb/field';
import { FixedSizeBinary } from 'apache-arrow/fb/fixed-size-binary';
import { FixedSizeList } from 'apache-arrow/fb/fixed-size-list';
import { FloatingPoint } from 'apache-arrow/fb/floating-point';
import { Int } from 'apache-arrow/fb/int';
import { List } from 'apache-arrow/fb/list';
import { Map as MapTable } from 'apache-arrow/fb/map';
import { Null } from 'apache-arrow/fb/null';
import { Precision } from 'apache-arrow/fb/precision';
import { Struct_ } from 'apache-arrow/fb/struct-';
import { Time } from 'apache-arrow/fb/time';
import { TimeUnit as UnitCode } from 'apache-arrow/fb/time-unit';
import { Timestamp } from 'apache-arrow/fb/timestamp';
import { Type } from 'apache-arrow/fb/type';
import { Utf8 } from 'apache-arrow/fb/utf8';
import { type Builder, Encoding } from 'flatbuffers';
import type { ArrowField, ArrowType, TimeUnit } from './column.ts';
import type { WireField, WireLayout } from './ipc-wire.ts';

/** Arrow types that have no column of ours, with the name that the error shows. */
export class UnsupportedType extends Error {}
/** A type that the format does not allow: the message says what is wrong with it. */
export class MalformedType extends Error {}

export interface DecodedType {
  readonly type: ArrowType;
  readonly layout: WireLayout;
}

const units: Readonly<Record<UnitCode, TimeUnit>> = {
  [UnitCode.SECOND]: 's',
  [UnitCode.MILLISECOND]: 'ms',
  [UnitCode.MICROSECOND]: 'us',
  [UnitCode.NANOSECOND]: 'ns',
};
const unitCodes: Readonly<Record<TimeUnit, UnitCode>> = {
  s: UnitCode.SECOND,
  ms: UnitCode.MILLISECOND,
  us: UnitCode.MICROSECOND,
  ns: UnitCode.NANOSECOND,
};

const fixed = (type: ArrowType, width: number, swapBytes = width): DecodedType => ({
  type,
  layout: { kind: 'fixed', width, swapBytes },
});

/** The type of a flatbuffer Field whose children are already decoded (format/Schema.fbs, `union Type`). */
export function decodeType(
  field: Field,
  children: readonly WireField[],
  readText: (bytes: Uint8Array) => string,
): DecodedType {
  const table = <T>(of: T): T => {
    const found: T | null = field.type(of);
    if (found === null) throw new MalformedType('the type has no parameters');
    return found;
  };
  switch (field.typeType()) {
    case Type.Null:
      return { type: { kind: 'null' }, layout: { kind: 'null' } };
    case Type.Bool:
      return { type: { kind: 'bool' }, layout: { kind: 'bool' } };
    case Type.Int:
      return decodeInt(table(new Int()));
    case Type.FloatingPoint:
      return decodeFloat(table(new FloatingPoint()).precision());
    case Type.Decimal:
      return decodeDecimal(table(new Decimal()));
    case Type.Date: {
      const day = table(new DateTable()).unit() === DateUnit.DAY;
      return fixed({ kind: 'date', unit: day ? 'day' : 'ms' }, day ? 4 : 8);
    }
    case Type.Time: {
      const time = table(new Time());
      const unit = decodeUnit(time.unit());
      const bits = unit === 's' || unit === 'ms' ? 32 : 64;
      if (time.bitWidth() !== bits) throw new MalformedType(`a time in ${unit} has ${bits} bits`);
      return fixed({ kind: 'time', unit }, bits / 8);
    }
    case Type.Timestamp: {
      const timestamp = table(new Timestamp());
      const zone = timestamp.timezone(Encoding.UTF8_BYTES);
      const timezone = zone === null || zone.length === 0 ? null : readText(zone as Uint8Array);
      return fixed({ kind: 'timestamp', unit: decodeUnit(timestamp.unit()), timezone }, 8);
    }
    case Type.Duration:
      return fixed({ kind: 'duration', unit: decodeUnit(table(new Duration()).unit()) }, 8);
    case Type.FixedSizeBinary: {
      const byteWidth = table(new FixedSizeBinary()).byteWidth();
      if (byteWidth < 0) throw new MalformedType('a negative width');
      return fixed({ kind: 'fixed-size-binary', byteWidth }, byteWidth, 1);
    }
    case Type.Utf8:
      return { type: { kind: 'utf8' }, layout: { kind: 'bytes', offsetBits: 32, utf8: true } };
    case Type.LargeUtf8:
      return { type: { kind: 'utf8' }, layout: { kind: 'bytes', offsetBits: 64, utf8: true } };
    case Type.Binary:
      return { type: { kind: 'binary' }, layout: { kind: 'bytes', offsetBits: 32, utf8: false } };
    case Type.LargeBinary:
      return { type: { kind: 'binary' }, layout: { kind: 'bytes', offsetBits: 64, utf8: false } };
    case Type.Utf8View:
      return { type: { kind: 'utf8' }, layout: { kind: 'view', utf8: true } };
    case Type.BinaryView:
      return { type: { kind: 'binary' }, layout: { kind: 'view', utf8: false } };
    case Type.FixedSizeList: {
      const size = table(new FixedSizeList()).listSize();
      if (size < 0) throw new MalformedType('a negative size');
      return { type: { kind: 'fixed-size-list', element: only(children), size }, layout: { kind: 'fixed-list', size } };
    }
    case Type.Struct_: {
      const fields = children.map((child) => child.field);
      return { type: { kind: 'struct', fields }, layout: { kind: 'struct' } };
    }
    case Type.Map:
      return decodeMap(only(children), table(new MapTable()).keysSorted());
    default:
      return decodeList(field.typeType(), children);
  }
}

function decodeList(code: Type, children: readonly WireField[]): DecodedType {
  const list = (layout: WireLayout): DecodedType => ({ type: { kind: 'list', element: only(children) }, layout });
  switch (code) {
    case Type.List:
      return list({ kind: 'list', offsetBits: 32 });
    case Type.LargeList:
      return list({ kind: 'list', offsetBits: 64 });
    case Type.ListView:
      return list({ kind: 'list-view', offsetBits: 32 });
    case Type.LargeListView:
      return list({ kind: 'list-view', offsetBits: 64 });
    case Type.RunEndEncoded: {
      const [ends, values] = children;
      if (ends === undefined || values === undefined || children.length > 2)
        throw new MalformedType('it needs 2 children');
      const endsType = ends.field.type;
      if (endsType.kind !== 'int' || !endsType.signed || endsType.bits === 8) {
        throw new MalformedType('run ends are int16, int32 or int64');
      }
      return { type: values.field.type, layout: { kind: 'run-end' } };
    }
    case Type.Union:
      throw new UnsupportedType('union');
    case Type.Interval:
      throw new UnsupportedType('interval');
    default:
      throw new MalformedType(`type number ${code} is not one of Arrow's`);
  }
}

function only(children: readonly WireField[]): ArrowField {
  if (children.length !== 1) throw new MalformedType(`it needs 1 child, not ${children.length}`);
  return children[0]!.field;
}

function decodeMap(entries: ArrowField, keysSorted: boolean): DecodedType {
  if (entries.type.kind !== 'struct' || entries.type.fields.length !== 2) {
    throw new MalformedType('the entries of a map are a struct of key and value');
  }
  const [key, value] = entries.type.fields as readonly [ArrowField, ArrowField];
  return { type: { kind: 'map', key, value, keysSorted }, layout: { kind: 'list', offsetBits: 32 } };
}

function decodeInt(int: Int): DecodedType {
  const bits = int.bitWidth();
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) throw new MalformedType(`an integer of ${bits} bits`);
  return fixed({ kind: 'int', bits, signed: int.isSigned() }, bits / 8);
}

function decodeFloat(precision: Precision): DecodedType {
  switch (precision) {
    case Precision.HALF:
      return fixed({ kind: 'float', bits: 16 }, 2);
    case Precision.SINGLE:
      return fixed({ kind: 'float', bits: 32 }, 4);
    case Precision.DOUBLE:
      return fixed({ kind: 'float', bits: 64 }, 8);
    default:
      throw new MalformedType('an unknown floating point precision');
  }
}

const decimalDigitsMax = { 32: 9, 64: 18, 128: 38, 256: 76 } as const;

function decodeDecimal(decimal: Decimal): DecodedType {
  const bits = decimal.bitWidth();
  const precision = decimal.precision();
  if (bits !== 32 && bits !== 64 && bits !== 128 && bits !== 256) throw new MalformedType(`a decimal of ${bits} bits`);
  if (precision < 1 || precision > decimalDigitsMax[bits]) {
    throw new MalformedType(`a decimal of ${bits} bits has 1 to ${decimalDigitsMax[bits]} digits, not ${precision}`);
  }
  return fixed({ kind: 'decimal', precision, scale: decimal.scale(), bits }, bits / 8);
}

function decodeUnit(code: UnitCode): TimeUnit {
  const unit = units[code];
  if (unit === undefined) throw new MalformedType('an unknown time unit');
  return unit;
}

export interface EncodedType {
  readonly code: Type;
  readonly offset: number;
}

const empty =
  (code: Type, start: (builder: Builder) => void, end: (builder: Builder) => number) => (builder: Builder) => {
    start(builder);
    return { code, offset: end(builder) };
  };
const encodeNull = empty(Type.Null, Null.startNull, Null.endNull);
const encodeBool = empty(Type.Bool, Bool.startBool, Bool.endBool);
const encodeUtf8 = empty(Type.Utf8, Utf8.startUtf8, Utf8.endUtf8);
const encodeBinary = empty(Type.Binary, Binary.startBinary, Binary.endBinary);
const encodeList = empty(Type.List, List.startList, List.endList);
const encodeStruct = empty(Type.Struct_, Struct_.startStruct_, Struct_.endStruct_);

const precisions = { 16: Precision.HALF, 32: Precision.SINGLE, 64: Precision.DOUBLE } as const;

/** Writes a type's table; children are the field's, not the type's. */
export function encodeType(builder: Builder, type: ArrowType): EncodedType {
  switch (type.kind) {
    case 'null':
      return encodeNull(builder);
    case 'bool':
      return encodeBool(builder);
    case 'int':
      return { code: Type.Int, offset: Int.createInt(builder, type.bits, type.signed) };
    case 'float': {
      const offset = FloatingPoint.createFloatingPoint(builder, precisions[type.bits]);
      return { code: Type.FloatingPoint, offset };
    }
    case 'decimal': {
      const offset = Decimal.createDecimal(builder, type.precision, type.scale, type.bits);
      return { code: Type.Decimal, offset };
    }
    case 'date': {
      const unit = type.unit === 'day' ? DateUnit.DAY : DateUnit.MILLISECOND;
      return { code: Type.Date, offset: DateTable.createDate(builder, unit) };
    }
    case 'time': {
      const bits = type.unit === 's' || type.unit === 'ms' ? 32 : 64;
      return { code: Type.Time, offset: Time.createTime(builder, unitCodes[type.unit], bits) };
    }
    case 'timestamp': {
      const zone = type.timezone === null ? 0 : builder.createString(type.timezone);
      return { code: Type.Timestamp, offset: Timestamp.createTimestamp(builder, unitCodes[type.unit], zone) };
    }
    case 'duration':
      return { code: Type.Duration, offset: Duration.createDuration(builder, unitCodes[type.unit]) };
    case 'utf8':
      return encodeUtf8(builder);
    case 'binary':
      return encodeBinary(builder);
    case 'fixed-size-binary': {
      const offset = FixedSizeBinary.createFixedSizeBinary(builder, type.byteWidth);
      return { code: Type.FixedSizeBinary, offset };
    }
    case 'list':
      return encodeList(builder);
    case 'fixed-size-list':
      return { code: Type.FixedSizeList, offset: FixedSizeList.createFixedSizeList(builder, type.size) };
    case 'struct':
      return encodeStruct(builder);
    case 'map':
      return { code: Type.Map, offset: MapTable.createMap(builder, type.keysSorted) };
    default:
      return type satisfies never;
  }
}
