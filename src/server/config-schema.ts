import { z } from 'zod';
import { defaultLimits, type Limits } from '../core/limits.ts';
import { boolean, duration, list, nonEmpty, secretKey, size, whole } from './config-values.ts';

const optional = <T>(type: z.ZodType<T, unknown>) => type.optional();
const port = () => optional(whole(0, 65_535));
const section = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z
    .strictObject(shape, {
      error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'must be a section with keys of its own'),
    })
    .optional();

function limitShape(): Record<keyof Limits, z.ZodType<number | undefined, unknown>> {
  const shapes = Object.keys(defaultLimits).map((name) => {
    const type = /Bytes/.test(name) ? size() : /Ms$/.test(name) ? limitDuration() : whole(1, Number.MAX_SAFE_INTEGER);
    return [name, optional(type)];
  });
  return Object.fromEntries(shapes);
}

/** Limits in milliseconds are numbers in the code, so both `30000` and `30s` are taken. */
const limitDuration = (): z.ZodType<number, unknown> =>
  z.union([whole(1, Number.MAX_SAFE_INTEGER), duration()], { error: 'must be a duration such as 30s' });

/** Every key of `headrace.yaml`. */
export const configShape = z.strictObject(
  {
    dataDir: optional(nonEmpty('a folder')),
    warehouse: optional(nonEmpty('a URL such as file:///data/warehouse')),
    policies: optional(nonEmpty('a folder')),
    host: optional(nonEmpty('an address such as 127.0.0.1')),
    catalog: section({ url: optional(nonEmpty('a URL')) }),
    auth: section({
      issuer: optional(nonEmpty('the issuer of tokens')),
      audience: optional(nonEmpty('the audience of tokens')),
      jwksUrl: optional(nonEmpty('a URL')),
      teamsClaim: optional(nonEmpty('the name of a claim')),
      workloadClaim: optional(nonEmpty('the name of a claim')),
      engineClaim: optional(nonEmpty('the name of a claim')),
      anonymous: optional(boolean()),
    }),
    tls: section({
      cert: optional(nonEmpty('a PEM file')),
      key: optional(nonEmpty('a PEM file')),
      clientCa: optional(nonEmpty('a PEM file')),
    }),
    flight: section({
      port: port(),
      dataPort: port(),
      advertisedHost: optional(nonEmpty('a host name')),
      workerPorts: optional(whole(1, 65_535)),
    }),
    http: section({ port: port() }),
    tickets: section({ ttl: optional(duration()), keys: optional(list(secretKey())) }),
    masks: section({
      keys: optional(
        list(
          z.strictObject(
            { id: nonEmpty(), key: secretKey(), domain: optional(nonEmpty()) },
            {
              error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'must be an object with id and key'),
            },
          ),
        ),
      ),
    }),
    tags: section({ hideSuspects: optional(boolean()) }),
    audit: section({ dir: optional(nonEmpty('a folder')) }),
    storage: section({
      s3: section({
        endpoint: optional(nonEmpty()),
        region: optional(nonEmpty()),
        pathStyle: optional(boolean()),
        accessKeyId: optional(nonEmpty()),
        secretAccessKey: optional(nonEmpty()),
        sessionToken: optional(nonEmpty()),
        roleArn: optional(nonEmpty()),
      }),
    }),
    cache: section({ memoryBytes: optional(size()), diskBytes: optional(size()) }),
    workers: optional(whole(1, 256)),
    limits: section(limitShape()),
    log: section({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
          error: 'must be one of trace, debug, info, warn, error, fatal, silent',
        })
        .optional(),
    }),
  },
  { error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'must be a YAML mapping') },
);

export type RawConfig = z.output<typeof configShape>;

/** Dotted names of all keys that hold a value, `limits.*` included. */
export const configKeys: readonly string[] = leafKeys(configShape, '');

function leafKeys(type: unknown, prefix: string): string[] {
  const shape = sectionShape(type);
  if (shape === null) return [prefix];
  return Object.entries(shape).flatMap(([name, child]) => leafKeys(child, prefix === '' ? name : `${prefix}.${name}`));
}

function sectionShape(type: unknown): Record<string, unknown> | null {
  const inner = type instanceof z.ZodOptional ? type.unwrap() : type;
  return inner instanceof z.ZodObject ? inner.shape : null;
}
