/**
 * Why bytes were refused. Untrusted bytes give one of these as a value, never an exception; an empty
 * string means that nothing is wrong. The words are stable: the gateway counts and quarantines by them.
 */
export type SealFault =
  // CBOR that is not well-formed, or that claims more than there is
  | 'truncated'
  | 'trailing-bytes'
  | 'reserved'
  // CBOR that is well-formed and refused: one value has one encoding
  | 'not-shortest'
  | 'indefinite-length'
  | 'unsorted-keys'
  | 'duplicate-key'
  | 'integer-too-large'
  | 'integral-float'
  | 'not-finite'
  | 'tag'
  | 'simple-value'
  | 'invalid-utf8'
  | 'too-deep'
  // COSE_Mac0
  | 'not-mac0'
  | 'protected-header'
  | 'algorithm'
  | 'key-id'
  | 'unprotected-header'
  | 'tag-length'
  | 'too-large'
  // readings and session messages
  | 'unexpected-type'
  | 'unexpected-key'
  | 'version'
  | 'kind'
  | 'length'
  | 'previous-tag'
  | 'no-record'
  | 'record';

/** Why something could not be written: the caller's values, or its buffer. */
export type WriteFault =
  | 'overflow'
  | 'not-finite'
  | 'negative-zero'
  | 'integer-too-large'
  | 'not-unsigned'
  | 'invalid-utf8'
  | 'length'
  | 'no-record'
  | 'too-many-records'
  | 'no-epoch'
  | 'not-begun';
