/** Takes packets, reads each (in place, or after copying it out), and acknowledges it. */
import { component } from '@ginit/core';
import { copyInto, Packet, PACKET_STATUS } from '@ginit/core/packet-stream';
import { Consumer } from './session.mjs';
import { readPayload, SIZES } from './traffic.mjs';

const LARGEST = Math.max(...Object.values(SIZES));

class ConsumerSession {
  #sum = 0;
  #copyOut = false;
  #own = new Uint8Array(LARGEST);
  #packet = new Packet();

  copyOut(yes) {
    this.#copyOut = yes;
  }

  takeSum() {
    const sum = this.#sum;
    this.#sum = 0;
    return sum;
  }

  /** Serves the stream from now on. */
  attach(sink) {
    sink.onWake(() => {
      const packet = this.#packet;
      while (sink.next(packet)) {
        this.#read(sink.payload(packet));
        packet.status = PACKET_STATUS.ok;
        sink.acknowledge(packet);
      }
      sink.wakeup();
    });
  }

  #read(payload) {
    if (!this.#copyOut) {
      this.#sum += readPayload(payload);
      return;
    }
    const copy = this.#own.subarray(0, payload.length);
    copyInto(copy, payload);
    this.#sum += readPayload(copy);
  }
}

export default component({ provides: [Consumer] }, (env) => {
  env.provide(Consumer, ({ streams }) => {
    const session = new ConsumerSession();
    streams.tx.then(
      (sink) => session.attach(sink),
      () => {},
    );
    return session;
  });
});
