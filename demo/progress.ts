import { MultiBar, Presets, type SingleBar } from 'cli-progress';

interface Counts {
  readonly placed: number;
  readonly orders: number;
  readonly published: number;
  /** Committed so far, and to be published. */
  readonly messages: number;
}

/** Shows how far the run is, and lines of text above. */
export interface Progress {
  show(counts: Counts): void;
  log(line: string): void;
  stop(): void;
}

export function startProgress(stream: NodeJS.WriteStream = process.stdout): Progress {
  return stream.isTTY ? bars(stream) : lines(stream);
}

function bars(stream: NodeJS.WriteStream): Progress {
  const format = '{title} {bar} {value}/{total}';
  const bars = new MultiBar({ stream, format, hideCursor: true, gracefulExit: false }, Presets.shades_classic);
  const placed: SingleBar = bars.create(0, 0, { title: 'orders placed     ' });
  const published: SingleBar = bars.create(0, 0, { title: 'messages published' });
  return {
    show(counts) {
      placed.setTotal(counts.orders);
      placed.update(counts.placed);
      published.setTotal(counts.messages);
      published.update(counts.published);
    },
    log: (line) => {
      bars.log(`${line}\n`);
      bars.update();
    },
    stop: () => bars.stop(),
  };
}

const LINE_EVERY_MS = 2_000;

/** For a pipe or a log file: a line from time to time. */
function lines(stream: NodeJS.WriteStream): Progress {
  let latest: Counts | undefined;
  let shown: Counts | undefined;
  const log = (line: string): void => void stream.write(`${line}\n`);
  const print = (): void => {
    if (latest === undefined || latest === shown) return;
    const { placed, orders, published, messages } = latest;
    log(`${placed} of ${orders} orders placed, ${published} of ${messages} messages published`);
    shown = latest;
  };
  const timer = setInterval(print, LINE_EVERY_MS).unref();
  return {
    show: (counts) => (latest = counts),
    log,
    stop() {
      clearInterval(timer);
      print();
    },
  };
}
