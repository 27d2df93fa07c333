/**
 * The configuration of a nats-server for a cluster of ginit: one user for each key, which may use
 * its own subjects only. Nothing in it is secret. (Source: the documentation of nats-server,
 * "Configuration", "Authorization", "NKeys", "TLS" and "Clustering".)
 */
import { LIMITS } from '../../limits.ts';
import { permissionsOf } from './subjects.ts';

/** Nodes cannot talk over a bus whose messages are shorter. */
export const BUS_PAYLOAD_BYTES_MIN = LIMITS.busDatagramBytesMin;

/** A node has one subscription. A user with more has other plans. */
const SUBSCRIPTIONS_MAX = 16;
/** A loaded machine needs longer to sign than the server's own two seconds. */
const AUTHORIZATION_S = 10;
/** How soon a server forgets a client that has gone without a word: after two of these. */
const PING_S = 20;

/** Paths of PEM files. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** Who has signed the certificates of clients; without it they need none. */
  readonly ca?: string | undefined;
}

/** How several nats-servers are one bus. */
export interface ServerRoutes {
  /** HOST:PORT where other servers reach this one. */
  readonly listen: string;
  /** HOST:PORT of others. */
  readonly others: readonly string[];
}

/** The parts of such a configuration. */
export interface ServerConfigParts {
  readonly cluster: string;
  /** HOST:PORT */
  readonly listen: string;
  /** The public keys of nodes and attachers. */
  readonly keys: readonly string[];
  /** The names of some of them, for who reads the file. */
  readonly names?: ReadonlyMap<string, string> | undefined;
  /** The longest message; that of ginit's datagrams unless told. */
  readonly payloadBytesMax?: number | undefined;
  /** Without them only the contents of frames are sealed. */
  readonly tls?: ServerTls | undefined;
  readonly routes?: ServerRoutes | undefined;
  /** Other rights than those that a node needs. */
  readonly permissions?: typeof permissionsOf | undefined;
}

const quoted = (text: string): string => JSON.stringify(text);
const list = (texts: readonly string[]): string => `[${texts.map(quoted).join(', ')}]`;

function tlsBlock({ cert, key, ca }: ServerTls): string {
  const clients = ca === undefined ? '' : `, ca_file: ${quoted(ca)}, verify: true`;
  return `tls { cert_file: ${quoted(cert)}, key_file: ${quoted(key)}${clients}, timeout: ${AUTHORIZATION_S} }\n`;
}

function routesBlock(cluster: string, { listen, others }: ServerRoutes, tls: ServerTls | undefined): string {
  return [
    'cluster {\n',
    `  name: ${quoted(cluster)}\n`,
    `  listen: ${quoted(listen)}\n`,
    `  routes: ${list(others.map((other) => `nats://${other}`))}\n`,
    ...(tls?.ca === undefined ? [] : [`  ${tlsBlock(tls)}`]),
    '}\n',
  ].join('');
}

/** The text of the configuration. */
export function natsServerConfig(parts: ServerConfigParts): string {
  const { cluster, listen, keys, names, tls, routes } = parts;
  const users = keys.map((key) => {
    const { publish, subscribe } = (parts.permissions ?? permissionsOf)(cluster, key);
    const name = names?.get(key);
    return [
      name === undefined ? '' : `    # ${name}\n`,
      `    { nkey: ${key}, permissions: { publish: ${list(publish)}, subscribe: ${list(subscribe)} } }\n`,
    ].join('');
  });
  return [
    `# nats-server of the ginit cluster ${cluster}\n`,
    `listen: ${quoted(listen)}\n`,
    `max_payload: ${parts.payloadBytesMax ?? LIMITS.busDatagramBytes}\n`,
    `max_subscriptions: ${SUBSCRIPTIONS_MAX}\n`,
    `ping_interval: "${PING_S}s"\n`,
    ...(tls ? [tlsBlock(tls)] : []),
    ...(routes ? [routesBlock(cluster, routes, tls)] : []),
    `authorization {\n  timeout: ${AUTHORIZATION_S}\n  users: [\n${users.join('')}  ]\n}\n`,
  ].join('');
}
