/** Flight's messages as the handlers see them: plain values, free of protobuf and gRPC. */

/** What a call is about. */
export type FlightDescriptor =
  | { readonly kind: 'path'; readonly path: readonly string[] }
  | { readonly kind: 'cmd'; readonly cmd: Uint8Array };

/** One IPC message of a stream. */
export interface FlightMessage {
  /** The flatbuffer of the IPC message, without continuation marker and length. */
  readonly header: Uint8Array;
  /** The IPC body in parts that are sent one after another, each already padded as the header says. */
  readonly body: readonly Uint8Array[];
  /** Bytes of all parts together. */
  readonly bodyBytes: number;
  /** Empty = none. */
  readonly appMetadata?: Uint8Array | undefined;
  /** Only in the first message that a client sends. */
  readonly descriptor?: FlightDescriptor | null | undefined;
}

/** One IPC message as it came in: every array is a view of the received bytes, which nobody else writes to. */
export interface ReceivedMessage {
  readonly descriptor: FlightDescriptor | null;
  readonly header: Uint8Array;
  readonly appMetadata: Uint8Array;
  readonly body: Uint8Array;
}

export interface FlightEndpoint {
  readonly ticket: Uint8Array;
  /** URIs; none = the server that was asked. */
  readonly locations: readonly string[];
  /** Milliseconds since the epoch; null = the ticket should not be used again. */
  readonly expiresAtMs: number | null;
  readonly appMetadata: Uint8Array;
}

export interface FlightInfo {
  /** An IPC schema message with marker and length, see {@link encapsulate} in flight-data.ts. */
  readonly schema: Uint8Array;
  readonly descriptor: FlightDescriptor | null;
  readonly endpoints: readonly FlightEndpoint[];
  /** -1 = not told. */
  readonly totalRecords: number;
  /** -1 = not told. */
  readonly totalBytes: number;
  readonly ordered: boolean;
  readonly appMetadata: Uint8Array;
}

export interface PollInfo {
  readonly info: FlightInfo;
  /** Null = the plan is complete. */
  readonly next: FlightDescriptor | null;
  /** From 0 to 1; null = not told. */
  readonly progress: number | null;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number | null;
}

export interface ActionType {
  readonly type: string;
  readonly description: string;
}
