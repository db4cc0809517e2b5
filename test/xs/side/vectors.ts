/** Holds the seal against the vectors. They come as messages: the same files that Node reads. */
import { nobleDigest } from '../../../boards/virtual/digest.js';
import * as seal from '../../../firmware/seal/index.js';
import { CHECKS } from '../../vectors/check.js';
import { offer } from './exported.js';

offer({
  check: (file: string, vectors: unknown) =>
    CHECKS.find(check => check.file === file)!.check({ seal, digest: nobleDigest }, vectors),
});
