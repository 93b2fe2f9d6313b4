/** Gives a buffer of at least so many bytes to write to, which begins at a multiple of 8 bytes. */
export type Allocate = (bytes: number) => Uint8Array;

/** Fresh memory that may hold anything: whoever asks for it writes all that it hands on. */
export const allocateFresh: Allocate = (bytes) => new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
