/** Tells the parent; resolves when it is on its way. */
export type Send<Report> = (report: Report) => Promise<void>;

/** What a child says of itself: that it takes its task now, and why it gives up. */
export type OwnReport = { readonly kind: 'loaded' } | { readonly kind: 'failed'; readonly text: string };

/** The last message that a child gets, after its task: finish what you are doing. */
export const STOP = 'stop';

/**
 * The main program of a child process: gets its task, tells what it does, and ends with its work. The signal aborts when
 * the parent wants it to stop.
 */
export function runChild<Task, Report extends object>(
  main: (task: Task, send: Send<Report>, stop: AbortSignal) => Promise<void>,
): void {
  const stop = new AbortController();
  // Ctrl-C reaches every process of the terminal: the parent decides what becomes of its children, and they do not
  // outlive it.
  process.on('SIGINT', () => undefined);
  process.once('disconnect', () => process.exit(1));
  process.on('message', (message) => {
    if (message === STOP) return stop.abort();
    main(message as Task, report, stop.signal).then(
      () => process.exit(0),
      async (error: unknown) => {
        await report({ kind: 'failed', text: error instanceof Error ? error.message : String(error) });
        process.exit(1);
      },
    );
  });
  void report({ kind: 'loaded' });
}

function report(content: object): Promise<void> {
  return new Promise((resolve) => process.send?.(content, () => resolve()));
}
