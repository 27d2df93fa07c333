import { ConfigError, type ConfigNode, shown } from '@ginit/core/config';
import { LIMITS } from '@ginit/core/system';
import type { HostGrant } from './init-config.ts';
import type { Findings } from './reading.ts';
import type { GrantReading, HostReading } from './schema.ts';

/**
 * Reads the grants of a `<host>`. A path or an address that cannot be used is noted as an error and
 * left out.
 */
export function readHostGrants(host: HostReading | undefined, findings: Findings): HostGrant[] {
  const grants = (host?.$content ?? []).flatMap((grant) => readGrant(grant, findings) ?? []);
  const excess = grants[LIMITS.hostGrants];
  if (excess) {
    const text = `<host> has more than ${LIMITS.hostGrants} grants (grant a directory, or split the driver)`;
    findings.errors.push(new ConfigError(text, excess.position));
  }
  return grants.slice(0, LIMITS.hostGrants);
}

function readGrant(grant: GrantReading, findings: Findings): HostGrant | undefined {
  switch (grant.$type) {
    case 'file':
    case 'directory':
    case 'device':
    case 'program':
    case 'mount': {
      const path = readPath(grant.$node, grant.path, findings);
      if (path === undefined) return undefined;
      const access = grant.$type === 'program' || grant.$type === 'mount' ? 'rw' : grant.access;
      return { kind: grant.$type, path, access, position: grant.$node.position };
    }
    case 'unix':
    case 'tcp':
      return readSocket(grant, findings);
  }
}

function readPath(
  node: ConfigNode,
  path: string | undefined,
  findings: Findings,
  attribute = 'path',
): string | undefined {
  if (path === undefined) return undefined;
  // No NUL can come out of XML, but other syntaxes may feed the model too.
  if (path !== '' && !path.includes('\0') && path.length <= 4096) return path;
  findings.errors.push(
    node.errorAt(`attribute "${attribute}" of <${node.type}> is ${shown(path)}, which is no path`, attribute),
  );
  return undefined;
}

// HOST:PORT; a host is a name, an IPv4 address, `*` or an IPv6 address in brackets.
const ADDRESS_PATTERN = /^(?:\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[\w.-]+|\*):([0-9]{1,5})$/;

type SocketReading = Extract<GrantReading, { readonly $type: 'tcp' | 'unix' }>;

function readSocket(socket: SocketReading, findings: Findings): HostGrant | undefined {
  const { listen, connect, $type: family, $node: node } = socket;
  if ((listen === undefined) === (connect === undefined)) {
    findings.errors.push(
      node.errorAt(`<${family}> needs either an attribute "listen" or an attribute "connect"`),
    );
    return undefined;
  }
  const direction = listen === undefined ? 'connect' : 'listen';
  const kind = `${family}-${direction}` as const;
  const { position } = node;
  if (family === 'unix') {
    const path = readPath(node, listen ?? connect, findings, direction);
    return path === undefined ? undefined : { kind, path, access: 'rw', position };
  }
  const path = listen ?? connect ?? '';
  const port = ADDRESS_PATTERN.exec(path)?.[1];
  if (port === undefined || Number(port) > 65_535) {
    const text = `attribute "${direction}" of <tcp> is ${shown(path)}, which is not HOST:PORT`;
    findings.errors.push(node.errorAt(text, direction));
    return undefined;
  }
  return { kind, path, access: 'rw', position };
}
