/** The command line of `ginit bus`, and its help. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parseBytes } from '@ginit/core/config';
import { BUS_PAYLOAD_BYTES_MIN, isClusterName, type ServerConfigParts } from '@ginit/core/nats';

/** The help text of `ginit bus`. */
export const BUS_HELP = `ginit bus: the nats-server that joins the machines of a cluster

  ginit bus config [OPTIONS] KEY...   writes its configuration
  ginit bus start [OPTIONS] KEY...    runs one on this machine until Ctrl-C; needs the program nats-server

Whom it lets in (KEY is U..., or NAME=U...; "ginit key new" makes one):
  --keys FILE             a list: each line KEY, or NAME KEY; # begins a comment
  --cluster NAME          the name of the cluster, which its nodes use, too
Where and how:
  --listen HOST:PORT      where nodes reach it (default: 127.0.0.1:4222; start: port 0 takes a free one)
  --tls-cert FILE         its certificate in PEM; then all connections are TLS
  --tls-key FILE          the key of the certificate
  --tls-ca FILE           nodes need a certificate, too, signed by one of these
  --max-payload SIZE      the longest message (default: 256K, the longest that ginit sends; at least 16K)
Several nats-servers as one bus (all know all keys):
  --route-listen HOST:PORT   where the others reach this one
  --route HOST:PORT       one of the others; may be given again
Only config:
  --out FILE              the configuration goes there; else to standard output
Only start:
  --server PROGRAM        the nats-server (default: that of PATH)
  --verbose               all that it says, not only what is wrong

Each key is one user of NATS, who may use its own subjects only; there is no secret in the configuration. For another key,
write it anew and reload: "kill -HUP" of the nats-server. start does so by itself when its list has changed, and nothing of it
is left when it has ended, whichever way. docs/cluster.md says how to get nats-server, and what a bus can and cannot do.
Exit code: 0; 1 if a file cannot be written or nats-server ends; 2 if the command line or a list is wrong.`;

/** The way of `ginit bus` to the keys, and what the nats-server is to be. */
export interface ServerOptions {
  readonly words: readonly string[];
  readonly lists: readonly string[];
  readonly parts: Omit<ServerConfigParts, 'keys' | 'names'>;
}

export type BusCommandLine =
  | { readonly command: 'help' }
  | { readonly command: 'config'; readonly server: ServerOptions; readonly out: string | undefined }
  | {
      readonly command: 'start';
      readonly server: ServerOptions;
      readonly program: string | undefined;
      readonly verbose: boolean;
    };

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  keys: { type: 'string', multiple: true },
  cluster: { type: 'string' },
  listen: { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'tls-ca': { type: 'string' },
  'max-payload': { type: 'string' },
  'route-listen': { type: 'string' },
  route: { type: 'string', multiple: true },
  out: { type: 'string' },
  server: { type: 'string' },
  verbose: { type: 'boolean' },
} as const;

const DEFAULT_LISTEN = '127.0.0.1:4222';
const PORT_MAX = 65_535;
/** NATS's own bound of what may be configured. */
const PAYLOAD_BYTES_MAX = 64 * 1024 * 1024;
const ADDRESS = /^(\[[0-9A-Fa-f:.]+\]|[^\s:/"\\]+):(\d{1,5})$/;
const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\]):/;

class Wrong extends Error {}

const parsed = (args: readonly string[]) =>
  parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
type Values = ReturnType<typeof parsed>['values'];

/** Reads the arguments after `bus`. A string as the result says what is wrong with them. */
export function parseBusArguments(args: readonly string[]): BusCommandLine | string {
  try {
    const { values, positionals } = parsed(args);
    if (values.help) return { command: 'help' };
    const [command, ...words] = positionals;
    switch (command) {
      case 'config': {
        const only = values.server !== undefined ? '--server' : values.verbose ? '--verbose' : undefined;
        if (only !== undefined) throw new Wrong(`config: ${only} is for "ginit bus start"`);
        return { command, server: serverOptions(values, words, 1), out: values.out };
      }
      case 'start':
        if (values.out !== undefined) throw new Wrong('start: --out is for "ginit bus config"');
        return {
          command,
          server: serverOptions(values, words, 0),
          program: values.server,
          verbose: values.verbose ?? false,
        };
      case undefined:
        throw new Wrong('say "config" or "start"');
      default:
        throw new Wrong(`"${command}" is not one of config, start`);
    }
  } catch (error) {
    return `bus: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** `portMin`: whether port 0 makes sense. */
function serverOptions(values: Values, words: readonly string[], portMin: number): ServerOptions {
  const { cluster, keys: lists = [] } = values;
  if (cluster === undefined) throw new Wrong('--cluster NAME is missing');
  if (!isClusterName(cluster)) {
    throw new Wrong(`--cluster ${JSON.stringify(cluster)}: up to 32 letters, digits, "_" and "-"`);
  }
  if (words.length === 0 && lists.length === 0) {
    throw new Wrong('no keys: give some, or a list of them by --keys FILE ("ginit key new" makes a key)');
  }
  const tls = tlsOf(values);
  const payloadBytesMax = payloadOf(values['max-payload']);
  const listen = address('--listen', values.listen ?? DEFAULT_LISTEN, portMin);
  const routes = routesOf(values, tls?.ca !== undefined);
  return { words, lists, parts: { cluster, listen, payloadBytesMax, tls, routes } };
}

function tlsOf(values: Values): ServerConfigParts['tls'] {
  const { 'tls-cert': cert, 'tls-key': key, 'tls-ca': ca } = values;
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new Wrong('TLS needs both --tls-cert FILE and --tls-key FILE');
  }
  return { cert: resolve(cert), key: resolve(key), ca: ca === undefined ? undefined : resolve(ca) };
}

function payloadOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseBytes(text);
  if (bytes === undefined) throw new Wrong(`--max-payload ${text}: not a size (for example 256K)`);
  if (bytes < BUS_PAYLOAD_BYTES_MIN || bytes > PAYLOAD_BYTES_MAX) {
    throw new Wrong(`--max-payload ${text}: from 16K to 64M`);
  }
  return bytes;
}

function routesOf(values: Values, verified: boolean): ServerConfigParts['routes'] {
  const { 'route-listen': listen, route: others = [] } = values;
  if (listen === undefined) {
    if (others.length > 0) throw new Wrong('--route needs --route-listen HOST:PORT');
    return undefined;
  }
  // Who can open a route is a part of the bus: it hears everything, and speaks in all names.
  if (!verified && !LOOPBACK.test(listen)) {
    throw new Wrong(`--route-listen ${listen}: other machines only with certificates (--tls-ca FILE)`);
  }
  return {
    listen: address('--route-listen', listen, 1),
    others: others.map((other) => address('--route', other, 1)),
  };
}

function address(option: string, text: string, portMin: number): string {
  const [, host, port] = ADDRESS.exec(text) ?? [];
  if (host === undefined || port === undefined) throw new Wrong(`${option} ${text}: not HOST:PORT`);
  if (Number(port) < portMin || Number(port) > PORT_MAX) {
    throw new Wrong(`${option} ${text}: a port is from ${portMin} to ${PORT_MAX}`);
  }
  // The server's own word for any free port.
  return Number(port) === 0 ? `${host}:-1` : text;
}
