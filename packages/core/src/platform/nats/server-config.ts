/**
 * The configuration of a nats-server for a cluster of ginit: one user for each key, which may use
 * its own subjects only. Nothing in it is secret. (Source: the documentation of nats-server,
 * "Authorization" and "NKeys".)
 */
import { permissionsOf } from './subjects.ts';

/** The parts of such a configuration. */
export interface ServerConfigParts {
  readonly cluster: string;
  /** HOST:PORT */
  readonly listen: string;
  /** The public keys of nodes and attachers. */
  readonly keys: readonly string[];
  /** Paths of PEM files. Without them only the contents of frames are sealed. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

const quoted = (text: string): string => JSON.stringify(text);
const list = (texts: readonly string[]): string => `[${texts.map(quoted).join(', ')}]`;

/** The text of the configuration. */
export function natsServerConfig({ cluster, listen, keys, tls }: ServerConfigParts): string {
  const users = keys.map((key) => {
    const { publish, subscribe } = permissionsOf(cluster, key);
    return `    { nkey: ${key}, permissions: { publish: ${list(publish)}, subscribe: ${list(subscribe)} } }\n`;
  });
  return [
    `# nats-server of the ginit cluster ${cluster}\n`,
    `listen: ${quoted(listen)}\n`,
    ...(tls ? [`tls { cert_file: ${quoted(tls.cert)}, key_file: ${quoted(tls.key)} }\n`] : []),
    `authorization {\n  users: [\n${users.join('')}  ]\n}\n`,
  ].join('');
}
