import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Two authorities; the first has signed a server (localhost) and a client, the other a stranger. All are PEM texts. */
export interface TlsFiles {
  readonly ca: Buffer;
  readonly otherCa: Buffer;
  readonly server: Certificate;
  readonly client: Certificate;
  readonly stranger: Certificate;
}

/** Makes fresh keys and certificates, which needs `openssl`. */
export function makeTlsFiles(): TlsFiles {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-certificates-'));
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  };
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const read = (name: string): Buffer => readFileSync(join(folder, name));
  const authority = (name: string): Buffer => {
    openssl(
      'req',
      '-x509',
      ...ec,
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
    );
    return read(`${name}.crt`);
  };
  const certificate = (name: string, signer: string): Certificate => {
    writeFileSync(join(folder, `${name}.ext`), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
    openssl('req', ...ec, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    const signing = ['-CA', `${signer}.crt`, '-CAkey', `${signer}.key`, '-CAcreateserial', '-days', '2'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-extfile', `${name}.ext`, '-out', `${name}.crt`);
    return { cert: read(`${name}.crt`), key: read(`${name}.key`) };
  };
  try {
    return {
      ca: authority('ca'),
      otherCa: authority('other'),
      server: certificate('server', 'ca'),
      client: certificate('client', 'ca'),
      stranger: certificate('stranger', 'other'),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
