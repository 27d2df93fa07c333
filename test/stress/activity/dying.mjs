/** The ways in which a component ends itself. */

/** Ends the component, whatever it is doing. `kill` takes its whole process with it. */
export function die(manner) {
  switch (manner) {
    case 'throw':
      throw new Error('dies as planned');
    case 'exit':
      process.exit(3);
      break;
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      break;
    case 'spin':
      for (;;);
    default:
      throw new Error(`there is no manner of dying "${manner}"`);
  }
}
