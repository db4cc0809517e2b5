/** Calls `stop` once, at the first SIGINT or SIGTERM; a second one ends the process as usual. */
export function onStopSignal(stop: () => void): () => void {
  const forget = () => {
    process.off('SIGINT', heard);
    process.off('SIGTERM', heard);
  };
  const heard = () => {
    forget();
    stop();
  };
  process.on('SIGINT', heard);
  process.on('SIGTERM', heard);
  return forget;
}
