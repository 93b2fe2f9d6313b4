/** PEM texts. With a client authority, clients must show a certificate that it signed. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientCa: Buffer | null;
}
