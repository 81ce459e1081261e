/** Tells the parent; resolves when it is on its way. */
export type Send<Report> = (report: Report) => Promise<void>;

/** The last message that a child gets, after its task: finish what you are doing. */
export const STOP = 'stop';

/**
 * The main program of a child process: gets its task, tells what it does, and ends with its work. The signal aborts when
 * the parent wants it to stop.
 */
export function runChild<Task, Report>(
  main: (task: Task, send: Send<Report>, stop: AbortSignal) => Promise<void>,
): void {
  const stop = new AbortController();
  // Ctrl-C reaches every process of the terminal: the parent decides what becomes of its children, and they do not
  // outlive it.
  process.on('SIGINT', () => undefined);
  process.once('disconnect', () => process.exit(1));
  process.on('message', (message) => {
    if (message === STOP) return stop.abort();
    main(message as Task, send, stop.signal).then(
      () => process.exit(0),
      async (error: unknown) => {
        await send({ kind: 'failed', text: error instanceof Error ? error.message : String(error) });
        process.exit(1);
      },
    );
  });
}

function send(report: unknown): Promise<void> {
  return new Promise((resolve) => process.send?.(report, () => resolve()));
}
