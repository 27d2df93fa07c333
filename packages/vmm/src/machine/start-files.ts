/** The files that a machine starts with: a kernel, or a BIOS that looks at its disks. */
import type { Firmware } from '../engine/engine.ts';
import type { GuestFiles } from './guest-files.ts';
import type { FileConfig, VmmConfig } from './schema.ts';

/**
 * The content of what the config names. One of kernel, Multiboot kernel and firmware is there,
 * unless the engine is named that has a BIOS of its own.
 */
export interface StartFiles {
  readonly kernel: Uint8Array | undefined;
  readonly multiboot: Uint8Array | undefined;
  readonly initrd: Uint8Array | undefined;
  readonly firmware: Firmware | undefined;
}

/** Where Debian has the BIOS. */
const BIOS_PLACE =
  "bios.bin of Debian's package seabios (apt-get install seabios puts it into /usr/share/seabios)";

/** Reads them. Throws a `ConfigError`. */
export async function readStartFiles(files: GuestFiles, config: VmmConfig): Promise<StartFiles> {
  const { kernel, multiboot, initrd, cmdline, bios, vgabios } = config.$children;
  if (kernel && multiboot) throw multiboot.$node.errorAt('<kernel> and <multiboot> exclude each other');
  const started = kernel ?? multiboot;
  const useless = started ? (bios ?? vgabios) : (initrd ?? cmdline);
  if (useless) {
    const reason = started ? 'is only of use without a kernel' : 'is only of use with a kernel';
    throw useless.$node.errorAt(`<${useless.$node.type}> ${reason}`);
  }
  // QEMU brings one along.
  if (!started && !bios && config.engine !== 'qemu') {
    throw config.$node.errorAt(
      `a machine has a <kernel>, or a <multiboot>, or it starts from its disks, by a <bios>: ${BIOS_PLACE}`,
    );
  }
  const read = async (one: FileConfig | undefined): Promise<Uint8Array | undefined> => one && files.read(one);
  const [biosBytes, vgaBios] = [await read(bios), await read(vgabios)];
  return {
    kernel: await read(kernel),
    multiboot: await read(multiboot),
    initrd: await read(initrd),
    firmware: biosBytes && { bios: biosBytes, vgaBios },
  };
}
