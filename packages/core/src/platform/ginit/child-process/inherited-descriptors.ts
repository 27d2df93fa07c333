/**
 * Descriptors that somebody has left open in ginit: a shell with `exec 9>file`, `flock`, a service manager. Nobody has granted
 * them to components, and what is open is out of reach of every jail. Node keeps only those from its children that it finds
 * before the first gap.
 */
import { jailMeans } from '../../jail/lacks.ts';

const FIRST_DESCRIPTOR = 3;
const ALL_DESCRIPTORS = 0xffff_ffff;
const CLOSE_ON_EXECUTION = 4;

let kept = false;

/**
 * To be called before a process is started: none gets a descriptor that it was not given. ginit itself keeps them, as there may
 * be locks on them. Where the host has no means for jails nothing is done: there processes may do what ginit may.
 */
export function keepInheritedDescriptors(): void {
  if (kept) return;
  kept = true;
  const means = jailMeans();
  if (typeof means === 'string') return;
  means.calls.must('close_range', FIRST_DESCRIPTOR, ALL_DESCRIPTORS, CLOSE_ON_EXECUTION);
}
