/**
 * Adjacent logical blocks that lie side by side on the device, or a hole. Filled in by the callee.
 */
export class Run {
  /** The first block; 0 for a hole. */
  block = 0;
  count = 0;
  /** Whether the blocks were allocated just now and hold no contents of the file yet. */
  fresh = false;
  /** The first block of what reads as a hole, but is allocated (an unwritten extent); else 0. */
  unwritten = 0;
}
