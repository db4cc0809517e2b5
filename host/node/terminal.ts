import type { Terminal, TextSink } from '../cli/output.js';

/** Standard output and standard error of this process. */
export const systemTerminal: Terminal = {
  out: sink(() => process.stdout),
  err: sink(() => process.stderr),
  environment: name => process.env[name],
};

function sink(stream: () => NodeJS.WriteStream): TextSink {
  let ready: NodeJS.WriteStream | undefined;
  const opened = () => {
    if (ready === undefined) {
      ready = stream();
      ready.on('error', () => {}); // the write's own callback says it
    }
    return ready;
  };
  return {
    get terminal() {
      return opened().isTTY === true;
    },
    get columns() {
      return opened().columns ?? 80;
    },
    write: text =>
      new Promise((resolve, reject) => {
        opened().write(text, error => (error ? reject(error) : resolve()));
      }),
  };
}
