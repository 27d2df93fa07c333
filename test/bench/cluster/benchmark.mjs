/**
 * `cluster`: what two nodes say to each other over a real nats-server on loopback, sealed end to
 * end, against the client of NATS alone. `components` is the whole: components of two nodes that
 * call each other, stream packets and read blocks. `link` is calls and frames over a link, in
 * processes that have the connection themselves, as the client of NATS alone has it.
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
  const shorter = { ...settings, warmUpMs: settings.warmUpMs / 2 };
  const whole = (id, label, name, ...args) => ({
    id,
    label,
    place: free ?? one,
    command: [process.execPath, fileURLToPath(here(name)), ...args],
  });
  return [
    ...(quick ? [] : [whole('place', 'ginit, 20 components on 3 nodes', './place.mjs')]),
    whole('components', 'ginit, components of two nodes', './components.mjs', JSON.stringify(shorter)),
    pair('link-one', 'ginit, a link', one),
    pair('nats-one', 'nats, request and publish', one),
    ...(free
      ? [pair('link-free', 'ginit, a link', free), pair('nats-free', 'nats, request and publish', free)]
      : []),
  ];
}

export const cluster = {
  name: 'cluster',
  title: 'calls, packets and blocks between nodes over a nats-server',
  columns: {
    roundTripUs: 'round trip, us',
    roundTripsPerSecond: '64 in flight, per second',
    megabytesPerSecond: '64 KiB one way, MB/s',
    readsPerSecond: 'reads of 4 KiB, 32 at a time, per second',
    place20Ms: 'placed and running, ms',
    placeColdMs: 'the same with code to come, ms',
  },
  aims: { latencyVsNats: 0.77, throughputVsNats: 0.8, packetsVsPublish: 0.7 },
  contenders,
  figures: (median) => ({
    /** From the start of the head, with the nodes waiting, until all have said a word. */
    place20Ms: median('place', 'place20Ms'),
    componentsRoundTripUs: median('components', 'roundTripUs'),
    componentsRoundTripsPerSecond: median('components', 'roundTripsPerSecond'),
    packetMegabytesPerSecond: median('components', 'megabytesPerSecond'),
    remoteReadsPerSecond: median('components', 'readsPerSecond'),
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
    const ratio = (id, key, less) => {
      const [ours, theirs] = [median(id, key), median(`nats-${where}`, key)];
      return less ? theirs / ours : ours / theirs;
    };
    return {
      latencyVsNats: ratio(`link-${where}`, 'roundTripUs', true),
      throughputVsNats: ratio(`link-${where}`, 'roundTripsPerSecond', false),
      packetsVsPublish: ratio('components', 'megabytesPerSecond', false),
      framesVsPublish: ratio(`link-${where}`, 'megabytesPerSecond', false),
      componentsLatencyVsNats: ratio('components', 'roundTripUs', true),
      componentsThroughputVsNats: ratio('components', 'roundTripsPerSecond', false),
    };
  },
};
