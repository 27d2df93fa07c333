/**
 * Messages of a device that is read message by message, such as FUSE's, by libuv's poll: no thread
 * blocks in a read, so a stuck driver ends like any other. Node has no door to this for devices;
 * its pipes take any descriptor that can be polled.
 */
import { RpcError } from '../../../errors.ts';
import type { HostErrorCode } from '../../../runtime/host-access.ts';

/** How a device is read. */
export interface DeviceReading {
  /** The longest message. */
  readonly messageBytesMax: number;
  /** Takes a message, whose memory is good until this returns. */
  readonly take: (message: Uint8Array) => void;
  /** Called once, when the device gives no more messages. */
  readonly ended: () => void;
}

/**
 * Reads a device from now on. Takes over the descriptor, which the result closes. Throws
 * `Unsupported` where Node cannot.
 */
export function readDevice(descriptor: number, { messageBytesMax, take, ended }: DeviceReading): () => void {
  const handle = polledHandle(descriptor);
  const onread = {
    buffer: new Uint8Array(messageBytesMax),
    callback: (length: number, buffer: Uint8Array): boolean => {
      take(buffer.subarray(0, length));
      return true;
    },
  };
  const options = { handle, readable: true, writable: false, onread };
  const { Socket } = process.getBuiltinModule('node:net');
  const stream = new Socket(options);
  // The end of a mount is an error of the device.
  stream.on('error', () => {});
  stream.on('end', () => stream.destroy());
  stream.on('close', ended);
  stream.resume();
  // A socket that is made of a handle reads when it is asked to.
  stream.read(0);
  return () => stream.destroy();
}

/** A pipe of Node's over the descriptor. */
function polledHandle(descriptor: number): object {
  const binding: unknown = Reflect.get(process, 'binding');
  if (typeof binding === 'function') {
    const pipes: unknown = Reflect.apply(binding, process, ['pipe_wrap']);
    const Pipe: unknown = Reflect.get(Object(pipes), 'Pipe');
    const constants: unknown = Reflect.get(Object(pipes), 'constants');
    const kind: unknown = Reflect.get(Object(constants), 'SOCKET');
    if (typeof Pipe === 'function') {
      const handle: unknown = Reflect.construct(Pipe, [kind]);
      const open: unknown = Reflect.get(Object(handle), 'open');
      if (typeof open === 'function' && Reflect.apply(open, handle, [descriptor]) === 0)
        return Object(handle);
    }
  }
  const code: HostErrorCode = 'Unsupported';
  throw new RpcError(code, `Node ${process.version} cannot wait for a device`);
}
