import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { runPython } from '../support/python.ts';

const script = `
import sys; sys.path.insert(0, input["folder"])
import pyarrow as pa
from content_hash import ContentHash

def digest(*batches):
    content = ContentHash()
    for batch in batches:
        content.add(batch)
    return content.hexdigest()

base = pa.record_batch({
    "n": pa.array([1, None, 3, 0], pa.int64()), "t": pa.array([1, 2, 3, 4], pa.timestamp("us")),
    "s": pa.array(["a", "", None, "b"]), "b": pa.array([True, None, False, True]), "f": pa.array([0.5, -0.0, None, 2.0], pa.float32()),
    "l": pa.array([[1], [], None, [1, None]], pa.list_(pa.int32())),
})
def changed(name, values):
    at = base.schema.get_field_index(name)
    return base.set_column(at, base.schema.field(at), pa.array(values, base.schema.field(at).type))

encoded = base.set_column(2, "s", base.column("s").dictionary_encode())
output = {
    "base": digest(base),
    "same": [digest(base.take([3, 1, 0, 2])), digest(base.slice(1), base.slice(0, 1)), digest(encoded)],
    "other": [
        digest(changed("n", [1, 0, 3, 0])), digest(changed("n", [1, None, 3, None])), digest(changed("s", ["a", None, None, "b"])),
        digest(changed("b", [True, False, False, True])), digest(changed("f", [0.5, 0.0, None, 2.0])),
        digest(changed("l", [[1], None, None, [1, None]])),
        digest(base.rename_columns(["m", "t", "s", "b", "f", "l"])), digest(base.slice(0, 3)), digest(base, base),
        digest(base.set_column(0, "n", base.column("n").cast(pa.int32()))),
        digest(changed("n", [3, None, 1, 0])),
    ],
}
`;

test('the content hash depends on values, nulls, names and types, not on order, batches or dictionaries', async () => {
  const folder = join(import.meta.dirname, '../../bench');
  const { base, same, other } = (await runPython(script, { folder })) as {
    readonly base: string;
    readonly same: readonly string[];
    readonly other: readonly string[];
  };
  for (const hash of same) assert.equal(hash, base);
  assert.equal(new Set([base, ...other]).size, other.length + 1);
});
