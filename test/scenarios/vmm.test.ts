/** The virtual machine monitor under ginit: wherever it runs, its libraries are there. */
import { expect, test } from 'vitest';
import { Program } from '../../packages/vmm/test/tiny-guest.ts';
import { systemConfig, Workplace } from '../harness/ginit.ts';
import { JAILABLE } from '../harness/jailable.ts';

test('a machine runs in a thread, in a process and, where there are jails, in a jail', async () => {
  using place = new Workplace();
  place.write('linux', new Program().print('a guest is here\n').halt().kernel());
  const places = {
    thread: '',
    process: 'isolation="process"',
    ...(JAILABLE ? { jail: 'isolation="jail"' } : {}),
  };
  const machine = ([name, isolation]: [string, string]): string => `
    <start name="${name}" ram="20M" ${isolation}> <binary name="vmm"/>
      <config> <kernel rom="linux"/> <serial/> </config>
      <route>
        <service name="ROM" label="linux"> <child name="roms"/> </service>
        <service name="Terminal"> <child name="terminal_log"/> </service>
        <any-service> <parent/> </any-service>
      </route>
    </start>`;
  place.write(
    'config.xml',
    systemConfig(`
    <start name="roms"> <binary name="host_rom"/> <provides> <service name="ROM"/> </provides>
      <host> <file path="linux"/> </host>
      <config> <rom name="linux"/> </config>
    </start>
    <start name="terminal_log"> <provides> <service name="Terminal"/> </provides> </start>
    ${Object.entries(places).map(machine).join('')}`),
  );
  const system = place.start('config.xml');
  for (const name of Object.keys(places)) {
    await system.until(`[init -> terminal_log] ${name} -> serial: a guest is here`);
    await system.until(`[init -> ${name}] the guest has switched off`);
  }
  system.child.kill('SIGTERM');
  expect((await system.finished).code).toBe(0);
});
