/** Puts the virtual board at the harness's hands. */
import { Board, type Presence } from './board.js';
import type { DigestName } from './digests.js';
import { offer } from './exported.js';

let board: Board;

offer({
  build: (name: DigestName, root: string, id: string) => {
    board = new Board(name, root, id);
  },
  boot: (restart: string) => board.boot(restart),
  device: () => board.device(),
  gateway: () => {
    board.verify();
    return board.gateway.take();
  },
  run: (cycles: number) => board.run(cycles),
  presence: (presence: Presence) => board.presence(presence),
  idle: () => undefined,
  counts: () => ({ ...board.counts, ...board.gateway.counts }),
});
