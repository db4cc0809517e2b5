/*
 * USB-CDC of the RP2040 as a byte stream in both directions. The SDK has no API to read it, and writes only what
 * `trace` prints, waiting up to half a second for a host that does not read.
 *
 * TinyUSB is run by the pico-sdk from an interrupt; calls into it from here are made with interrupts off, which are
 * short. What is written goes into a ring first, whole or not at all, and leaves it in packets of 64 bytes, each
 * pushed by the end of the one before.
 *
 * The SDK restarts the board whenever RTS drops, which is what every program that closes the port does. A board must
 * not begin an epoch for that, so its callback is replaced: manifests/pico.json links with
 * --wrap=tud_cdc_line_state_cb. What remains is the way into the boot loader: RTS drops while DTR stays up.
 */
#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"
#include "tusb.h"
#include "hardware/sync.h"

#define RING_BYTES 4096

static uint8_t gRing[RING_BYTES];
static volatile uint32_t gHead, gTail;	/* written up to, sent up to; both only grow */
static volatile uint32_t gOpened;	/* how often a host has opened the port */

/* With interrupts off. */
static void pump(void)
{
	while (gTail != gHead) {
		uint32_t at = gTail % RING_BYTES, n = gHead - gTail, room = tud_cdc_write_available();
		if (n > RING_BYTES - at) n = RING_BYTES - at;
		if (n > room) n = room;
		if (!n) break;
		gTail += tud_cdc_write(gRing + at, n);
	}
	tud_cdc_write_flush();
}

/* Called by TinyUSB, in the interrupt, when a packet has gone. */
void tud_cdc_tx_complete_cb(uint8_t itf)
{
	uint32_t status = save_and_disable_interrupts();
	pump();
	restore_interrupts(status);
}

void __wrap_tud_cdc_line_state_cb(uint8_t itf, bool dtr, bool rts)
{
	extern void pico_reboot(uint32_t kind);
	static bool had, up;

	if (had && !rts && dtr) pico_reboot(1);
	had = rts;
	if (dtr && !up) {
		/* Whoever opens the port anew gets nothing of what was meant for the one before. */
		gTail = gHead;
		gOpened++;
	}
	up = dtr;
}

/* 0 while nobody has the port open, otherwise a number that changes each time it is opened. */
void xs_sovereign_usb_opened(xsMachine *the)
{
	xsmcSetInteger(xsResult, tud_cdc_connected() ? (xsIntegerValue)(gOpened & 0x3fffffff) + 1 : 0);
}

void xs_sovereign_usb_read(xsMachine *the)
{
	uint8_t *out;
	xsUnsignedValue size;
	xsmcGetBufferWritable(xsArg(0), (void **)&out, &size);
	uint32_t status = save_and_disable_interrupts();
	uint32_t n = tud_cdc_available() ? tud_cdc_read(out, size) : 0;
	restore_interrupts(status);
	xsmcSetInteger(xsResult, n);
}

void xs_sovereign_usb_write(xsMachine *the)
{
	xsIntegerValue from = xsmcToInteger(xsArg(1)), to = xsmcToInteger(xsArg(2));
	uint8_t *data;
	xsUnsignedValue size;
	xsmcGetBufferReadable(xsArg(0), (void **)&data, &size);
	if ((from < 0) || (from > to) || ((xsUnsignedValue)to > size)) xsRangeError("usb: outside of the data");
	uint32_t n = to - from, status = save_and_disable_interrupts();
	int taken = tud_cdc_connected() && (n <= RING_BYTES - (gHead - gTail));
	if (taken) {
		for (uint32_t i = 0; i < n; i++) gRing[(gHead + i) % RING_BYTES] = data[from + i];
		gHead += n;
	}
	pump();
	restore_interrupts(status);
	xsmcSetBoolean(xsResult, taken);
}
