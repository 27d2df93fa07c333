/** Something that is open and has to be closed. */
export interface Closeable {
  close(): Promise<void>;
}

/**
 * Lends what was opened to `use` and closes it afterwards, whatever happens. The error of `use`
 * comes first.
 */
export async function closing<Opened extends Closeable, Result>(
  opened: Opened,
  use: (opened: Opened) => Promise<Result>,
): Promise<Result> {
  let result: Result;
  try {
    result = await use(opened);
  } catch (error) {
    await opened.close().catch(() => undefined);
    throw error;
  }
  await opened.close();
  return result;
}
