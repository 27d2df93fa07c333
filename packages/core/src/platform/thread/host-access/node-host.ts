/**
 * The host as drivers reach it, over Node's own API. Whether a use is granted was checked before
 * (`runtime/granted-host.ts`).
 */
import type { HostDevice, HostFile, HostPlatform } from '../../../runtime/host-access.ts';
import type { MemoryPins } from '../memory/memory-pins.ts';
import { openNodeDevice } from './node-device.ts';
import { openNodeDirectory } from './node-directory.ts';
import { openNodeFile } from './node-file.ts';
import { runProgram } from './node-program.ts';
import { mountAt } from './node-mount.ts';
import { connectSocket, listenSocket } from './node-sockets.ts';
import { makeWorkplace } from './node-workplace.ts';
import { OpenThings } from './open-things.ts';

/**
 * The host for one component. `pins` is there where memory that the host reads and writes may be
 * taken back. `lack` is told of things that the host cannot do, such as locking a file.
 */
export function nodeHost(pins: MemoryPins | undefined, lack: (text: string) => void): HostPlatform {
  const things = new OpenThings();
  return {
    openFile: async ({ target, path }, access, options) => {
      const closed = things.add();
      try {
        return pinning(await openNodeFile(target, path, access, { lack, closed, ...options }), pins);
      } catch (error) {
        closed();
        throw error;
      }
    },
    openDirectory: (place, access) =>
      openNodeDirectory(place, access, { things, opened: (file) => pinning(file, pins) }),
    openDevice: async (place, access) =>
      pinningDevice(await openNodeDevice(place, access, things.add()), pins),
    listen: (kind, place) => listenSocket(kind, place, things, pins),
    connect: (kind, place) => connectSocket(kind, place, things, pins),
    run: (place, args) => runProgram(place, args, things, pins),
    mount: (place, options) => mountAt(place, options, things),
    workplace: (place) => makeWorkplace(place, { things, pins, opened: (file) => pinning(file, pins) }),
  };
}

/** The same file, which pins the memory that it reads into and writes from. */
function pinning(file: HostFile, pins: MemoryPins | undefined): HostFile {
  if (!pins) return file;
  return {
    writeable: file.writeable,
    sizeBytes: file.sizeBytes,
    read: (into, position) => pins.during(into, () => file.read(into, position)),
    write: (from, position) => pins.during(from, () => file.write(from, position)),
    size: () => file.size(),
    onResized: (handler) => file.onResized(handler),
    sync: () => file.sync(),
    zero: (position, bytes) => file.zero(position, bytes),
    discard: (position, bytes) => file.discard(position, bytes),
    resize: (sizeBytes) => file.resize(sizeBytes),
    close: () => file.close(),
  };
}

/** The same device, which pins memory likewise. */
function pinningDevice(device: HostDevice, pins: MemoryPins | undefined): HostDevice {
  if (!pins) return device;
  return {
    writeable: device.writeable,
    read: (into, position) => pins.during(into, () => device.read(into, position)),
    write: (from, position) => pins.during(from, () => device.write(from, position)),
    close: () => device.close(),
  };
}
