/**
 * Components of two nodes, with everything that belongs to a cluster between them: the processes of
 * the components, those that hold the connections to the bus, and a nats-server. Prints the figures.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PARENT_PROVIDES } from '../harness/ginit-system.mjs';
import { toAttributes } from '../harness/settings.mjs';
import { startMachines } from './machines.mjs';

const settings = JSON.parse(process.argv[2] ?? '{}');
const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const FIGURES = /^\[init -> client\] (\{.*\})$/m;

const provides = (service) => `<provides> <service name="${service}"/> </provides>`;
const { directory, start } = await startMachines(['b', 'c']);
writeFileSync(
  join(directory, 'components.xml'),
  `<config>
${PARENT_PROVIDES}
  <default caps="100" ram="16M"/>
  <start name="echo" node="b"> <binary name="${path('./remote-server.mjs')}"/> ${provides('SmallEcho')} </start>
  <start name="consumer" node="b"> <binary name="${path('../bulk/consumer.mjs')}"/> ${provides('Consumer')} </start>
  <start name="disk" node="b" ram="24M"> <binary name="ram_block"/> ${provides('Block')}
    <config size="16M" block_size="4096"/>
  </start>
  <start name="client" node="c" ram="32M"> <binary name="${path('./remote-client.mjs')}"/> <exit propagate="yes"/>
    <config ${toAttributes(settings)}/>
  </start>
</config>
`,
);

let text = '';
start(['components.xml'], (said) => (text = said)).once('exit', (code) => {
  const figures = FIGURES.exec(text)?.[1];
  if (figures === undefined || code !== 0) console.error(text);
  else console.log(figures);
  process.exit(figures === undefined ? 1 : code);
});
