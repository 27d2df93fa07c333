/** The part of a state that says which machine it is of, and what was on its disks. */
import { boolean, list, nullable, oneOf, record, ShapeError, type ShapeType, text, u53 } from '@ginit/core';
import { MACHINE_DRIVES } from '@ginit/core/machine';
import { transportState } from '../devices/virtio/pci-transport.ts';
import { StateError } from '../state/state-stream.ts';
import { inMebibytes } from './memory.ts';

const WORD = text(1000);
const DISKS_MAX = 64;

/** The shape of it. */
const savedMachine = record({
  engine: WORD,
  processors: WORD,
  memoryBytes: u53,
  /** The CRC-32 of what the machine starts with, if it has no kernel. */
  firmware: nullable(WORD),
  drives: list(oneOf(MACHINE_DRIVES), MACHINE_DRIVES.length),
  serial: boolean,
  screen: nullable(WORD),
  disks: list(
    record({
      label: WORD,
      model: WORD,
      writeable: boolean,
      blockSize: u53,
      blockCount: u53,
      fingerprint: WORD,
    }),
    DISKS_MAX,
  ),
  media: list(
    record({ drive: oneOf(MACHINE_DRIVES), source: WORD, name: WORD, fingerprint: WORD }),
    MACHINE_DRIVES.length,
  ),
  /** Our own devices, in the order of their places on the bus. */
  devices: list(transportState, DISKS_MAX),
});
/** See `savedMachine`. */
export type SavedMachine = ShapeType<typeof savedMachine>;

/** Reads it from JSON. Throws `StateError`. */
export function readSavedMachine(value: unknown): SavedMachine {
  try {
    return savedMachine(value, 'machine');
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new StateError(`a part of it is not as it should be: ${error.message}`);
  }
}

/** The properties of a machine that must be the same, for people. */
function propertiesOf(machine: SavedMachine): [string, string][] {
  const { engine, processors, memoryBytes, firmware, drives, serial, screen, disks } = machine;
  return [
    ['engine', engine],
    ['processors', processors],
    ['memory', `${inMebibytes(memoryBytes)} MiB (${memoryBytes} bytes)`],
    ['BIOS', firmware ?? 'none'],
    ['drives', drives.toSorted().join(', ') || 'none'],
    ['screen', screen ?? 'none'],
    ['serial line', serial ? 'one' : 'none'],
    ['disks', disks.map(({ label }) => `"${label}"`).join(', ') || 'none'],
    ...disks.map(({ label, model, writeable, blockSize, blockCount }): [string, string] => [
      `disk "${label}"`,
      `${model}, ${writeable ? 'writeable' : 'read-only'}, ${blockCount} blocks of ${blockSize} bytes`,
    ]),
  ];
}

/** Why the state of a machine is of no use for this one, except for what is on its disks. */
export function otherMachine(saved: SavedMachine, here: SavedMachine): string | undefined {
  const mine = new Map(propertiesOf(here));
  for (const [property, there] of propertiesOf(saved)) {
    const own = mine.get(property) ?? 'none';
    if (own !== there) return `it is of another machine: ${property} was ${there} there, and is ${own} here`;
  }
  return undefined;
}
