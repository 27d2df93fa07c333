/** What a domain process tells, and who takes it. */

/** Takes what a domain process tells people, and the news of its end. */
export interface DomainObserver<Domain> {
  /** A line that a component wrote past its log. */
  output(label: string, line: string): void;
  /**
   * Something that a start node asks for cannot be had. The component's code may have written this.
   */
  lack(label: string, text: string): void;
  /** A line that the process itself wrote. */
  complaint(domain: string, line: string): void;
  /** The process is gone. */
  ended(domain: Domain): void;
}
