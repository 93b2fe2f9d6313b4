import type { BulkHandlers, CallContext } from '../streams/wire/bulk-handlers.ts';
import type { ActionType, FlightDescriptor, FlightInfo, PollInfo } from '../streams/wire/messages.ts';

/** The whole service behind the transport; see {@link BulkHandlers} for what holds of all of them. */
export interface FlightHandlers extends BulkHandlers {
  /** Each payload that the client sends is answered by what the iterable gives. */
  handshake(call: CallContext, payloads: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  listFlights(call: CallContext, criteria: Uint8Array): AsyncIterable<FlightInfo>;
  getFlightInfo(call: CallContext, descriptor: FlightDescriptor): Promise<FlightInfo>;
  pollFlightInfo(call: CallContext, descriptor: FlightDescriptor): Promise<PollInfo>;
  /** Gives an encapsulated IPC schema message. */
  getSchema(call: CallContext, descriptor: FlightDescriptor): Promise<Uint8Array>;
  /** `body` is as the client sent it, perhaps wrapped: see any.ts. Gives the body of each Result. */
  doAction(call: CallContext, type: string, body: Uint8Array): AsyncIterable<Uint8Array>;
  listActions(call: CallContext): AsyncIterable<ActionType>;
}
