/** `bulk`: a stream of packets from one thread to another. */
import { fileURLToPath } from 'node:url';
import { ginitSystem } from '../harness/ginit-system.mjs';
import { pairCommand } from '../harness/pair.mjs';
import { SIZES } from './traffic.mjs';

const here = (name) => new URL(name, import.meta.url);
const figureOf = (size) => `gigabytesPerSecond${size}`;

/** The senders that are measured at every place, by their name in figures. */
const SENDERS = {
  readInPlace: 'ginit, read in place',
  copiedOut: 'ginit, copied out',
  memoryCopy: 'Buffer.copy',
  memoryCopyAndRead: 'Buffer.copy, then read',
  messagePortCopy: 'MessagePort, copy',
  messagePortTransfer: 'MessagePort, transfer',
  messagePortReuse: 'MessagePort, transfer and reuse',
};

/** Names of places in the keys of figures. */
const PLACES = { one: 'OneCpu', two: 'TwoCpus' };

function command(sender, directory, place, settings) {
  const ginit = (copyOut) =>
    ginitSystem(directory, place, {
      service: 'Consumer',
      server: here('./consumer.mjs'),
      client: here('./producer.mjs'),
      ram: '32M',
      config: { ...settings, copyOut },
    });
  const copy = (read) => [
    process.execPath,
    fileURLToPath(here('./memory-copy.mjs')),
    JSON.stringify({ ...settings, read }),
  ];
  const port = (way) => pairCommand(here('./message-port.mjs'), place, { ...settings, way });
  const commands = {
    readInPlace: () => ginit(0),
    copiedOut: () => ginit(1),
    memoryCopy: () => copy(false),
    memoryCopyAndRead: () => copy(true),
    messagePortCopy: () => port('copy'),
    messagePortTransfer: () => port('fresh'),
    messagePortReuse: () => port('reuse'),
  };
  return commands[sender]();
}

function contenders({ directory, places, settings }) {
  // Three sizes in each run.
  const shorter = { ...settings, warmUpMs: settings.warmUpMs / 2 };
  return Object.keys(PLACES).flatMap((place) =>
    Object.entries(SENDERS).map(([sender, label]) => ({
      id: `${sender}-${place}`,
      label,
      place: places[place],
      command: command(sender, directory, places[place], shorter),
    })),
  );
}

/** `readInPlace64KOneCpu` and so on, in GB/s. */
function figures(median) {
  const entries = Object.keys(SENDERS).flatMap((sender) =>
    Object.keys(SIZES).flatMap((size) =>
      Object.entries(PLACES).map(([place, word]) => [
        `${sender}${size}${word}`,
        median(`${sender}-${place}`, figureOf(size)),
      ]),
    ),
  );
  return Object.fromEntries(entries);
}

/**
 * The worst of the measured places: `ratio(speed)`, where `speed(sender)` is in GB/s for 64 KiB.
 */
function worst(median, ratio) {
  const ratios = Object.keys(PLACES)
    .map((place) => ratio((sender) => median(`${sender}-${place}`, figureOf('64K'))))
    .filter(Number.isFinite);
  return Math.min(...ratios);
}

export const bulk = {
  name: 'bulk',
  title: 'a stream of packets of 4 KiB, 64 KiB and 1 MiB from one thread to another',
  columns: Object.fromEntries(Object.keys(SIZES).map((size) => [figureOf(size), `${size}iB, GB/s`])),
  contenders,
  figures,
  // Contenders are compared with their like: one copy (of the producer) each, and two copies each,
  // so that the consumer has bytes of its own.
  ratios: (median) => {
    const reuse = worst(median, (speed) => speed('readInPlace') / speed('messagePortReuse'));
    const copiedOut = worst(median, (speed) => speed('copiedOut') / speed('messagePortCopy'));
    return {
      readInPlaceVsMemcpy64K: worst(median, (speed) => speed('readInPlace') / speed('memoryCopy')),
      vsMessagePort64K: Math.min(reuse, copiedOut),
      readInPlaceVsMessagePortReuse64K: reuse,
      readInPlaceVsMessagePortTransfer64K: worst(
        median,
        (speed) => speed('readInPlace') / speed('messagePortTransfer'),
      ),
      copiedOutVsMessagePortCopy64K: copiedOut,
    };
  },
  aims: { readInPlaceVsMemcpy64K: 0.3, vsMessagePort64K: 3 },
};
