/**
 * The systems that canaries are put into, each with a fault plan that the healthy system
 * withstands.
 */
import { fileURLToPath } from 'node:url';
import { systemConfig, type Workplace } from '../../harness/ginit.ts';

const DISK_BYTES = 256 * 1024;

const fixture = (name: string): string => fileURLToPath(new URL(`./${name}.mjs`, import.meta.url));
const binary = (name: string): string => `<binary name="${fixture(name)}"/>`;
const RESTART = '<restart max="1000" period_s="10000"/>';
const PARENT = '<any-service> <parent/> </any-service>';

const DISK = `<start name="disk" ram="8M">
    <binary name="file_block"/> <provides> <service name="Block"/> </provides> ${RESTART}
    <host> <file path="disk.img" access="rw"/> </host>
    <config file="disk.img" block_size="512" writeable="yes"/>
  </start>
  <start name="cache" ram="4M">
    <binary name="blockcache"/> <provides> <service name="Block"/> </provides> ${RESTART}
    <config mode="write-back" size="64K" tx_buf_size="64K"/>
    <route> <service name="Block"> <child name="disk"/> </service> ${PARENT} </route>
  </start>
  <start name="checker">
    ${binary('disk-checker')} <exit propagate="yes"/>
    <route>
      <service name="Block" label="disk"> <child name="disk"/> </service>
      <service name="Block"> <child name="cache"/> </service> ${PARENT}
    </route>
  </start>`;

const BANK = `<start name="bank">
    ${binary('bank')} <provides> <service name="Bank"/> </provides> ${RESTART}
  </start>
  <start name="customer"> ${binary('customer')} <exit propagate="yes"/> </start>`;

/** A client that its server knows by this label. */
const labelled = (label: string): string =>
  systemConfig(`<start name="teller">
    ${binary('teller')} <provides> <service name="Teller"/> </provides>
  </start>
  <start name="listener"> ${binary('listener')} <exit propagate="yes"/> <config label="${label}"/>
    <route> <service name="Teller"> <child name="teller" label="${label}"/> </service> ${PARENT} </route>
  </start>`);

const SYSTEMS = {
  cache: {
    args: [],
    config: systemConfig(DISK),
    plan: `<faults>
      <crash component="init -> cache" within="2000" count="3"/>
      <stall component="init -> disk" ms="30" within="2000" count="4"/>
      <power-cut within="3000"/>
    </faults>`,
  },
  bank: {
    // Each of the two children has 4M of this, so a loss is soon felt.
    args: ['--ram', '20M'],
    config: systemConfig(BANK),
    plan: `<faults>
      <crash component="init -> bank" within="1500" count="8"/>
      <stall within="1500" ms="30" count="4"/>
      <clock-jump by_s="3600" within="1500" count="2"/>
    </faults>`,
  },
  labels: {
    args: [],
    config: labelled('one'),
    plan: `<faults>
      <config file="other.xml" within="500" count="2"/>
      <config file="config.xml" within="500"/>
      <stall within="500" ms="30" count="2"/>
    </faults>`,
  },
} as const;

export type SystemName = keyof typeof SYSTEMS;

/**
 * Writes `config.xml`, `plan.xml` and the other files of the system. Returns the options of its
 * run.
 */
export function writeSystem(place: Workplace, name: SystemName): readonly string[] {
  const { config, plan, args } = SYSTEMS[name];
  place.write('config.xml', config);
  place.write('plan.xml', plan);
  place.write('other.xml', labelled('two'));
  place.write('disk.img', new Uint8Array(DISK_BYTES));
  return args;
}
