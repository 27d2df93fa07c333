/**
 * The element `<tls>`, which drivers with connections share. Keys and certificates come from
 * granted files, or from ROM modules where no file of that name is granted.
 */
import { type Env, Rom, RomClient, RpcError } from '@ginit/core';
import { attribute, type ConfigOf, element } from '@ginit/core/config';
import type { HostTls } from '@ginit/core/host';

const SOURCE = 'path of a granted file, or the label of a ROM';

/** How a server secures its connections. */
export const SERVER_TLS = element('tls', 'Clients must use TLS', {
  max: 1,
  attributes: {
    certificate: attribute.text(`The server's certificate, in PEM: ${SOURCE}`, { required: true }),
    key: attribute.text('The key to it, likewise', { required: true }),
    authority: attribute.text('Whose certificates clients must show, likewise', {
      otherwise: 'clients show none',
    }),
  },
});

/** How a client secures its connections. */
export const CLIENT_TLS = element('tls', 'The server must use TLS', {
  max: 1,
  attributes: {
    authority: attribute.text(`Who must have certified the server, in PEM: ${SOURCE}`, {
      otherwise: 'one of those that Node was built with',
    }),
    name: attribute.text("The name that the server's certificate must be for", {
      otherwise: 'the host that is connected to',
    }),
    certificate: attribute.text('The certificate of this client, likewise', { otherwise: 'none is shown' }),
    key: attribute.text('The key to it, likewise', { otherwise: 'none' }),
  },
});

/** The part of `env` that reads keys and certificates. */
export type TlsEnv = Pick<Env, 'host' | 'connect' | 'close'>;

/** A file with a certificate is never as large. */
const MATERIAL_BYTES_MAX = 1024 * 1024;

/**
 * Reads what a server needs. Throws `ConfigError` at the attribute that names what is not there.
 */
export async function serverTls(env: TlsEnv, config: ConfigOf<typeof SERVER_TLS>): Promise<HostTls> {
  const read = (name: 'certificate' | 'key' | 'authority'): Promise<string> => material(env, config, name);
  return {
    role: 'server',
    certificate: await read('certificate'),
    key: await read('key'),
    ...(config.authority === undefined ? {} : { authority: await read('authority') }),
  };
}

/**
 * Likewise for a client, which connects to `host`. Without an element it checks the host's name.
 */
export async function clientTls(
  env: TlsEnv,
  config: ConfigOf<typeof CLIENT_TLS> | undefined,
  host: string,
): Promise<HostTls> {
  if (!config) return { role: 'client', serverName: host };
  const read = (name: 'certificate' | 'key' | 'authority'): Promise<string> => material(env, config, name);
  const { certificate, key, $node } = config;
  if ((certificate === undefined) !== (key === undefined)) {
    throw $node.errorAt('<tls> needs both attributes "certificate" and "key", or neither of them');
  }
  if (host === '' && config.name === undefined) {
    throw $node.errorAt('<tls> needs an attribute "name", because a socket of the file system has none');
  }
  return {
    role: 'client',
    serverName: config.name ?? host,
    ...(config.authority === undefined ? {} : { authority: await read('authority') }),
    ...(certificate === undefined ? {} : { certificate: await read('certificate'), key: await read('key') }),
  };
}

type TlsConfig = Pick<ConfigOf<typeof CLIENT_TLS>, 'certificate' | 'key' | 'authority' | '$node'>;

async function material(
  env: TlsEnv,
  config: TlsConfig,
  name: 'certificate' | 'key' | 'authority',
): Promise<string> {
  const source = config[name] ?? '';
  const granted = env.host.grants.some(({ kind, path }) => kind === 'file' && path === source);
  try {
    const bytes = granted ? await readFile(env, source) : await readRom(env, source);
    const text = new TextDecoder().decode(bytes);
    if (!text.includes('-----BEGIN ')) throw new RpcError('Invalid', 'it is no PEM');
    return text;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const why = granted ? `file "${source}": ` : `no <file path="${source}"/> is granted, and `;
    throw config.$node.errorAt(why + error.message, name);
  }
}

async function readFile(env: TlsEnv, path: string): Promise<Uint8Array> {
  const file = await env.host.openFile(path, 'ro');
  try {
    if (file.sizeBytes > MATERIAL_BYTES_MAX) throw new RpcError('Invalid', 'it is too large');
    const bytes = new Uint8Array(file.sizeBytes);
    if (bytes.byteLength > 0) await file.read(bytes, 0);
    return bytes;
  } finally {
    await file.close();
  }
}

async function readRom(env: TlsEnv, label: string): Promise<Uint8Array> {
  const session = await env.connect(Rom, { label });
  try {
    const content = await new RomClient(session).content();
    if (content === undefined) throw new RpcError('NotFound', `ROM "${label}" has no content`);
    return content;
  } finally {
    await env.close(session);
  }
}
