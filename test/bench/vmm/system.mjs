/** Systems with one machine, its disk behind a cache or not, and the operator. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GINIT } from '../harness/ginit-system.mjs';

const OPERATOR = fileURLToPath(new URL('./operator.mjs', import.meta.url));

const file = (name, path) => `
  <start name="${name}" ram="8M"> <binary name="file_block"/>
    <provides> <service name="Block"/> </provides>
    <host> <file path="${path}" access="rw"/> </host>
    <config file="${path}" block_size="512" writeable="yes"/>
  </start>`;

const CACHE = `
  <start name="cache" ram="24M"> <binary name="blockcache"/>
    <provides> <service name="Block"/> </provides>
    <config mode="write-back"/>
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
  </start>`;

const STATES = `
  <start name="fs" ram="24M"> <binary name="rumpfs"/>
    <provides> <service name="File_system"/> </provides>
    <config> <default-policy writeable="yes"/> </config>
    <route> <service name="Block"> <child name="states"/> </service> <any-service> <parent/> </any-service> </route>
  </start>`;

let systems = 0;

/**
 * Writes the config into `directory`; the result is the command that runs it. `states` is a file
 * with a file system for states, `times` how often the operator saves and restores, `cached`
 * whether there is a cache in front of the disk, `host` what QEMU needs.
 */
export function guestSystem(
  directory,
  {
    guest,
    engine,
    disk,
    model,
    cached,
    states,
    times = 0,
    ram,
    isolation = 'thread',
    host = '',
    commandLine,
  },
) {
  const config = join(directory, `vmm-${++systems}.xml`);
  writeFileSync(
    config,
    `<config>
  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
  </parent-provides>
  <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
  <default caps="200" ram="8M"/>
  <start name="roms" ram="32M"> <binary name="host_rom"/>
    <provides> <service name="ROM"/> </provides>
    <host> <file path="${guest.kernel}"/> <file path="${guest.initrd}"/> </host>
    <config interval_ms="60000">
      <rom name="linux" file="${guest.kernel}"/> <rom name="initrd" file="${guest.initrd}"/>
    </config>
  </start>${file('disk', disk)}${cached ? CACHE : ''}${states ? file('states', states) + STATES : ''}
  <start name="operator"> <binary name="${OPERATOR}"/>
    <provides> <service name="Terminal"/> <service name="Machine"/> </provides>
    <config times="${times}"/>
  </start>
  <start name="vmm" ram="${ram}" isolation="${isolation}">${host}
    <config engine="${engine}" on_stop="kill">
      <kernel rom="linux"/> <initrd rom="initrd"/>
      <cmdline>${commandLine}</cmdline>
      <disk label="disk" model="${model}" writeable="yes"/>
      <serial/> <control/>${states ? ' <state file="/guest.state"/>' : ''}
    </config>
    <route>
      <service name="ROM" label="linux"> <child name="roms"/> </service>
      <service name="ROM" label="initrd"> <child name="roms"/> </service>
      <service name="Block"> <child name="${cached ? 'cache' : 'disk'}"/> </service>${states ? '\n      <service name="File_system"> <child name="fs"/> </service>' : ''}
      <service name="Terminal"> <child name="operator"/> </service>
      <service name="Machine"> <child name="operator"/> </service>
      <any-service> <parent/> </any-service>
    </route>
  </start>
</config>
`,
  );
  return [process.execPath, GINIT, config];
}
