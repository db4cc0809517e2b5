/* The seal's Digest (firmware/seal/digest.ts) for XS: one native call per hash or tag, nothing allocated by it. */
#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"
#include "native_sha256.h"

/* The key material lies in the object's chunk, which the garbage collector moves and frees but does not wipe. */
void xs_sovereign_hmac_destructor(void *data)
{
	if (data) sovereignWipe(data, sizeof(SovereignHmacKey));
}

void xs_sovereign_hmac(xsMachine *the)
{
	SovereignHmacKey key;
	uint8_t *bytes;
	xsUnsignedValue size;

	xsmcGetBufferReadable(xsArg(0), (void **)&bytes, &size);
	sovereignHmacKey(&key, bytes, size);
	xsmcSetHostChunk(xsThis, &key, sizeof(key));
	sovereignWipe(&key, sizeof(key));
}

static uint8_t *source(xsMachine *the, xsUnsignedValue *length)
{
	uint8_t *data;
	xsUnsignedValue size;
	xsIntegerValue from = xsmcToInteger(xsArg(1)), to = xsmcToInteger(xsArg(2));

	xsmcGetBufferReadable(xsArg(0), (void **)&data, &size);
	if ((from < 0) || (from > to) || ((xsUnsignedValue)to > size)) xsRangeError("digest: outside of the data");
	*length = to - from;
	return data + from;
}

static uint8_t *target(xsMachine *the)
{
	uint8_t *out;
	xsUnsignedValue size;
	xsIntegerValue at = xsmcToInteger(xsArg(4));

	xsmcGetBufferWritable(xsArg(3), (void **)&out, &size);
	if ((at < 0) || (size < 32) || ((xsUnsignedValue)at > size - 32)) xsRangeError("digest: no room for 32 bytes");
	return out + at;
}

void xs_sovereign_hmac_compute(xsMachine *the)
{
	xsUnsignedValue length;
	/* All conversions come first: they may collect garbage, which moves chunks. */
	xsIntegerValue at = xsmcToInteger(xsArg(4));
	uint8_t *data, *out;
	(void)at;
	data = source(the, &length);
	out = target(the);
	sovereignHmac(xsmcGetHostChunkValidate(xsThis, xs_sovereign_hmac_destructor), data, length, out);
}

void xs_sovereign_sha256(xsMachine *the)
{
	SovereignSha256 hash;
	xsUnsignedValue length;
	xsIntegerValue at = xsmcToInteger(xsArg(4));
	uint8_t *data, *out;
	(void)at;
	data = source(the, &length);
	out = target(the);
	sovereignSha256Begin(&hash);
	sovereignSha256Update(&hash, data, length);
	sovereignSha256End(&hash, out);
}
