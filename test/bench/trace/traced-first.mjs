/**
 * Has components traced before they are measured: the measuring component is their tracer, too. Its
 * TRACE session sees all of the system, by its route.
 */
import { Trace, TraceBuffer } from '@ginit/core/trace';

const SESSION_BYTES = 64 * 1024;
const BUFFER_BYTES = 1024 * 1024;

/** Traces the components that the attribute `traced` names, with the policies of `policy`. */
export async function tracedFirst(env) {
  const names = (env.config.node.value('traced') ?? '').split(' ');
  const trace = await env.connect(Trace, { ram: SESSION_BYTES });
  const policy = await trace.allocPolicy(env.config.node.value('policy') ?? '');
  const buffers = [];
  for (const name of names) {
    const subject = (await trace.subjects()).find(({ label }) => label.endsWith(` -> ${name}`));
    if (!subject) throw new Error(`there is no ${name} to be traced`);
    const buffer = await TraceBuffer.allocate(env, BUFFER_BYTES);
    await trace.trace(subject.id, policy, BUFFER_BYTES, buffer.sink);
    buffers.push(buffer);
  }
  return {
    /** Without events nothing was measured. */
    expectEvents() {
      if (buffers.some((buffer) => buffer.read().events.length === 0)) throw new Error('no events came');
    },
  };
}
