import { basename } from 'node:path';
import type { Command } from 'commander';
import { readBindings } from '../../auth/policy/binding-store.ts';
import { type Bindings, bindPolicies } from '../../auth/policy/bindings.ts';
import { checkPolicies, type PolicyCheck } from '../../auth/policy/check.ts';
import { readFolder } from '../../auth/policy/directory.ts';
import { explainTable } from '../../auth/policy/explain.ts';
import { loadPolicies } from '../../auth/policy/load.ts';
import { formatProblem, InvalidPolicyError, type PolicyProblem } from '../../auth/policy/problems.ts';
import type { PolicyFile } from '../../auth/policy/source.ts';
import type { TableFacts } from '../../core/access.ts';
import type { Config } from '../../core/config.ts';
import { ServiceError } from '../../core/errors.ts';
import { openEmbedded } from '../../server/embedded.ts';
import { loadNamedTable } from '../catalog-names.ts';
import { configOf, type EmbeddedOptions, hasData, withDataDir, withEmbedded } from '../embedded-command.ts';
import { interruptSignal } from '../interrupt.ts';
import { collectClaims, parseList } from '../options.ts';
import { printResult } from '../output.ts';
import { explainedPrincipal, explanationJson, explanationLines } from '../policy-explanation.ts';

interface PolicyOptions extends EmbeddedOptions {
  readonly policies?: string;
}

interface ExplainOptions extends PolicyOptions {
  readonly teams?: readonly string[];
  readonly workload?: string;
  readonly engine?: string;
  readonly claim?: Readonly<Record<string, unknown>>;
}

const withPolicies = (command: Command): Command =>
  withDataDir(command).option('--policies <folder>', 'the folder of *.cedar files (default: as configured)');

export function define(command: Command): void {
  withPolicies(command.command('check'))
    .summary('find what is wrong with a folder of policies')
    .description(
      "Check policies as the server would load them: syntax, names, annotations, and what probably isn't meant.",
    )
    .addHelpText('after', '\nExample:\n  headrace policy check --policies examples/policies')
    .action((options: PolicyOptions) => check(options));
  withPolicies(command.command('explain'))
    .summary('say what somebody may do with a table, and why')
    .description('Say what the policies permit a principal to do with a table, and which policies say so.')
    .argument('<principal>')
    .argument('<table>')
    .option('--teams <names>', "the principal's teams, with commas between them", parseList)
    .option('--workload <name>', "the token's workload")
    .option('--engine <name>', "the token's engine")
    .option('--claim <name=json>', 'a further claim of the token; may come several times', collectClaims)
    .addHelpText('after', '\nExample:\n  headrace policy explain ana bronze.passengers --teams analysts')
    .action((principal: string, table: string, options: ExplainOptions) => explain(principal, table, options));
  withPolicies(command.command('diff'))
    .summary('compare two sets of policies (not in this version)')
    .description('Compare what two sets of policies permit (not in this version).')
    .argument('[args...]')
    .action(() => {
      throw new ServiceError('UNSUPPORTED_FEATURE', 'policy diff is not in this version');
    });
}

async function check(options: PolicyOptions): Promise<void> {
  const config = configOf(options, { policies: options.policies });
  if (config.policies === null) {
    throw new ServiceError('INVALID_REQUEST', 'no folder of policies is configured: give one with --policies');
  }
  const { version, policies, errors, warnings } = await checkFolder(config);
  const lines = [
    ...errors.map(formatProblem),
    ...warnings.map(formatWarning),
    ...(errors.length === 0 ? [`${policies} policies, the built-in one included: in order`] : []),
  ];
  await printResult(options.json === true, { ok: errors.length === 0, version, policies, errors, warnings }, lines);
  if (errors.length > 0)
    throw new ServiceError('INVALID_POLICY', `the policies of ${basename(config.policies)} are refused`);
}

async function checkFolder(config: Config): Promise<PolicyCheck> {
  try {
    const files = await policyFiles(config);
    const { tables, bindings } = await knownTables(config);
    return checkPolicies(files, tables, bindings, config.limits);
  } catch (error) {
    if (!(error instanceof InvalidPolicyError)) throw error;
    return { version: null, policies: 0, errors: error.problems, warnings: [] };
  }
}

const formatWarning = ({ file, line, reason }: PolicyProblem): string => `${file}:${line}: warning: ${reason}`;

async function policyFiles(config: Config): Promise<readonly PolicyFile[]> {
  if (config.policies === null) return [];
  const { files } = await readFolder(config.policies, config.limits);
  if (files === null) throw new ServiceError('NOT_FOUND', `there is no folder ${config.policies}`);
  return files;
}

/** Where there is no data yet, as in a check before anything is deployed, policies are checked without tables. */
async function knownTables(
  config: Config,
): Promise<{ readonly tables: readonly TableFacts[]; readonly bindings: Bindings }> {
  if (!hasData(config)) return { tables: [], bindings: new Map() };
  await using embedded = await openEmbedded(config);
  return { tables: await embedded.tableFacts(), bindings: await readBindings(embedded.kv) };
}

async function explain(name: string, tableName: string, options: ExplainOptions): Promise<void> {
  const files = await policyFiles(configOf(options, { policies: options.policies }));
  await withEmbedded(options, 'refuse', async ({ catalog, config, facts, kv }) => {
    const table = await loadNamedTable(tableName, catalog, interruptSignal());
    const known = await facts.ofTable(table);
    const set = loadPolicies(files, config.limits);
    // Names are looked up as the server would, and nothing of it is kept: another folder may be tried out.
    const bound = bindPolicies(set, [known], await readBindings(kv));
    if (bound.errors.length > 0) throw new InvalidPolicyError(bound.errors);
    const principal = explainedPrincipal(name, options);
    const explanation = explainTable(bound, principal, known);
    await printResult(
      options.json === true,
      explanationJson(principal, known, explanation),
      explanationLines(principal, known, explanation),
    );
  });
}
