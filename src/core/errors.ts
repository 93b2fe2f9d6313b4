/** How a caller should treat a failed call. */
export type RetryClass = 'never' | 'plan-again' | 'after-refresh' | 'by-idempotency-key' | 'later' | 'caller-decides';

interface ErrorRow {
  /** Numeric gRPC status. */
  readonly grpc: number;
  readonly http: number;
  readonly retry: RetryClass;
}

/** Every code that leaves Headrace, with its gRPC status, HTTP status and retry class. */
export const errorTable = {
  INVALID_REQUEST: { grpc: 3, http: 400, retry: 'never' },
  INVALID_FILTER: { grpc: 3, http: 400, retry: 'never' },
  UNKNOWN_COLUMN: { grpc: 3, http: 400, retry: 'never' },
  SCHEMA_MISMATCH: { grpc: 3, http: 400, retry: 'never' },
  INVALID_POLICY: { grpc: 3, http: 422, retry: 'never' },
  NOT_FOUND: { grpc: 5, http: 404, retry: 'never' },
  UNAUTHENTICATED: { grpc: 16, http: 401, retry: 'never' },
  PERMISSION_DENIED: { grpc: 7, http: 403, retry: 'never' },
  REVOKED: { grpc: 7, http: 403, retry: 'never' },
  TICKET_INVALID: { grpc: 7, http: 403, retry: 'never' },
  TICKET_EXPIRED: { grpc: 9, http: 410, retry: 'plan-again' },
  GATE_FAILED: { grpc: 9, http: 400, retry: 'never' },
  UNSUPPORTED_FEATURE: { grpc: 12, http: 501, retry: 'never' },
  COMMIT_CONFLICT: { grpc: 10, http: 409, retry: 'after-refresh' },
  ALREADY_EXISTS: { grpc: 6, http: 409, retry: 'never' },
  COMMIT_UNKNOWN: { grpc: 2, http: 500, retry: 'by-idempotency-key' },
  LIMIT_EXCEEDED: { grpc: 8, http: 429, retry: 'later' },
  UNAVAILABLE: { grpc: 14, http: 503, retry: 'later' },
  POLICY_UNAVAILABLE: { grpc: 14, http: 503, retry: 'later' },
  CORRUPT_FILE: { grpc: 15, http: 500, retry: 'never' },
  CANCELLED: { grpc: 1, http: 499, retry: 'caller-decides' },
  DEADLINE_EXCEEDED: { grpc: 4, http: 504, retry: 'caller-decides' },
  INTERNAL: { grpc: 13, http: 500, retry: 'never' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/**
 * The one error that crosses module boundaries. Its message is written for the caller and goes on the wire as it is, so it
 * never holds foreign text (a library's message, a path, a hidden name): that belongs in `cause`, which only the log sees.
 */
export class ServiceError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'ServiceError';
    this.code = code;
  }
}

export function isServiceError(error: unknown, code?: ErrorCode): error is ServiceError {
  return error instanceof ServiceError && (code === undefined || error.code === code);
}
