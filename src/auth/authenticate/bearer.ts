import { refuseToken } from './refusal.ts';

/** The token of an `authorization` header; null where there is none. Throws UNAUTHENTICATED for another scheme. */
export function bearerToken(header: string | null | undefined): string | null {
  if (header === null || header === undefined || header === '') return null;
  const match = /^Bearer +([\w.~+/=-]+) *$/i.exec(header);
  if (match === null) throw refuseToken('the authorization header must be "Bearer <token>"');
  return match[1]!;
}
