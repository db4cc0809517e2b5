/*
 * Secure random bytes, for nonces; keys are made by the host. Never Math.random or the SDK's rng: on a Pico both are unseeded, and every board
 * gives the same numbers at every boot.
 *
 * RP2040: has no generator in hardware. get_rand_64 of the pico-sdk (pico_rand) is seeded and at each call stirred by the
 * ring oscillator, bus counters and time, but what it gives is xoroshiro128**, whose state can be computed from its
 * output. So none of its output leaves here: a pool is hashed with four of them and with 256 bits of the oscillator for
 * each 32 bytes given, and what is given says nothing of the pool.
 * ESP32: esp_fill_random, which is truly random while the radio or the SAR ADC's entropy source is on: the caller says
 * whether the radio is; if not, the entropy source is on for the length of the call (analog inputs must not be read
 * meanwhile, and nothing else runs in it).
 */
#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"

#if PICO_BUILD
	#include "pico/rand.h"
	#include "hardware/structs/rosc.h"
	#include "../digest/native_sha256.h"

static uint8_t gPool[32];

/* 32 bytes; the pool moves on. */
static void draw(uint8_t *out)
{
	SovereignSha256 hash;
	uint64_t words[4];
	uint8_t bits[32] = {0};
	int i;

	for (i = 0; i < 4; i++) words[i] = get_rand_64();
	for (i = 0; i < 256; i++) bits[i >> 3] = (uint8_t)((bits[i >> 3] << 1) | (rosc_hw->randombit & 1));
	sovereignSha256Begin(&hash);
	sovereignSha256Update(&hash, gPool, sizeof(gPool));
	sovereignSha256Update(&hash, (uint8_t *)words, sizeof(words));
	sovereignSha256Update(&hash, bits, sizeof(bits));
	sovereignSha256End(&hash, gPool);
	/* What is given is a hash of the pool and never the pool. */
	sovereignSha256Begin(&hash);
	sovereignSha256Update(&hash, (const uint8_t *)"out", 3);
	sovereignSha256Update(&hash, gPool, sizeof(gPool));
	sovereignSha256End(&hash, out);
	sovereignWipe(words, sizeof(words));
	sovereignWipe(bits, sizeof(bits));
}
#elif defined(ESP32) || ESP32
	#include "esp_random.h"
	#include "bootloader_random.h"
#else
	#error "native/random: no source of secure random on this platform"
#endif

void xs_sovereign_random_fill(xsMachine *the)
{
	uint8_t *out;
	xsUnsignedValue size;

	xsmcGetBufferWritable(xsArg(0), (void **)&out, &size);
#if PICO_BUILD
	uint8_t drawn[32];
	for (xsUnsignedValue i = 0; i < size; i++) {
		if (!(i & 31)) draw(drawn);
		out[i] = drawn[i & 31];
	}
	sovereignWipe(drawn, sizeof(drawn));
#else
	if (xsmcArgc > 1 && xsmcTest(xsArg(1)))
		esp_fill_random(out, size);
	else {
		bootloader_random_enable();
		esp_fill_random(out, size);
		bootloader_random_disable();
	}
#endif
}
