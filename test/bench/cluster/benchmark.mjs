/**
 * `cluster`: calls and frames over a link between two nodes on a real nats-server on loopback,
 * sealed end to end, against the client of NATS alone. The calls are those of components, made
 * without their threads; the stream is one of frames of a channel, below packet streams.
 */
import { fileURLToPath } from 'node:url';
import { hasCommand } from '../harness/environment.mjs';
import { pairCommand } from '../harness/pair.mjs';

const here = (name) => new URL(name, import.meta.url);

function contenders({ places, settings, quick }) {
  if (!hasCommand('nats-server')) throw new Error('this benchmark needs nats-server (Debian: nats-server)');
  const pair = (id, label, place) => ({
    id,
    label,
    place,
    command: pairCommand(here(`./${id.split('-')[0]}.mjs`), undefined, {
      ...settings,
      clientCpu: -1,
      serverCpu: -1,
    }),
  });
  const { one, free } = places;
  const whole = { id: 'place', label: 'ginit, 20 components on 3 nodes', place: free ?? one };
  return [
    ...(quick ? [] : [{ ...whole, command: [process.execPath, fileURLToPath(here('./place.mjs'))] }]),
    pair('link-one', 'ginit, a link', one),
    pair('nats-one', 'nats, request and publish', one),
    ...(free
      ? [pair('link-free', 'ginit, a link', free), pair('nats-free', 'nats, request and publish', free)]
      : []),
  ];
}

export const cluster = {
  name: 'cluster',
  title: 'calls and frames between two processes over a nats-server',
  columns: {
    roundTripUs: 'round trip, us',
    roundTripsPerSecond: '64 in flight, per second',
    megabytesPerSecond: '64 KiB one way, MB/s',
    place20Ms: 'placed and running, ms',
    placeColdMs: 'the same with code to come, ms',
  },
  aims: { latencyVsNats: 0.77, throughputVsNats: 0.8, packetsVsPublish: 0.7 },
  contenders,
  figures: (median) => ({
    /** From the start of the head, with the nodes waiting, until all have said a word. */
    place20Ms: median('place', 'place20Ms'),
    linkRoundTripUs: median('link-free', 'roundTripUs'),
    natsRoundTripUs: median('nats-free', 'roundTripUs'),
    linkRoundTripOneCpuUs: median('link-one', 'roundTripUs'),
    linkRoundTripsPerSecond: median('link-free', 'roundTripsPerSecond'),
    natsRoundTripsPerSecond: median('nats-free', 'roundTripsPerSecond'),
    linkMegabytesPerSecond: median('link-free', 'megabytesPerSecond'),
    natsMegabytesPerSecond: median('nats-free', 'megabytesPerSecond'),
  }),
  ratios: (median) => {
    const where = Number.isFinite(median('nats-free', 'roundTripUs')) ? 'free' : 'one';
    const ratio = (key, less) => {
      const [ours, theirs] = [median(`link-${where}`, key), median(`nats-${where}`, key)];
      return less ? theirs / ours : ours / theirs;
    };
    return {
      latencyVsNats: ratio('roundTripUs', true),
      throughputVsNats: ratio('roundTripsPerSecond', false),
      packetsVsPublish: ratio('megabytesPerSecond', false),
    };
  },
};
