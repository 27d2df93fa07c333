/** `trace`: what a hook costs while nobody traces, and while somebody does; and calls with either. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GINIT, PARENT_PROVIDES } from '../harness/ginit-system.mjs';
import { toAttributes } from '../harness/settings.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The config of a system whose component `client` measures, and may trace all others. */
function systemOf({ client, server, attributes }) {
  const start = server
    ? `
  <start name="server">
    <binary name="${server}"/> <provides> <service name="Echo"/> </provides>
  </start>`
    : '';
  return `<config>
${PARENT_PROVIDES.replace('</parent-provides>', '<service name="TRACE"/> </parent-provides>')}
  <default caps="100" ram="4M"/>${start}
  <start name="client" ram="16M" caps="200">
    <binary name="${client}"/>
    <exit propagate="yes"/>
    <config ${attributes}/>
    <route>
      <service name="TRACE"> <parent label=""/> </service>
      <any-service> <parent/> <any-child/> </any-service>
    </route>
  </start>
</config>
`;
}

function contenders({ directory, places, settings }) {
  const { one, two } = places;
  const make = (id, label, place, { client, server, traced = '', policy = 'rpc_name', pipelined = 0 }) => {
    const path = join(directory, `${id}.xml`);
    const attributes = toAttributes({ ...settings, pipelined, traced, policy });
    writeFileSync(path, systemOf({ client, server, attributes }));
    return { id, label, place, command: [process.execPath, GINIT, path] };
  };
  const hooks = { client: here('./hooks.mjs') };
  const server = here('../rpc/echo-server.mjs');
  const plain = { client: here('../rpc/echo-client.mjs'), server };
  const traced = { client: here('./echo-client.mjs'), server, traced: 'client server' };
  return [
    make('hook-off', 'a hook, off', one, hooks),
    make('hook-null', 'a hook, traced without events', one, { ...hooks, traced: 'client', policy: 'null' }),
    make('hook-on', 'a hook, traced', one, { ...hooks, traced: 'client', policy: 'checkpoint' }),
    make('rpc-off', 'a call, off', one, plain),
    make('rpc-on', 'a call, both ends traced', one, traced),
    make('rpc-off-two', 'a call, off', two, plain),
    make('rpc-on-two', 'a call, both ends traced', two, traced),
    make('pipelined-off', 'calls, pipelined, off', one, { ...plain, pipelined: 1 }),
    make('pipelined-on', 'calls, pipelined, both ends traced', one, { ...traced, pipelined: 1 }),
  ];
}

export const trace = {
  name: 'trace',
  title: 'what a hook costs while nobody traces, and while somebody does',
  columns: { hookNs: 'hook, ns', roundTripUs: 'round trip, us', callsPerSecond: 'calls per second' },
  contenders,
  figures: (median) => ({
    offNs: median('hook-off', 'hookNs'),
    nullNs: median('hook-null', 'hookNs'),
    eventNs: median('hook-on', 'hookNs'),
    rpcOffUs: median('rpc-off', 'roundTripUs'),
    rpcOnUs: median('rpc-on', 'roundTripUs'),
    rpcOffTwoCpusUs: median('rpc-off-two', 'roundTripUs'),
    rpcOnTwoCpusUs: median('rpc-on-two', 'roundTripUs'),
    pipelinedOffPerSecond: median('pipelined-off', 'callsPerSecond'),
    pipelinedOnPerSecond: median('pipelined-on', 'callsPerSecond'),
  }),
  ratios: (median) => ({
    rpcOnVsOff: median('rpc-off', 'roundTripUs') / median('rpc-on', 'roundTripUs'),
  }),
  aims: {},
};
