/** What the soakers of a run have said, by the names of their chains. */

const TALLY = /^\[init -> soak-(\w+)\] (\{.*\})$/;
/** Lines that only a fault writes. */
const COMPLAINT = /crashed|Error|assertion failed|^ginit: /;

export class Tallies {
  /** The latest tally of each chain. */
  byChain = new Map();
  begun = new Set();
  done = new Set();
  complaints = [];

  /** Takes one line of output. True if it is a tally. */
  line(text) {
    const [, name, tally] = TALLY.exec(text) ?? [];
    if (name === undefined) {
      if (COMPLAINT.test(text)) this.complaints.push(text);
      return false;
    }
    const { phase, ...counts } = JSON.parse(tally);
    this.byChain.set(name, counts);
    if (phase === 'begins') this.begun.add(name);
    if (phase === 'done') this.done.add(name);
    return true;
  }

  get text() {
    return [...this.byChain]
      .map(([name, { requests, failed }]) => `${name} ${requests} (${failed} failed)`)
      .join(', ');
  }
}
