/** Everything that reads Arrow IPC: single messages (Flight), streams and files. */
export { createIpcDecoder, type IpcDecoder } from './ipc-decoder.ts';
export { openIpcFile, readIpcFile } from './ipc-file.ts';
export { type IpcContents, openIpcStream, readIpcStream } from './ipc-stream.ts';
export type { IpcLimits, MalformedCode } from './ipc-wire.ts';
