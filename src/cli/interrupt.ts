/** The first Ctrl-C asks to stop soon, the second ends the process as usual. */
export function stopOnInterrupt(onFirst: () => void): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const listener = (): void => {
    onFirst();
    controller.abort();
  };
  process.once("SIGINT", listener);
  process.once("SIGTERM", listener);
  return {
    signal: controller.signal,
    dispose: () => {
      process.off("SIGINT", listener);
      process.off("SIGTERM", listener);
    },
  };
}
