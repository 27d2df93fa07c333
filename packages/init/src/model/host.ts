import { ConfigError, type ConfigNode, type HostGrantFact, LIMITS, shown } from '@ginit/core';
import type { HostGrant } from './init-config.ts';
import type { Findings } from './reading.ts';

/** The grants of a `<host>`. What is no usable path or address is noted as an error and left out. */
export function readHostGrants(host: ConfigNode | undefined, findings: Findings): HostGrant[] {
  const grants = (host?.children ?? []).flatMap((node) => readGrant(node, findings) ?? []);
  const excess = grants[LIMITS.hostGrants];
  if (excess) {
    const text = `<host> has more than ${LIMITS.hostGrants} grants (grant a directory, or split the driver)`;
    findings.errors.push(new ConfigError(text, excess.position));
  }
  return grants.slice(0, LIMITS.hostGrants);
}

function readGrant(node: ConfigNode, findings: Findings): HostGrant | undefined {
  const { position } = node;
  switch (node.type) {
    case 'file':
    case 'directory': {
      const path = readPath(node, findings);
      return path === undefined
        ? undefined
        : { kind: node.type, path, access: accessOf(node, 'ro'), position };
    }
    case 'device': {
      const path = readPath(node, findings);
      return path === undefined
        ? undefined
        : { kind: 'device', path, access: accessOf(node, 'rw'), position };
    }
    case 'program': {
      const path = readPath(node, findings);
      return path === undefined ? undefined : { kind: 'program', path, access: 'rw', position };
    }
    case 'unix':
    case 'tcp':
      return readSocket(node, node.type, findings);
    default:
      return undefined;
  }
}

function accessOf(node: ConfigNode, fallback: HostGrantFact['access']): HostGrantFact['access'] {
  const access = node.value('access');
  return access === 'ro' || access === 'rw' ? access : fallback;
}

function readPath(node: ConfigNode, findings: Findings, attribute = 'path'): string | undefined {
  const path = node.value(attribute);
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

function readSocket(node: ConfigNode, family: 'tcp' | 'unix', findings: Findings): HostGrant | undefined {
  const listen = node.value('listen');
  const connect = node.value('connect');
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
    const path = readPath(node, findings, direction);
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
