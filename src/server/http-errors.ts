import { type ErrorCode, errorTable, ServiceError } from '../core/errors.ts';

export const errorCodeHeader = 'headrace-error-code';

/** Where a request goes decides how its errors are named. */
export type ErrorStyle = 'iceberg' | 'headrace';

/** Iceberg REST's exception names (OpenAPI definition, `ErrorModel`) where a code has one there. */
const icebergTypes: Readonly<Partial<Record<ErrorCode, string>>> = {
  NOT_FOUND: 'NoSuchTableException',
  ALREADY_EXISTS: 'AlreadyExistsException',
  COMMIT_CONFLICT: 'CommitFailedException',
  COMMIT_UNKNOWN: 'CommitStateUnknownException',
  UNAUTHENTICATED: 'NotAuthorizedException',
  PERMISSION_DENIED: 'ForbiddenException',
  UNSUPPORTED_FEATURE: 'UnsupportedOperationException',
  UNAVAILABLE: 'ServiceUnavailableException',
  POLICY_UNAVAILABLE: 'ServiceUnavailableException',
  INVALID_REQUEST: 'BadRequestException',
  INTERNAL: 'InternalServerError',
};

export interface HttpError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly error: Readonly<Record<string, unknown>> };
}

/** An error as HTTP: the code in a header, and Iceberg's error body. `details` adds members to the body's error. */
export function httpError(
  error: ServiceError,
  style: ErrorStyle,
  details: Readonly<Record<string, unknown>> = {},
): HttpError {
  const status = errorTable[error.code].http;
  const type = (style === 'iceberg' ? icebergTypes[error.code] : undefined) ?? error.code;
  return {
    status,
    headers: {
      [errorCodeHeader]: error.code,
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    },
    body: { error: { message: error.message, type, code: status, ...details } },
  };
}

/** What the HTTP library's own refusals mean in our codes; null for an error that is not one of them. Its text stays behind. */
export function libraryError(error: unknown): ServiceError | null {
  const { code, statusCode } = (error ?? {}) as { readonly code?: unknown; readonly statusCode?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ServiceError('LIMIT_EXCEEDED', 'the request is too large (limits.httpBodyBytesMax)', { cause: error });
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new ServiceError('INVALID_REQUEST', 'the request is not well-formed', { cause: error });
  }
  return null;
}
