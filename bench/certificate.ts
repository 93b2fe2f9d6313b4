import { join } from 'node:path';
import { python, runChild } from './child.ts';

/** PEM files of a certificate for 127.0.0.1 that signs itself, and of its key. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const timeoutMs = 60_000;

export async function makeCertificate(folder: string): Promise<Certificate> {
  await runChild(python, [join(import.meta.dirname, 'certificate.py'), folder], timeoutMs);
  return { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
}
