/**
 * What a real nats-server pays for a large idle cluster: as many users as nodes, each with a
 * connection and the subscription of its inbox, and the messages that keep the leases of `LINKS`
 * links (packages/simulator/test/bus-scale.test.ts counts them). docs/scale.md has the figures.
 *
 *     node test/bench/cluster/many-nodes.mjs [NODES] [LINKS]
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'nats';
import { Identity, natsServerConfig, newSeed, permissionsOf } from '@ginit/core/nats';
import { startServer } from './nats-server.mjs';

const CLUSTER = 'many';
const AT_ONCE = 50;
/** Per link and second, and the length of each. */
const MESSAGES = 1.6;
const STATE_BYTES = 68;
const TURN_MS = 10;
const SECONDS = 10;
const TICKS_A_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

const [nodes, links] = [Number(process.argv[2] ?? 1000), Number(process.argv[3] ?? 2995)];
const identities = Array.from({ length: nodes }, () => new Identity(newSeed(randomBytes(32))));
const keys = identities.map(({ publicKey }) => publicKey);
const { url, pid } = await startServer(natsServerConfig({ cluster: CLUSTER, listen: '127.0.0.1:-1', keys }));

/** Bytes of memory, and seconds of CPU so far. */
function usage() {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const kib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
  return { mib: kib / 1024, cpuS: (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND };
}

let come = 0;
async function join(identity) {
  const client = await connect({
    servers: url,
    timeout: 60_000,
    authenticator: (nonce) => ({
      nkey: identity.publicKey,
      sig: Buffer.from(identity.sign(Buffer.from(nonce))).toString('base64'),
    }),
  });
  const [inbox] = permissionsOf(CLUSTER, identity.publicKey).subscribe;
  client.subscribe(inbox, { callback: () => come++ });
  return client;
}

const before = usage();
const clients = [];
for (let from = 0; from < nodes; from += AT_ONCE) {
  clients.push(...(await Promise.all(identities.slice(from, from + AT_ONCE).map(join))));
}
const joined = usage();
const STATE = new Uint8Array(STATE_BYTES);
const perTurn = (links * MESSAGES * TURN_MS) / 1000;
const beginMs = performance.now();
let sent = 0;
while (performance.now() - beginMs < SECONDS * 1000) {
  const wanted = Math.floor(((performance.now() - beginMs) / TURN_MS) * perTurn);
  for (; sent < wanted; sent++) {
    const [from, to] = [sent % nodes, (sent * 7 + 1) % nodes];
    clients[from].publish(`ginit.${CLUSTER}.to.${keys[to]}.${keys[from]}`, STATE);
  }
  await new Promise((resolve) => setTimeout(resolve, TURN_MS));
}
await Promise.all(clients.map((client) => client.flush()));
const after = usage();
console.log(
  JSON.stringify({
    nodes,
    links,
    messagesPerSecond: Math.round(sent / SECONDS),
    arrived: come / sent,
    serverMiBEmpty: Math.round(before.mib),
    serverMiBJoined: Math.round(joined.mib),
    serverMiBAfter: Math.round(after.mib),
    serverCpuPercent: Math.round(((after.cpuS - joined.cpuS) / SECONDS) * 100),
  }),
);
process.exit(0);
