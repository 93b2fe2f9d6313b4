import type { ByteRange, ObjectStore } from '../../../src/storage/object-store.ts';

/** A store that remembers which ranges were read through it. */
export function countingStore(objects: ObjectStore): ObjectStore & { readonly reads: ByteRange[]; bytes(): number } {
  const reads: ByteRange[] = [];
  return {
    reads,
    bytes: () => reads.reduce((sum, range) => sum + range.end - range.start, 0),
    stat: (location, signal) => objects.stat(location, signal),
    read(location, range, signal, identity) {
      reads.push(range);
      return objects.read(location, range, signal, identity);
    },
    readAll: (location, bytesMax, signal) => objects.readAll(location, bytesMax, signal),
    create: (location, signal) => objects.create(location, signal),
    list: (prefix, signal) => objects.list(prefix, signal),
    delete: (locations, signal) => objects.delete(locations, signal),
  };
}
