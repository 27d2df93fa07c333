import { type ConfigNode, type HostGrantFact, shown } from '@ginit/core';
import type { HostGrant } from './init-config.ts';
import type { Findings } from './reading.ts';

/** The grants of a `<host>`. What is no usable path or address is noted as an error and left out. */
export function readHostGrants(host: ConfigNode | undefined, findings: Findings): HostGrant[] {
  return (host?.children ?? []).flatMap((node) => readGrant(node, findings) ?? []);
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
    case 'tcp':
      return readTcp(node, findings);
    default:
      return undefined;
  }
}

function accessOf(node: ConfigNode, fallback: HostGrantFact['access']): HostGrantFact['access'] {
  const access = node.value('access');
  return access === 'ro' || access === 'rw' ? access : fallback;
}

function readPath(node: ConfigNode, findings: Findings): string | undefined {
  const path = node.value('path');
  if (path === undefined) return undefined;
  // No NUL can come out of XML, but other syntaxes may feed the model too.
  if (path !== '' && !path.includes('\0') && path.length <= 4096) return path;
  findings.errors.push(
    node.errorAt(`attribute "path" of <${node.type}> is ${shown(path)}, which is no path`, 'path'),
  );
  return undefined;
}

// HOST:PORT; a host is a name, an IPv4 address, `*` or an IPv6 address in brackets.
const addressPattern = /^(?:\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[\w.-]+|\*):([0-9]{1,5})$/;

function readTcp(node: ConfigNode, findings: Findings): HostGrant | undefined {
  const listen = node.value('listen');
  const connect = node.value('connect');
  if ((listen === undefined) === (connect === undefined)) {
    findings.errors.push(node.errorAt('<tcp> needs either an attribute "listen" or an attribute "connect"'));
    return undefined;
  }
  const direction = listen === undefined ? 'connect' : 'listen';
  const path = listen ?? connect ?? '';
  const port = addressPattern.exec(path)?.[1];
  if (port === undefined || Number(port) > 65_535) {
    const text = `attribute "${direction}" of <tcp> is ${shown(path)}, which is not HOST:PORT`;
    findings.errors.push(node.errorAt(text, direction));
    return undefined;
  }
  return { kind: `tcp-${direction}`, path, access: 'rw', position: node.position };
}
