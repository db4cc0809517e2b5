/*
 * Cryptographically secure bytes. Never Math.random or the SDK's rng: on a Pico both are unseeded, and every board
 * gives the same numbers at every boot.
 *
 * RP2040: get_rand_32 of the pico-sdk (pico_rand), whose generator is seeded and stirred by the ring oscillator.
 * ESP32: esp_fill_random, which is truly random while the radio or the SAR ADC's entropy source is on: the caller says
 * whether the radio is; if not, the entropy source is on for the length of the call (analog inputs must not be read
 * meanwhile, and nothing else runs in it).
 */
#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"

#if PICO_BUILD
	#include "pico/rand.h"
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
	uint32_t word = 0;
	for (xsUnsignedValue i = 0; i < size; i++) {
		if (!(i & 3)) word = get_rand_32();
		out[i] = (uint8_t)(word >> (8 * (i & 3)));
	}
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
