/**
 * Finds the place in a component's own code where something was used: the first place in the stack
 * outside of the simulator.
 */
import { withoutInstance } from './instance-url.ts';

const OWN = new URL('..', import.meta.url).href;
const PLACE = /\(?((?:file:\/\/|\/)[^()]*:\d+:\d+)\)?$/;

/** `file:line:column`, or as much of it as is known. */
export function useOf(): string {
  const { stack = '' } = new Error('here');
  for (const line of stack.split('\n')) {
    const place = PLACE.exec(line)?.[1];
    if (place !== undefined && !place.startsWith(OWN))
      return withoutInstance(place).replace(/^file:\/\//, '');
  }
  return 'an unknown place';
}
