/**
 * Descriptors that were left open in ginit by the program that started it: a shell with `exec
 * 9>file`, `flock`, a service manager. They are granted to no component, and no jail reaches what
 * is open already. Node closes only some of them in its children: those that it finds before the
 * first gap.
 */
import { jailMeans } from '../../jail/lacks.ts';

const FIRST_DESCRIPTOR = 3;
const ALL_DESCRIPTORS = 0xffff_ffff;
const CLOSE_ON_EXECUTION = 4;

let kept = false;

/**
 * Call this before a process is started: then no process gets a descriptor that it was not given.
 * ginit itself keeps them, because there may be locks on them. Nothing is done on a host without
 * means for jails, where processes may do everything that ginit may.
 */
export function keepInheritedDescriptors(): void {
  if (kept) return;
  kept = true;
  const means = jailMeans();
  if (typeof means === 'string') return;
  means.calls.must('close_range', FIRST_DESCRIPTOR, ALL_DESCRIPTORS, CLOSE_ON_EXECUTION);
}
