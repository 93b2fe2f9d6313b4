import type { IpcContents } from '../../scan/arrow/ipc-read.ts';
import { writeIpcStream } from '../../scan/arrow/ipc-write.ts';
import { OutputClosed } from '../exit-codes.ts';
import { writeOut } from '../output.ts';

/** Announces a message header of 8 bytes, which never come: readers accept a stream without its end mark, but not this. */
const cutMark = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 8, 0, 0, 0);

/** Writes all batches to standard output, as fast as its reader takes them. */
export async function writeArrowStream({ schema, batches }: IpcContents): Promise<void> {
  let begun = false;
  try {
    for await (const part of writeIpcStream(schema, batches)) {
      if (part.length === 0) continue;
      begun = true;
      await writeOut(part);
    }
  } catch (error) {
    // An error comes between messages, because a batch is encoded whole before any of it is written.
    if (begun && !(error instanceof OutputClosed)) await writeOut(cutMark);
    throw error;
  }
}
