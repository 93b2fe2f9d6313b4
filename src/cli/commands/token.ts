import type { Command } from 'commander';
import { ServiceError } from '../../core/errors.ts';
import { type EmbeddedOptions, withDataDir, withEmbedded } from '../embedded-command.ts';
import { UsageError } from '../exit-codes.ts';
import { collectClaims, parseList, parseTtl } from '../options.ts';
import { printResult } from '../output.ts';

interface TokenOptions extends EmbeddedOptions {
  readonly principal?: string;
  readonly teams?: readonly string[];
  readonly workload?: string;
  readonly engine?: string;
  readonly claim?: Readonly<Record<string, unknown>>;
  readonly ttl: number;
}

const ttlSecondsDefault = 3_600;

export function define(command: Command): void {
  withDataDir(command)
    .option('--principal <name>', 'whom the token names')
    .option('--teams <names>', 'the teams, with commas between them', parseList)
    .option('--workload <name>', 'the workload that the token stands for')
    .option('--engine <name>', 'the engine that the token stands for')
    .option('--claim <name=json>', 'a further claim, for policies; may come several times', collectClaims)
    .option('--ttl <duration>', 'how long the token is valid (default: 1h)', parseTtl, ttlSecondsDefault)
    .addHelpText(
      'after',
      `
Examples:
  headrace token --principal ana --teams analysts,eu --ttl 8h
  headrace token --principal nightly --workload fraud-train --claim clearance=3
  headrace token revoke --principal ana`,
    )
    .action((options: TokenOptions) => issue(options));
  withDataDir(command.command('revoke [jti]'))
    .summary('withdraw one token, or all of a principal')
    .description('Withdraw the token with this id, or every token issued to a principal until now.')
    .option('--principal <name>', 'whose tokens to withdraw')
    .action((jti: string | undefined, _own: object, revoke: Command) => revokeTokens(jti, revoke.optsWithGlobals()));
}

async function issue(options: TokenOptions): Promise<void> {
  const { principal, teams = [], workload, engine, claim, ttl } = options;
  if (principal === undefined) throw new UsageError('token needs --principal NAME');
  await withEmbedded(options, 'create', async ({ issuer }) => {
    if (issuer === null) throw foreignIssuer();
    const issued = await issuer.issue({
      principal,
      teams,
      workload: workload ?? null,
      engine: engine ?? null,
      ...(claim !== undefined && { claims: claim }),
      ttlSeconds: ttl,
    });
    const expiresAt = new Date(issued.expiresAt * 1_000).toISOString();
    const result = { token: issued.token, jti: issued.jti, expires_at: expiresAt };
    await printResult(options.json === true, result, [issued.token]);
  });
}

async function revokeTokens(jti: string | undefined, options: TokenOptions): Promise<void> {
  const { principal } = options;
  if ((jti === undefined) === (principal === undefined)) {
    throw new UsageError('token revoke needs either the id of a token (its jti) or --principal NAME');
  }
  if (jti?.includes('.')) throw new UsageError("token revoke takes a token's id (its jti), not the token itself");
  await withEmbedded(options, 'refuse', async ({ revocations }) => {
    if (jti !== undefined) await revocations.revokeToken(jti);
    else await revocations.revokePrincipal(principal!);
    const what = jti === undefined ? `every token of ${principal} issued until now` : `the token ${jti}`;
    await printResult(options.json === true, { revoked: jti === undefined ? { principal } : { jti } }, [
      `revoked ${what}`,
    ]);
  });
}

const foreignIssuer = (): ServiceError =>
  new ServiceError('INVALID_REQUEST', 'auth.issuer is configured, so tokens come from there and Headrace issues none');
