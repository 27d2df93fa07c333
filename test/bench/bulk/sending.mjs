/** Packets of one size through a stream, as many at a time as its buffer holds. */
import { copyInto, Packet, PACKET_STATUS } from '@ginit/core/packet-stream';

/** Sends `count` packets through a source; settles when the last is acknowledged. */
export class Sending {
  #source;
  #payload;
  #left;
  #submitted = new Packet();
  #acknowledged = new Packet();
  #under = 0;
  #settle;

  constructor(source, payload, count) {
    this.#source = source;
    this.#payload = payload;
    this.#left = count;
  }

  finish() {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#source.onClosed((why) => reject(new Error(`the stream ended: ${why}`)));
      this.#source.onWake(() => this.#turn());
      this.#turn();
    });
  }

  #turn() {
    const source = this.#source;
    const packet = this.#acknowledged;
    while (source.nextAcknowledged(packet)) {
      if (packet.status !== PACKET_STATUS.ok) this.#settle.reject(new Error(`status ${packet.status}`));
      source.free(packet.offset);
      this.#under--;
    }
    while (this.#left > 0 && this.#submit()) this.#left--;
    source.wakeup();
    if (this.#left === 0 && this.#under === 0) this.#settle.resolve();
  }

  #submit() {
    const source = this.#source;
    const size = this.#payload.length;
    if (!source.ready()) return false;
    const offset = source.allocate(size);
    if (offset < 0) return false;
    copyInto(source.payload(offset, size), this.#payload);
    const packet = this.#submitted;
    packet.offset = offset;
    packet.size = size;
    source.submit(packet);
    this.#under++;
    return true;
  }
}
