/**
 * The state of v86 in a stream: what its own state leaves out, its own state without the memory of
 * the guest, and that memory, as runs of pages. v86 would put the memory into its state as a whole,
 * and take twice the size of the guest for it; here it goes from where it is.
 *
 * v86 keeps the times of its timer by the clock of its thread, which begins with the thread. They
 * are moved to the clock of the thread that goes on.
 */
import { isRecord } from '@ginit/core';
import {
  readBlock,
  readJson,
  readU32,
  StateError,
  type StateSink,
  type StateSource,
  u32Bytes,
  writeBlock,
  writeJson,
} from '../../state/state-stream.ts';
import type { V86Cpu, V86Loop } from './internals.ts';

const PAGE_BYTES = 4096;
/** The pages of one run: they are copied at a time. */
const RUN_PAGES_MAX = 256;
/** Devices with the memory of the screen. */
const OWN_STATE_BYTES_MAX = 64 * 1024 * 1024;
const BESIDE_BYTES_MAX = 64 * 1024;
/** The memory that a BIOS is put into. A machine that has not run has zeros everywhere else. */
const FIRST_BYTES = 1024 * 1024;

/** Writes it; `beside` is what else belongs to the engine, as JSON. */
export async function saveV86(loop: V86Loop, beside: object, into: StateSink): Promise<void> {
  const { cpu } = loop;
  await writeJson(into, { ...beside, nowMs: loop.constructor.microtick() });
  await writeBlock(into, new Uint8Array(withoutMemory(cpu, () => loop.save_state())));
  const pages = cpu.mem8.byteLength / PAGE_BYTES;
  for (let page = 0; page < pages; ) {
    const count = usedPages(cpu, page, Math.min(pages, page + RUN_PAGES_MAX));
    if (count > 0) {
      await into.write(u32Bytes(page));
      await into.write(u32Bytes(count));
      await into.write(cpu.mem8.subarray(page * PAGE_BYTES, (page + count) * PAGE_BYTES));
    }
    page += Math.max(1, count);
  }
  await into.write(u32Bytes(pages));
  await into.write(u32Bytes(0));
}

/** Takes it over; the result is what was written beside it. */
export async function restoreV86(loop: V86Loop, from: StateSource): Promise<Record<string, unknown>> {
  const { cpu } = loop;
  const beside = await readJson(from, BESIDE_BYTES_MAX);
  if (!isRecord(beside) || typeof beside['nowMs'] !== 'number')
    throw new StateError('a part of it is missing');
  const own = (await readBlock(from, OWN_STATE_BYTES_MAX)).slice();
  try {
    withAllBars(cpu, () => withoutMemory(cpu, () => loop.restore_state(own.buffer)));
  } catch (error) {
    throw new StateError(`v86 does not take its state: ${error instanceof Error ? error.message : error}`);
  }
  cpu.mem8.fill(0, 0, FIRST_BYTES);
  const pages = cpu.mem8.byteLength / PAGE_BYTES;
  for (let next = 0; ; ) {
    const [page, count] = [await readU32(from), await readU32(from)];
    if (count === 0 && page === pages) break;
    if (page < next || count === 0 || count > RUN_PAGES_MAX || page + count > pages)
      throw new StateError('its memory is not that of this machine');
    next = page + count;
    await from.readInto(cpu.mem8.subarray(page * PAGE_BYTES, next * PAGE_BYTES));
  }
  const { counter_start_time: times } = cpu.devices.pit;
  const laterMs = loop.constructor.microtick() - beside['nowMs'];
  for (const [counter, time] of times.entries()) times[counter] = time + laterMs;
  return beside;
}

/**
 * Without disks, the IDE controller of v86 has places for ports where it has none; it does not take
 * its own state then. Meanwhile these are ports without a number.
 */
function withAllBars(cpu: V86Cpu, act: () => void): void {
  const lists = cpu.devices.pci.devices.flatMap((device) => (device ? [device.pci_bars] : []));
  const empty = lists.map((list) => [...list.keys()].filter((index) => list[index] === undefined));
  for (const [at, list] of lists.entries())
    for (const index of empty[at] ?? []) list[index] = { size: 0, original_bar: 0, entries: [] };
  try {
    act();
  } finally {
    for (const [at, list] of lists.entries()) for (const index of empty[at] ?? []) list[index] = undefined;
  }
}

/** How many pages from one on, one after the other, have something in them. */
function usedPages(cpu: V86Cpu, from: number, to: number): number {
  let page = from;
  while (page < to && !cpu.is_memory_zeroed(page * PAGE_BYTES, PAGE_BYTES)) page++;
  return page - from;
}

/** Has v86 save or restore without the memory of the guest. */
function withoutMemory<Result>(cpu: V86Cpu, act: () => Result): Result {
  const { pack_memory: pack, unpack_memory: unpack } = cpu;
  const empty = { packed_memory: new Uint8Array(0), bitmap: { get_buffer: () => new ArrayBuffer(0) } };
  cpu.pack_memory = () => empty;
  cpu.unpack_memory = () => {};
  try {
    return act();
  } finally {
    cpu.pack_memory = pack;
    cpu.unpack_memory = unpack;
  }
}
