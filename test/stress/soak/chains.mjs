/** The chains of devices that are soaked: each ends at a soaker, and all run at once. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MIB = 1024 * 1024;
const DISK_BYTES = 64 * MIB;
const PARTITION_SECTOR = 2048;
const SECTOR_BYTES = 512;

/** A disk whose one partition is all of it, but for its first MiB (an MBR, as fdisk writes it). */
function partitionedDisk() {
  const disk = Buffer.alloc(DISK_BYTES);
  const entry = 446;
  disk[entry + 4] = 0x83;
  disk.writeUInt32LE(PARTITION_SECTOR, entry + 8);
  disk.writeUInt32LE(DISK_BYTES / SECTOR_BYTES - PARTITION_SECTOR, entry + 12);
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}

const server = (name, binary, { ram = '16M', attributes = '', inner = '<config/>', below } = {}) =>
  `<start name="${name}" ram="${ram}" ${attributes}> <binary name="${binary}"/>
    <provides> <service name="Block"/> </provides> ${inner} ${below === undefined ? '' : route(below)} </start>`;

const route = (below) => {
  const to = (name, label) =>
    `<service name="Block"${label === undefined ? '' : ` label="${label}"`}> <child name="${name}"/> </service>`;
  const routes = typeof below === 'string' ? [to(below)] : Object.entries(below).map(([l, n]) => to(n, l));
  return `<route> ${routes.join(' ')} <any-service> <parent/> </any-service> </route>`;
};

const file = (name) => `<host> <file path="${name}" access="rw"/> </host>`;
const POLICY = '<policy label_prefix="" writeable="yes"/>';

/**
 * The chains by name: the start nodes, and the last device. `mayFail`: it fails requests on
 * purpose.
 */
const CHAINS = {
  cached: {
    last: 'cache',
    starts: [
      server('disk', 'file_block', {
        inner: `${file('disk.img')} <config file="disk.img" writeable="yes"/>`,
      }),
      server('parts', 'part_block', {
        inner: '<config> <policy label_prefix="cache" partition="1" writeable="yes"/> </config>',
        below: 'disk',
      }),
      server('cache', 'blockcache', {
        inner: '<config mode="write-back" size="8M"/>',
        below: 'parts',
        attributes: 'isolation="process"',
      }),
    ],
  },
  exported: {
    last: 'client',
    starts: [
      server('store', 'ram_block', { ram: '80M', inner: `<config size="64M"> ${POLICY} </config>` }),
      `<start name="export" ram="64M"> <binary name="nbd_server"/> <host> <unix listen="soak.sock"/> </host>
        <config listen="unix:soak.sock"> <export name="disk" writeable="yes" detect_zeroes="yes"/> </config>
        ${route('store')} </start>`,
      server('client', 'nbd_block', {
        ram: '64M',
        inner: `<host> <unix connect="soak.sock"/> </host>
          <config connect="unix:soak.sock" export="disk" writeable="yes" connections="4"/>`,
      }),
    ],
  },
  faulty: {
    last: 'faults',
    mayFail: true,
    starts: [
      server('origin', 'file_block', {
        inner: `${file('origin.img')} <config file="origin.img" writeable="yes" io="pool"/>`,
      }),
      server('kept', 'file_block', {
        inner: `${file('kept.img')} <config file="kept.img" writeable="yes"/>`,
      }),
      server('snapshots', 'snapshot_block', {
        ram: '24M',
        inner: `<config format="yes" when_full="drop-oldest"> ${POLICY} <snapshot name="before"/> </config>`,
        below: { origin: 'origin', store: 'kept' },
      }),
      server('faults', 'fault_block', {
        inner: `<config seed="7"> <delay one_in="20"/> <reorder window="8" hold_ms="2"/> <error one_in="500"/>
          <torn-write one_in="900"/> </config>`,
        below: 'snapshots',
      }),
    ],
  },
};

export const CHAIN_NAMES = Object.keys(CHAINS);

/** Writes the config and its disks to a directory. Returns the path of the config. */
export function writeSystem(directory, { seconds, seed, soaker }) {
  writeFileSync(join(directory, 'disk.img'), partitionedDisk());
  for (const name of ['origin.img', 'kept.img'])
    writeFileSync(join(directory, name), Buffer.alloc(DISK_BYTES));
  const soakers = Object.entries(CHAINS).map(
    ([name, { last, mayFail }]) => `<start name="soak-${name}" ram="24M"> <binary name="${soaker}"/>
      <config seconds="${seconds}" seed="${seed}" lanes="16" may_fail="${mayFail ? 'yes' : 'no'}"/> ${route(last)} </start>`,
  );
  const starts = Object.values(CHAINS).flatMap((chain) => chain.starts);
  const path = join(directory, 'config.xml');
  const services = ['ROM', 'LOG', 'PD', 'CPU', 'Timer'].map((name) => `<service name="${name}"/>`);
  writeFileSync(
    path,
    `<config> <parent-provides> ${services.join(' ')} </parent-provides>
  <default-route> <any-service> <parent/> </any-service> </default-route>
  <default caps="200"/>
  ${[...starts, ...soakers].join('\n  ')}
</config>
`,
  );
  return path;
}
