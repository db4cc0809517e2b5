/*
 * The SDK has SHA-256 in its `crypt` module and HMAC in JavaScript on top of it. Sealing needs one native call per
 * HMAC and the key's blocks hashed once, so this is its own code: plain C99 without the SDK, which the tests
 * compile for the host and hold against the vectors of FIPS 180-4 and RFC 4231.
 */
#include "native_sha256.h"

static const uint32_t K[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t INITIAL[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

#define ROTR(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

void sovereignWipe(void *data, size_t size)
{
	volatile uint8_t *bytes = data;
	while (size--) *bytes++ = 0;
}

static void compress(uint32_t *state, const uint8_t *block)
{
	uint32_t w[16], a, b, c, d, e, f, g, h;
	int i;

	for (i = 0; i < 16; i++, block += 4)
		w[i] = ((uint32_t)block[0] << 24) | ((uint32_t)block[1] << 16) | ((uint32_t)block[2] << 8) | block[3];
	a = state[0]; b = state[1]; c = state[2]; d = state[3];
	e = state[4]; f = state[5]; g = state[6]; h = state[7];
	for (i = 0; i < 64; i++) {
		uint32_t x, t1, t2;
		if (i < 16)
			x = w[i];
		else {
			uint32_t s0 = w[(i + 1) & 15], s1 = w[(i + 14) & 15];
			s0 = ROTR(s0, 7) ^ ROTR(s0, 18) ^ (s0 >> 3);
			s1 = ROTR(s1, 17) ^ ROTR(s1, 19) ^ (s1 >> 10);
			x = w[i & 15] += s0 + s1 + w[(i + 9) & 15];
		}
		t1 = h + (ROTR(e, 6) ^ ROTR(e, 11) ^ ROTR(e, 25)) + (g ^ (e & (f ^ g))) + K[i] + x;
		t2 = (ROTR(a, 2) ^ ROTR(a, 13) ^ ROTR(a, 22)) + ((a & b) | (c & (a | b)));
		h = g; g = f; f = e; e = d + t1;
		d = c; c = b; b = a; a = t1 + t2;
	}
	state[0] += a; state[1] += b; state[2] += c; state[3] += d;
	state[4] += e; state[5] += f; state[6] += g; state[7] += h;
	sovereignWipe(w, sizeof(w));
}

void sovereignSha256Begin(SovereignSha256 *hash)
{
	for (int i = 0; i < 8; i++) hash->state[i] = INITIAL[i];
	hash->bytes = 0;
}

void sovereignSha256Update(SovereignSha256 *hash, const uint8_t *data, size_t size)
{
	size_t held = hash->bytes & 63;

	hash->bytes += size;
	if (held) {
		while (size && held < 64) { hash->block[held++] = *data++; size--; }
		if (held < 64) return;
		compress(hash->state, hash->block);
	}
	for (; size >= 64; data += 64, size -= 64) compress(hash->state, data);
	for (size_t i = 0; i < size; i++) hash->block[i] = data[i];
}

void sovereignSha256End(SovereignSha256 *hash, uint8_t *out)
{
	uint64_t bits = hash->bytes << 3;
	size_t held = hash->bytes & 63;

	hash->block[held++] = 0x80;
	if (held > 56) {
		while (held < 64) hash->block[held++] = 0;
		compress(hash->state, hash->block);
		held = 0;
	}
	while (held < 56) hash->block[held++] = 0;
	for (int i = 0; i < 8; i++) hash->block[56 + i] = (uint8_t)(bits >> (56 - 8 * i));
	compress(hash->state, hash->block);
	for (int i = 0; i < 32; i++) out[i] = (uint8_t)(hash->state[i >> 2] >> (24 - 8 * (i & 3)));
	sovereignWipe(hash, sizeof(*hash));
}

void sovereignHmacKey(SovereignHmacKey *key, const uint8_t *bytes, size_t size)
{
	uint8_t block[64] = {0};
	int i;

	if (size > 64) {
		SovereignSha256 hash;
		sovereignSha256Begin(&hash);
		sovereignSha256Update(&hash, bytes, size);
		sovereignSha256End(&hash, block);
	}
	else
		while (size--) block[size] = bytes[size];
	for (i = 0; i < 64; i++) block[i] ^= 0x36;
	for (i = 0; i < 8; i++) key->inner[i] = key->outer[i] = INITIAL[i];
	compress(key->inner, block);
	for (i = 0; i < 64; i++) block[i] ^= 0x36 ^ 0x5c;
	compress(key->outer, block);
	sovereignWipe(block, sizeof(block));
}

void sovereignHmac(const SovereignHmacKey *key, const uint8_t *data, size_t size, uint8_t *out)
{
	SovereignSha256 hash;
	uint8_t inner[32];
	int i;

	for (i = 0; i < 8; i++) hash.state[i] = key->inner[i];
	hash.bytes = 64;
	sovereignSha256Update(&hash, data, size);
	sovereignSha256End(&hash, inner);
	for (i = 0; i < 8; i++) hash.state[i] = key->outer[i];
	hash.bytes = 64;
	sovereignSha256Update(&hash, inner, sizeof(inner));
	sovereignSha256End(&hash, out);
}
