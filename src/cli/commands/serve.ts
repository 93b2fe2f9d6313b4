import type { Command } from 'commander';
import { readyLine } from '../../server/lifecycle.ts';
import { serveHeadrace } from '../../server/serve.ts';
import { configOf, type EmbeddedOptions } from '../embedded-command.ts';
import { parsePort } from '../options.ts';
import { writeOut } from '../output.ts';

interface Options extends EmbeddedOptions {
  readonly policies?: string;
  readonly host?: string;
  readonly flightPort?: number;
  readonly dataPort?: number;
  readonly httpPort?: number;
}

export function define(command: Command): void {
  command
    .option('--data-dir <folder>', 'the folder with catalog, keys and warehouse (default: .data)')
    .option('--config <file>', 'the configuration (default: headrace.yaml of this folder, if there is one)')
    .option('--policies <folder>', 'the folder of *.cedar files')
    .option('--host <address>', 'the address to listen on (default: 127.0.0.1)')
    .option('--flight-port <port>', 'Flight, control (default: 8815; 0 = any free one)', parsePort)
    .option('--data-port <port>', 'Flight, data (default: 8816; 0 = any free one)', parsePort)
    .option('--http-port <port>', 'HTTP (default: 8181; 0 = any free one)', parsePort)
    .option('--json', 'no effect: the one line on standard output is JSON in any case')
    .addHelpText(
      'after',
      `
One line of JSON on standard output says that the server accepts calls, and on which ports; the log goes to standard error.
SIGTERM lets running streams finish, a second one does not; SIGHUP loads the policies again.

Example:
  headrace serve --data-dir .data --policies examples/policies --flight-port 0 --data-port 0 --http-port 0`,
    )
    .action((options: Options) => serve(options));
}

async function serve(options: Options): Promise<void> {
  const { policies, host, flightPort, dataPort, httpPort } = options;
  const flags = { policies, host, 'flight.port': flightPort, 'flight.dataPort': dataPort, 'http.port': httpPort };
  const config = configOf(options, flags);
  const server = await serveHeadrace(config);
  await writeOut(readyLine(server));
  await server.lifecycle.stopped;
}
