/**
 * Whether KVM is of use. On some machines /dev/kvm is there and takes every command, but runs the
 * kernel of a guest so slowly that no Linux comes up. So a few instructions are run first, as a
 * kernel would run them, and their time is taken: a loop in 32-bit protected mode, ring 0, in the
 * place of a BIOS. It writes a letter to its serial line before the loop, and one behind it.
 */
import { RpcError } from '@ginit/core';
import type { HostAccess, HostProcess } from '@ginit/core/host';
import type { Env } from '@ginit/core';
import type { Accelerator } from './qemu-arguments.ts';

/** The device that KVM is. */
export const KVM_DEVICE = '/dev/kvm';

/** Instructions of the loop. */
const LOOP_INSTRUCTIONS = 100_000_000;
const LOOP_ROUNDS = LOOP_INSTRUCTIONS / 2;
/** The speed below which KVM is not used, in millions of instructions a second. */
const LEAST_SPEED = 100;
/** The time that the probe has: QEMU has to come up, and the loop takes a second at most. */
const PROBE_MS = 5000;
const BIOS = 'bios';
const BIOS_BYTES = 64 * 1024;
/** Where the processor begins, in the BIOS. */
const RESET_OFFSET = 0xfff0;

/** The parts of `env` that are used. */
export interface ProbeEnv {
  readonly host: Pick<HostAccess, 'grants' | 'openDevice' | 'workplace'>;
  readonly timer: Pick<Env['timer'], 'after' | 'elapsedUs'>;
}

/** The accelerator of a machine, and why that one, for people. */
export interface AcceleratorChoice {
  readonly accelerator: Accelerator;
  readonly why: string;
}

/** Chooses it. */
export async function chooseAccelerator(env: ProbeEnv, program: string): Promise<AcceleratorChoice> {
  const { host } = env;
  const isGranted = host.grants.some(({ kind, path }) => kind === 'device' && path === KVM_DEVICE);
  if (!isGranted) return { accelerator: 'tcg', why: `${KVM_DEVICE} is not granted` };
  try {
    const device = await host.openDevice(KVM_DEVICE, 'rw');
    await device.close();
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return { accelerator: 'tcg', why: `${KVM_DEVICE} cannot be opened: ${error.code}` };
  }
  const speed = await measureSpeed(env, program, 'kvm');
  const shown = `a kernel runs ${Math.floor(speed)} million instructions a second on ${KVM_DEVICE}`;
  if (speed >= LEAST_SPEED) return { accelerator: 'kvm', why: shown };
  return { accelerator: 'tcg', why: `${shown}, and ${LEAST_SPEED} are needed` };
}

/**
 * Millions of instructions a second that a kernel runs; 0 if it does not get through the loop in
 * time.
 */
export async function measureSpeed(
  { host, timer }: Pick<ProbeEnv, 'timer'> & { readonly host: Pick<HostAccess, 'workplace'> },
  program: string,
  accelerator: Accelerator,
): Promise<number> {
  const workplace = await host.workplace(program);
  let giveUp = (): void => {};
  const late = new Promise<undefined>((resolve) => (giveUp = () => resolve(undefined)));
  const cancel = timer.after(PROBE_MS, giveUp);
  try {
    const file = await workplace.directory.openFile(BIOS, 'rw', { create: true });
    await file.write(probeBios(), 0);
    await file.close();
    const running = await workplace.run(
      [
        ['-nodefaults', '-no-user-config', '-machine', 'pc', '-accel', accelerator],
        ['-bios', BIOS, '-display', 'none', '-nic', 'none', '-serial', 'stdio'],
        ['-device', 'isa-debug-exit,iobase=0xf4'],
      ].flat(),
    );
    if (!(await Promise.race([letter(running), late]))) return 0;
    const startUs = await timer.elapsedUs();
    if (!(await Promise.race([letter(running), late]))) return 0;
    return LOOP_INSTRUCTIONS / Math.max(1, (await timer.elapsedUs()) - startUs);
  } finally {
    cancel();
    await workplace.close();
  }
}

/** Whether the guest has written something. */
async function letter({ output }: HostProcess): Promise<boolean> {
  try {
    return (await output.read()) !== undefined;
  } catch (error) {
    if (error instanceof RpcError) return false;
    throw error;
  }
}

/** The program of the probe. */
function probeBios(): Uint8Array {
  const bios = new Uint8Array(BIOS_BYTES);
  const code = [
    [0xfa, 0x8c, 0xc8, 0x8e, 0xd8], // cli; mov ax, cs; mov ds, ax
    [0x66, 0x0f, 0x01, 0x16, 0x80, 0x00], // lgdt [0x80]
    [0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0], // mov eax, cr0; or al, 1; mov cr0, eax
    [0x66, 0xea, 0x20, 0x00, 0x0f, 0x00, 0x08, 0x00], // jmp 8:0xf0020
  ].flat();
  bios.set(code);
  bios.set(
    [
      [0x66, 0xba, 0xf8, 0x03, 0xb0, 0x61, 0xee], // mov dx, 0x3f8; mov al, 'a'; out dx, al
      [0xb9, ...littleEndian(LOOP_ROUNDS)], // mov ecx, ROUNDS
      [0x49, 0x75, 0xfd], // dec ecx; jnz -3
      [0xb0, 0x62, 0xee], // mov al, 'b'; out dx, al
      [0x66, 0xba, 0xf4, 0x00, 0xee], // mov dx, 0xf4; out dx, al: QEMU ends
      [0xf4, 0xeb, 0xfd], // hlt; jmp -3
    ].flat(),
    0x20,
  );
  // The table of segments, and where it is: nothing, code, data, each of all 4 GiB.
  bios.set([23, 0, ...littleEndian(0xf_0088)], 0x80);
  bios.set([0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0], 0x90);
  bios.set([0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0], 0x98);
  bios.set([0xe9, 0x0d, 0x00], RESET_OFFSET); // jmp 0
  return bios;
}

function littleEndian(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}
