/**
 * A node in a process of its own, which can be stopped or killed. Its argument is JSON with the URL
 * of its server, its seed and its lease. It says what happens to it, a line of JSON each; it answers
 * every frame with the frame's first bytes.
 */
import { BusNode, Identity, NatsBus, SystemClock } from '@ginit/core/nats';

const ANSWER_BYTES = 4;

const { url, seed, leaseMs, peer } = JSON.parse(process.argv[2]);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const identity = new Identity(seed);
const complain = (complaint) => say({ complaint });
const bus = await NatsBus.connect({ servers: [url], identity, complain });
let taken = 0;
const owner = {
  accepts: () => undefined,
  opened: (_peer, _ticket, channel) => {
    channel.closed((ended) => say({ ended: ended ?? 'closed' }));
    channel.receive((frame) => {
      say({ taken: ++taken });
      channel.send(frame.slice(0, ANSWER_BYTES), []);
    });
  },
  linked: (linked) => say({ linked }),
  unlinked: (_peer, unlinked) => say({ unlinked }),
};
const node = new BusNode({ bus, cluster: 'test', identity, clock: new SystemClock(), owner, leaseMs });
say({ ready: true });
if (peer !== undefined) {
  const channel = await node.open(peer, Buffer.from('ticket'));
  channel.closed((ended) => say({ ended: ended ?? 'closed' }));
  channel.receive(() => say({ answer: true }));
  process.stdin.on('data', () => channel.send(new Uint8Array(100), []));
}
