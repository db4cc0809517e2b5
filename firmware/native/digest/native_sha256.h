/* SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104) with the key's two blocks hashed once. No memory is allocated. */
#ifndef SOVEREIGN_SHA256_H
#define SOVEREIGN_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
	uint32_t state[8];
	uint64_t bytes;
	uint8_t block[64];
} SovereignSha256;

/* What an HMAC key leaves behind: the hash states after its inner and its outer block. As secret as the key. */
typedef struct {
	uint32_t inner[8];
	uint32_t outer[8];
} SovereignHmacKey;

void sovereignSha256Begin(SovereignSha256 *hash);
void sovereignSha256Update(SovereignSha256 *hash, const uint8_t *data, size_t size);
/* `out` gets 32 bytes and may overlap what was hashed. Wipes `hash`. */
void sovereignSha256End(SovereignSha256 *hash, uint8_t *out);

void sovereignHmacKey(SovereignHmacKey *key, const uint8_t *bytes, size_t size);
void sovereignHmac(const SovereignHmacKey *key, const uint8_t *data, size_t size, uint8_t *out);

/* memset that a compiler does not leave out. */
void sovereignWipe(void *data, size_t size);

#endif
