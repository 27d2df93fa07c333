/**
 * Echo over a bare channel of messages at its fastest: plain handlers, no promise for each call.
 */
import { microsecondsEach } from '../harness/measure.mjs';
import { checkReply, makeMessage, WINDOW } from './message.mjs';

/** Performs echoes over a channel, whose answers come in order. */
class Echoes {
  #send;
  #count = 0;
  #sent = 0;
  #received = 0;
  #resolve;
  #reject;

  constructor({ send, receive }) {
    this.#send = send;
    receive((reply) => this.#take(reply));
  }

  /** Performs `count` echoes with `window` of them in flight. */
  run(count, window) {
    this.#count = count;
    this.#sent = 0;
    this.#received = 0;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      while (this.#sent < Math.min(count, window)) this.#send(makeMessage(this.#sent++));
    });
  }

  #take(reply) {
    try {
      checkReply(reply, this.#received++);
    } catch (error) {
      this.#reject(error);
    }
    if (this.#sent < this.#count) this.#send(makeMessage(this.#sent++));
    if (this.#received === this.#count) this.#resolve();
  }
}

/**
 * The measurement that a contender's settings ask for. `channel` has `send(message)` and
 * `receive(handler)`, which is called once.
 */
export async function measureMessages(channel, settings) {
  const echoes = new Echoes(channel);
  const window = settings.pipelined ? WINDOW : 1;
  const us = await microsecondsEach((count) => echoes.run(count, window), settings);
  return settings.pipelined ? { callsPerSecond: 1e6 / us } : { roundTripUs: us };
}
