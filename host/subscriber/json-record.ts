/** A record with the names that SenML has in JSON (RFC 8428, section 4). One of `v`, `vs`, `vb`, `vd` is there; `vd` is base64url without padding. */
export interface JsonRecord {
  n: string;
  u?: string;
  v?: number;
  vs?: string;
  vb?: boolean;
  vd?: string;
}
