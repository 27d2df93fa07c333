/** How a transfer is cut. */
export interface Pieces {
  /** The whole, and the largest piece, in any unit. */
  readonly total: number;
  readonly pieceMax: number;
  /** Pieces that are under way at a time, at most. */
  readonly underWayMax: number;
}

/**
 * Carries out a transfer in pieces, several at a time. `perform` resolves to how much it has done,
 * or to nothing if that was all; less than asked for ends the transfer there. Resolves to what was
 * done without a gap from the beginning; rejects with the error of the piece that failed nearest to
 * the beginning. Either way nothing is under way any more.
 */
export async function inPieces(
  { total, pieceMax, underWayMax }: Pieces,
  perform: (offset: number, length: number) => Promise<number | void>,
): Promise<number> {
  if (total <= pieceMax) return total === 0 ? 0 : ((await perform(0, total)) ?? total);
  let next = 0;
  let end = total;
  let failedAt = Infinity;
  let failure: unknown;
  const lane = async (): Promise<void> => {
    while (next < end && failedAt === Infinity) {
      const offset = next;
      const length = Math.min(pieceMax, total - offset);
      next = offset + length;
      try {
        const done = await perform(offset, length);
        if (done !== undefined && done < length) end = Math.min(end, offset + done);
      } catch (error) {
        if (offset >= failedAt) continue;
        failedAt = offset;
        failure = error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(underWayMax, Math.ceil(total / pieceMax)) }, lane));
  if (failedAt < end) throw failure;
  return end;
}
