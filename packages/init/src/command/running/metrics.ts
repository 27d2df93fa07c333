/**
 * What `ginit top` shows, and quotas, in the text format of OpenMetrics
 * (https://github.com/prometheus/OpenMetrics), for whoever scrapes it.
 */
import type { SystemTree, TreeNode } from '../control/tree.ts';

interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly unit?: string;
  readonly value: (node: TreeNode) => number | undefined;
}

const METRICS: readonly Metric[] = [
  {
    name: 'ginit_component_up',
    type: 'gauge',
    help: 'Whether the component runs.',
    value: ({ state }) => (state === 'running' ? 1 : 0),
  },
  {
    name: 'ginit_component_restarts',
    type: 'counter',
    help: 'How often the component was started again.',
    value: ({ restarts }) => restarts,
  },
  {
    name: 'ginit_cpu_seconds',
    type: 'counter',
    unit: 'seconds',
    help: "Time of the component's thread on a CPU.",
    value: ({ cpuUs }) => (cpuUs === undefined ? undefined : cpuUs / 1_000_000),
  },
  {
    name: 'ginit_wakeups',
    type: 'counter',
    help: "How often the component's thread was woken.",
    value: ({ wakeUps }) => wakeUps,
  },
  {
    name: 'ginit_calls',
    type: 'counter',
    help: 'Calls that the sessions of the component have served.',
    value: ({ calls }) => calls,
  },
  {
    name: 'ginit_packets',
    type: 'counter',
    help: 'Packets of its streams that were acknowledged.',
    value: ({ packets }) => packets,
  },
  {
    name: 'ginit_ram_quota_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'RAM quota of its account.',
    value: ({ ram }) => ram?.quota,
  },
  {
    name: 'ginit_ram_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'RAM of its account that is used.',
    value: ({ ram }) => ram?.used,
  },
  {
    name: 'ginit_caps_quota',
    type: 'gauge',
    help: 'Capability quota of its account.',
    value: ({ caps }) => caps?.quota,
  },
  {
    name: 'ginit_caps_used',
    type: 'gauge',
    help: 'Capabilities of its account that are used.',
    value: ({ caps }) => caps?.used,
  },
  {
    name: 'ginit_heap_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: "JavaScript's heap, where the component has one of its own.",
    value: ({ heapUsed }) => heapUsed,
  },
];

/** The whole text; `system` is the name of the system. */
export function metricsText({ components }: SystemTree, system: string): string {
  const lines: string[] = [];
  for (const { name, type, help, unit, value } of METRICS) {
    const samples = components.flatMap((node) => {
      const number = value(node);
      if (number === undefined) return [];
      const labels = `system="${escaped(system)}",component="${escaped(node.label)}"`;
      const machine = node.node === undefined ? '' : `,node="${escaped(node.node)}"`;
      return [`${name}${type === 'counter' ? '_total' : ''}{${labels}${machine}} ${number}`];
    });
    if (samples.length === 0) continue;
    lines.push(`# TYPE ${name} ${type}`);
    if (unit !== undefined) lines.push(`# UNIT ${name} ${unit}`);
    lines.push(`# HELP ${name} ${help}`, ...samples);
  }
  return [...lines, '# EOF'].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
