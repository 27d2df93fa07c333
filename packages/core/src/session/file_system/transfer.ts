/** Packets of one transfer that are under way at a time. */
const WINDOW = 16;

/**
 * Cuts a transfer of `totalBytes` into pieces and carries out several at a time. `perform` resolves to the bytes done;
 * fewer than asked for end the transfer there. Resolves to the bytes done without a gap from the beginning; rejects
 * with the error of the first piece that failed. Either way nothing is under way any more.
 */
export async function transfer(
  totalBytes: number,
  pieceBytes: number,
  perform: (offset: number, length: number) => Promise<number>,
): Promise<number> {
  if (totalBytes <= pieceBytes) return totalBytes === 0 ? 0 : perform(0, totalBytes);
  let next = 0;
  let end = totalBytes;
  let failedAt = Infinity;
  let failure: unknown;
  const worker = async (): Promise<void> => {
    while (next < end && failedAt === Infinity) {
      const offset = next;
      const length = Math.min(pieceBytes, totalBytes - offset);
      next = offset + length;
      try {
        const done = await perform(offset, length);
        if (done < length) end = Math.min(end, offset + done);
      } catch (error) {
        if (offset >= failedAt) continue;
        failedAt = offset;
        failure = error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(WINDOW, Math.ceil(totalBytes / pieceBytes)) }, worker));
  if (failedAt < end) throw failure;
  return end;
}
