import { bytesOf, readFields, textOf } from '../streams/wire/protobuf.ts';

/**
 * The message inside an action's body. JDBC and ADBC wrap it in a google.protobuf.Any (a URL that ends in the message's name, and its
 * bytes), pyarrow sends it plain: both are taken. A body that is an Any of another message stays as it is, and its reader refuses it.
 */
export function unwrapAny(body: Uint8Array, messageName: string): Uint8Array {
  let typeUrl: string | null = null;
  let value: Uint8Array = new Uint8Array(0);
  try {
    for (const field of readFields(body, 'Any')) {
      if (field.number === 1) typeUrl = textOf(field, 'Any');
      else if (field.number === 2) value = bytesOf(field, 'Any');
      else return body;
    }
  } catch {
    // Not an Any: a plain message may well read as a malformed one.
    return body;
  }
  return typeUrl !== null && names(typeUrl, messageName) ? value : body;
}

function names(typeUrl: string, messageName: string): boolean {
  const name = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  return typeUrl.includes('/') && (name === messageName || name.endsWith(`.${messageName}`));
}
