/** npm and tsx hand a Ctrl-C on to us, which the terminal has sent us already: what comes so soon is the same one. */
const sameSignalMs = 1_000;

/** Aborts at the first Ctrl-C, so that children are ended and folders removed; a second one waits for neither. */
export function stopOnSignal(): AbortSignal {
  const controller = new AbortController();
  let first: number | undefined;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      if (first !== undefined && performance.now() > first + sameSignalMs) process.exit(130);
      first ??= performance.now();
      controller.abort(new Error(`stopped by ${name}`));
    });
  return controller.signal;
}
