/**
 * What the client of NATS is told of its servers: their addresses, and TLS. The client connects
 * without TLS to a server that offers none, whatever the address says, and compares the certificate
 * of a server that is known by its IP address with the name `localhost`. Neither is right.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext, type PeerCertificate } from 'node:tls';
import type { TlsOptions } from 'nats';

/** Certificates in PEM, if not those of the host: of who has signed the server's, and its own. */
export interface NatsTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** The servers of one bus, checked. */
export interface NatsServers {
  /** For people. */
  readonly text: string;
  /** HOST:PORT of each. */
  readonly addresses: readonly string[];
  readonly tls: TlsOptions | undefined;
}

const PORT = '4222';

function addressOf(server: string): {
  readonly secure: boolean;
  readonly host: string;
  readonly port: string;
} {
  const [, scheme, rest] = /^([a-z]+):\/\/(.+)$/.exec(server) ?? [];
  // As a URL of the web: others are taken apart in other ways.
  const url = rest === undefined ? undefined : parsed(`http://${rest}`);
  if ((scheme !== 'nats' && scheme !== 'tls') || !url || url.hostname === '') {
    throw new RangeError(`"${server}" is no address of a nats-server: nats://HOST:PORT or tls://HOST:PORT`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new RangeError('the address of a nats-server has no password here: nodes have keys');
  }
  // The port of the web is left out by its URLs.
  const port = url.port || (/:80\/?$/.test(server) ? '80' : PORT);
  return { secure: scheme === 'tls', host: url.hostname, port };
}

function parsed(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** Checks addresses and certificates. Throws RangeError, which says what is wrong. */
export function natsServers(servers: readonly string[], tls: NatsTls | undefined): NatsServers {
  if (servers.length === 0) throw new RangeError('no address of a nats-server');
  const places = servers.map(addressOf);
  // One of them without would be the one that an attacker leads to.
  const secure = tls !== undefined || places.some((place) => place.secure);
  const byAddress = places.map(({ host }) => host.replace(/^\[|\]$/g, '')).filter((host) => isIP(host) !== 0);
  return {
    text: servers.join(', '),
    addresses: places.map(({ host, port }) => `${host}:${port}`),
    tls: secure ? tlsOptions(tls ?? {}, byAddress) : undefined,
  };
}

function tlsOptions(tls: NatsTls, byAddress: readonly string[]): TlsOptions {
  const { ca, cert, key } = tls;
  if ((cert === undefined) !== (key === undefined)) {
    throw new RangeError('a certificate of this node needs its key, and a key its certificate');
  }
  const given = { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
  try {
    createSecureContext(given);
    // A text that is none is silently left out by the line before.
    for (const pem of [ca, cert]) if (pem !== undefined) readCertificate(pem);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RangeError(`the certificates of this node cannot be used: ${reason}`, { cause: error });
  }
  return { ...given, ...identityCheck(byAddress) };
}

/** Throws if the text is no certificate. */
const readCertificate = (pem: string): X509Certificate => new X509Certificate(pem);

/** The client names no server that is known by its address: then it is one of these. */
function identityCheck(byAddress: readonly string[]): object {
  if (byAddress.length === 0) return {};
  return {
    checkServerIdentity: (name: string, certificate: PeerCertificate): Error | undefined => {
      const errors = byAddress.map((address) => checkServerIdentity(address, certificate));
      if (errors.includes(undefined)) return undefined;
      // It has a name, perhaps of another server of the list.
      return name === 'localhost' ? errors[0] : checkServerIdentity(name, certificate);
    },
  };
}
