/** How an image and a partition of it are named: `IMAGE` or `IMAGE:PART`. */

/** A file, and the number of a partition in it; `undefined`: nobody said which. */
export interface Place {
  readonly file: string;
  readonly partition: number | undefined;
}

const WITH_PARTITION = /^(.+):(\d{1,3})$/s;

/**
 * Takes a text apart. A number behind the last colon is that of a partition; 0 is the whole disk.
 */
export function placeOf(text: string): Place {
  const [, file, partition] = WITH_PARTITION.exec(text) ?? [];
  return file === undefined ? { file: text, partition: undefined } : { file, partition: Number(partition) };
}
