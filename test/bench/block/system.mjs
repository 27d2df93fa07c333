/** Systems of a device, components that pass requests on, and a client that measures. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GINIT, PARENT_PROVIDES } from '../harness/ginit-system.mjs';
import { toAttributes } from '../harness/settings.mjs';
import { BLOCK_BYTES, SPAN_BYTES } from './workloads.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const PROVIDES = '<provides> <service name="Block"/> </provides>';

const routeTo = (server) =>
  `<route> <service name="Block"> <child name="${server}"/> </service> <any-service> <parent/> </any-service> </route>`;

/** The start nodes of devices, called "device". */
export const DEVICES = {
  file: (file, isolation, io) => `
  <start name="device" ram="8M" isolation="${isolation}">
    <binary name="file_block"/> ${PROVIDES}
    <host> <file path="${file}" access="rw"/> </host>
    <config file="${file}" block_size="${BLOCK_BYTES}" writeable="yes" io="${io}"/>
  </start>`,
  ram: (_, isolation) => `
  <start name="device" ram="${SPAN_BYTES / 2 ** 20 + 8}M" isolation="${isolation}">
    <binary name="ram_block"/> ${PROVIDES}
    <config size="${SPAN_BYTES / 2 ** 20}M" block_size="${BLOCK_BYTES}"/>
  </start>`,
};

const PASS = (number, isolation, below) => `
  <start name="pass${number}" ram="40M" isolation="${isolation}">
    <binary name="${path('./pass.mjs')}"/> ${PROVIDES} ${routeTo(below)}
  </start>`;

const PARTITION = `
  <start name="partition" ram="4M">
    <binary name="part_block"/> ${PROVIDES} ${routeTo('device')}
    <config> <default-policy partition="0" writeable="yes"/> </config>
  </start>`;

/** The start node of a server of NBD at a socket. */
const NBD = (socket, isolation, below) => `
  <start name="nbd" ram="24M" isolation="${isolation}">
    <binary name="nbd_server"/> ${routeTo(below)}
    <host> <unix listen="${socket}"/> </host>
    <config listen="unix:${socket}"> <export name="disk" writeable="yes" tx_buf_size="8M"/> </config>
  </start>`;

let systems = 0;

/**
 * Writes the config into `directory`; the result is the command that runs it. `passes` is the
 * number of components between the client and the device; `settings` is the client's config.
 */
export function blockSystem(directory, { device, file, passes = 0, partition, isolation, io, settings }) {
  const nodes = [DEVICES[device](file, isolation, io ?? 'auto')];
  let last = 'device';
  if (partition) {
    nodes.push(PARTITION);
    last = 'partition';
  }
  for (let number = 1; number <= passes; number++) {
    nodes.push(PASS(number, isolation, last));
    last = `pass${number}`;
  }
  return command(
    directory,
    `${nodes.join('')}
  <start name="client" ram="40M" isolation="${isolation}">
    <binary name="${path('./client.mjs')}"/> <exit propagate="yes"/> ${routeTo(last)}
    <config ${toAttributes(settings)}/>
  </start>`,
  );
}

/** The command that runs a system with a server of NBD, of a file, at `socket`. */
export function nbdSystem(directory, file, socket) {
  const device = DEVICES.file(file, 'process', 'auto');
  return command(directory, `${device}${NBD(socket, 'process', 'device')}`);
}

function command(directory, nodes) {
  const config = join(directory, `block-${++systems}.xml`);
  writeFileSync(
    config,
    `<config>
${PARENT_PROVIDES}
  <default caps="100" ram="4M"/>${nodes}
</config>
`,
  );
  return [process.execPath, GINIT, config];
}
