/* Bound to digest.c at build time; `@` is XS syntax for a native body. */
export class Hmac @ "xs_sovereign_hmac_destructor" {
	constructor(key) @ "xs_sovereign_hmac";
	compute(data, from, to, out, at) @ "xs_sovereign_hmac_compute";
}
export function sha256(data, from, to, out, at) @ "xs_sovereign_sha256";
