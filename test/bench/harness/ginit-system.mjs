/**
 * A system of two components for ginit: a server, and a client that measures and whose exit ends
 * the system.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toAttributes } from './settings.mjs';

/** The ginit command. */
export const GINIT = fileURLToPath(new URL('../../../packages/init/bin/ginit.js', import.meta.url));

/** The part that the config of every system has. */
export const PARENT_PROVIDES = `  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
  </parent-provides>
  <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>`;

let systems = 0;

/**
 * Writes the config into `directory`. The result is the command that runs it at a place. `service`
 * is the service that the server provides, `client` and `server` are URLs of component modules,
 * `config` holds the attributes of both their configs, `isolation` says where both run.
 */
export function ginitSystem(
  directory,
  place,
  { service, client, server, config, ram = '4M', isolation = 'thread' },
) {
  const attributes = toAttributes(config);
  // If a place keeps the threads apart, each component gets one of its two CPUs.
  const apart = place?.split === true;
  const affinity = (xpos) => (apart ? `\n    <affinity xpos="${xpos}"/>` : '');
  const path = join(directory, `system-${++systems}.xml`);
  writeFileSync(
    path,
    `<config>
${PARENT_PROVIDES}
  <default caps="100" ram="${ram}"/>${apart ? '\n  <affinity-space width="2"/>' : ''}
  <start name="server" isolation="${isolation}">${affinity(1)}
    <binary name="${fileURLToPath(server)}"/>
    <provides> <service name="${service}"/> </provides>
    <config ${attributes}/>
  </start>
  <start name="client" isolation="${isolation}">${affinity(0)}
    <binary name="${fileURLToPath(client)}"/>
    <exit propagate="yes"/>
    <config ${attributes}/>
  </start>
</config>
`,
  );
  return [process.execPath, GINIT, path];
}
