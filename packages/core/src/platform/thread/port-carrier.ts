/**
 * A carrier over a MessagePort. Between two threads of one process memory travels beside the frames; where the port
 * leads to a relay (another process, or core) it does not, and everything is copied.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Carrier, SharedMemory } from '../../channel/carrier.ts';

/** What goes through the port. */
interface PortMessage {
  readonly frame: Uint8Array;
  readonly memory: SharedMemory;
}

const NO_MEMORY: SharedMemory = [];

function isPortMessage(value: unknown): value is PortMessage {
  return typeof value === 'object' && value !== null && 'frame' in value && 'memory' in value;
}

/** Sends a frame through a port; its memory is moved, not copied. */
export function postFrame(port: MessagePort, frame: Uint8Array): void {
  const { buffer } = frame;
  const whole = buffer instanceof ArrayBuffer && buffer.byteLength === frame.byteLength;
  port.postMessage(frame, whole ? [buffer] : []);
}

/** A carrier over `port`. */
export function portCarrier(port: MessagePort, sharesMemory: boolean): Carrier {
  let closed = false;
  return {
    sharesMemory,
    send(frame, memory) {
      if (closed) return;
      if (memory.length > 0) port.postMessage({ frame, memory } satisfies PortMessage);
      else postFrame(port, frame);
    },
    receive(handler) {
      port.on('message', (message: unknown) => {
        if (closed) return;
        if (message instanceof Uint8Array) handler(message, NO_MEMORY);
        else if (isPortMessage(message)) handler(message.frame, sharesMemory ? message.memory : NO_MEMORY);
      });
    },
    closed(handler) {
      port.on('close', () => {
        if (!closed) handler();
      });
    },
    close() {
      closed = true;
      port.close();
    },
  };
}
