/** Complaints that come again and again, and do not fill the log. */

/** Passes each complaint on once, and no more than `most` different ones. */
export function complaints(most: number, pass: (complaint: string) => void): (complaint: string) => void {
  const told = new Set<string>();
  return (complaint) => {
    if (told.has(complaint) || told.size === most) return;
    told.add(complaint);
    pass(told.size === most ? `${complaint}; no more is said of it` : complaint);
  };
}
