import type { PartitionChange } from '../../catalog/partition/spec.ts';
import type { MovePosition, SchemaChange } from '../../catalog/schema/evolve.ts';
import { parsePrimitiveType } from '../../catalog/schema/type-text.ts';
import { parseColumnPath } from '../../core/column-path.ts';
import { didYouMean } from '../../core/nearest.ts';
import { UsageError } from '../exit-codes.ts';
import { parseType } from './parse-type.ts';

/** One command line's worth of change: several schema changes only where a column is added at a place of its own. */
export type TableChange =
  | { readonly kind: 'schema'; readonly changes: readonly SchemaChange[] }
  | { readonly kind: 'partition'; readonly change: PartitionChange }
  | { readonly kind: 'properties'; readonly set: ReadonlyMap<string, string>; readonly remove: readonly string[] };

export interface ChangeOptions {
  readonly first?: boolean;
  readonly after?: string;
  readonly before?: string;
  readonly doc?: string;
  readonly required?: boolean;
  readonly name?: string;
}

type OptionName = keyof ChangeOptions;

interface Verb {
  /** As it is written after `alter TABLE`. */
  readonly form: string;
  readonly words: readonly [least: number, most: number];
  readonly options: readonly OptionName[];
  readonly read: (words: readonly string[], options: ChangeOptions) => TableChange;
}

const places: readonly OptionName[] = ['first', 'after', 'before'];
const many = Number.MAX_SAFE_INTEGER;

const verbs: Readonly<Record<string, Verb>> = {
  rename: {
    form: 'rename COLUMN NAME',
    words: [2, 2],
    options: [],
    read: ([column, name]) => schema({ kind: 'rename', path: parseColumnPath(column!), name: unquoted(name!) }),
  },
  add: { form: 'add COLUMN TYPE', words: [2, many], options: [...places, 'doc', 'required'], read: readAdd },
  drop: {
    form: 'drop COLUMN',
    words: [1, 1],
    options: [],
    read: ([column]) => schema({ kind: 'drop', path: parseColumnPath(column!) }),
  },
  widen: {
    form: 'widen COLUMN TYPE',
    words: [2, many],
    options: [],
    read: ([column, ...type]) =>
      schema({ kind: 'widen', path: parseColumnPath(column!), type: parsePrimitiveType(type.join(' ')) }),
  },
  optional: {
    form: 'optional COLUMN',
    words: [1, 1],
    options: [],
    read: ([column]) => schema({ kind: 'make-optional', path: parseColumnPath(column!) }),
  },
  doc: {
    form: 'doc COLUMN TEXT',
    words: [2, 2],
    options: [],
    read: ([column, text]) =>
      schema({ kind: 'set-doc', path: parseColumnPath(column!), doc: text === '' ? null : text! }),
  },
  move: { form: 'move COLUMN --first|--after COLUMN|--before COLUMN', words: [1, 1], options: places, read: readMove },
  partition: {
    form: "partition add 'month(date)' | partition drop FIELD | partition rename FIELD NAME",
    words: [2, 3],
    options: ['name'],
    read: readPartition,
  },
  set: { form: 'set NAME=VALUE…', words: [1, many], options: [], read: readSet },
  unset: {
    form: 'unset NAME…',
    words: [1, many],
    options: [],
    read: (names) => ({ kind: 'properties', set: new Map(), remove: names }),
  },
};

/** Every form of `alter`, for the help. */
export const changeForms: readonly string[] = Object.values(verbs).map(({ form }) => form);

/**
 * Reads what follows `alter TABLE`. Throws a UsageError for words that make no change, INVALID_REQUEST for a path or a type that
 * cannot be read.
 */
export function parseChange(words: readonly string[], options: ChangeOptions): TableChange {
  const [name = '', ...rest] = words;
  const verb = Object.hasOwn(verbs, name) ? verbs[name]! : undefined;
  if (verb === undefined)
    throw new UsageError(`alter cannot ${JSON.stringify(name)}.${didYouMean(name, Object.keys(verbs))}`);
  const [least, most] = verb.words;
  if (rest.length < least || rest.length > most) throw new UsageError(`write alter TABLE ${verb.form}`);
  for (const [option, value] of Object.entries(options)) {
    if (value !== undefined && !verb.options.includes(option as OptionName)) {
      throw new UsageError(`--${option} does not go with alter … ${name}`);
    }
  }
  return verb.read(rest, options);
}

const schema = (...changes: SchemaChange[]): TableChange => ({ kind: 'schema', changes });

/** A name may be quoted as in a path, and is the one part of it. */
function unquoted(name: string): string {
  const path = parseColumnPath(name);
  if (path.length !== 1)
    throw new UsageError(`${name} is a path: give the new name alone, in double quotes where it holds a dot`);
  return path[0]!;
}

function readAdd([column, ...type]: readonly string[], options: ChangeOptions): TableChange {
  const path = parseColumnPath(column!);
  const { doc, required } = options;
  const add: SchemaChange = {
    kind: 'add',
    parent: path.length === 1 ? null : path.slice(0, -1),
    name: path.at(-1)!,
    type: parseType(type.join(' ')),
    ...(required === true && { required }),
    ...(doc !== undefined && { doc }),
  };
  const to = positionOf(options);
  return to === null ? schema(add) : schema(add, { kind: 'move', path, to });
}

function readMove([column]: readonly string[], options: ChangeOptions): TableChange {
  const to = positionOf(options);
  if (to === null) throw new UsageError('alter … move needs --first, --after COLUMN or --before COLUMN');
  return schema({ kind: 'move', path: parseColumnPath(column!), to });
}

function positionOf({ first, after, before }: ChangeOptions): MovePosition | null {
  const given = [first, after, before].filter((option) => option !== undefined);
  if (given.length > 1) throw new UsageError('--first, --after and --before exclude each other');
  if (first === true) return { kind: 'first' };
  if (after !== undefined) return { kind: 'after', sibling: unquoted(after) };
  return before === undefined ? null : { kind: 'before', sibling: unquoted(before) };
}

function readPartition([verb, field, name]: readonly string[], options: ChangeOptions): TableChange {
  if ((verb === 'rename') !== (name !== undefined) || (options.name !== undefined && verb !== 'add')) {
    throw new UsageError(`write alter TABLE ${verbs.partition!.form}`);
  }
  switch (verb) {
    case 'add':
      return {
        kind: 'partition',
        change: { kind: 'add', by: field!, ...(options.name !== undefined && { name: options.name }) },
      };
    case 'drop':
      return { kind: 'partition', change: { kind: 'remove', field: field! } };
    case 'rename':
      return { kind: 'partition', change: { kind: 'rename', field: field!, name: name! } };
    default:
      throw new UsageError(`alter … partition adds, drops or renames, it does not ${JSON.stringify(verb)}`);
  }
}

function readSet(words: readonly string[]): TableChange {
  const pairs = words.map((word): [string, string] => {
    const at = word.indexOf('=');
    if (at < 1) throw new UsageError(`${JSON.stringify(word)} sets nothing: write NAME=VALUE`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
  return { kind: 'properties', set: new Map(pairs), remove: [] };
}
