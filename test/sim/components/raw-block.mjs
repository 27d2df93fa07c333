/**
 * A block device in memory that handles its packets by itself and does not tell which device it
 * serves; with `stale`, reads return old content.
 */
import { component, Packet } from '@ginit/core';
import { Block, BLOCK_OPERATION, BLOCK_STATUS } from '@ginit/core/block';

const BLOCK = 512;
const COUNT = 64;

export default component({ provides: [Block] }, (env) => {
  const memory = new Uint8Array(BLOCK * COUNT);
  const first = memory.slice();
  const stale = env.config.node.value('stale') === 'yes';
  env.provide(Block, ({ streams }) => {
    const packet = new Packet();
    void streams.tx.then((sink) =>
      sink.onWake(() => {
        while (sink.next(packet)) {
          const from = packet.position * BLOCK;
          const range = (stale && packet.operation === BLOCK_OPERATION.read ? first : memory).subarray(
            from,
            from + packet.size,
          );
          if (packet.operation === BLOCK_OPERATION.read) sink.payload(packet).set(range);
          if (packet.operation === BLOCK_OPERATION.write) range.set(sink.payload(packet));
          packet.status = BLOCK_STATUS.ok;
          sink.acknowledge(packet);
        }
      }),
    );
    return { info: () => ({ blockSize: BLOCK, blockCount: COUNT, alignLog2: 12, writeable: true }) };
  });
});
