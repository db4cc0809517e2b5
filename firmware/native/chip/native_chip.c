/*
 * The chip around the engine: time since boot in 64 bits (the SDK's `time` wraps after 49 days), watchdog, why the
 * board started, a restart, memory left, and 160 bytes of RAM that a reset leaves alone and power-off does not.
 *
 * RP2040: the watchdog reaches 8.3 s at most; a reset by software is one too. The retained bytes lie in the section
 * that start-up code does not clear.
 * ESP32: the task watchdog, which panics and so restarts. The retained bytes lie in RTC memory.
 */
#include "xsAll.h"
#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"

#if PICO_BUILD
	#include "pico/time.h"
	#include "hardware/watchdog.h"
	#include "hardware/structs/watchdog.h"
	#define SOVEREIGN_MAX_WATCHDOG_MS 8300
	#define SOVEREIGN_RETAINED __attribute__((section(".uninitialized_data.sovereign")))
#elif defined(ESP32) || ESP32
	#include "esp_attr.h"
	#include "esp_system.h"
	#include "esp_timer.h"
	#include "esp_heap_caps.h"
	#include "esp_task_wdt.h"
	#define SOVEREIGN_MAX_WATCHDOG_MS 60000
	#define SOVEREIGN_RETAINED RTC_NOINIT_ATTR
#else
	#error "native/chip: unknown platform"
#endif

/* As in firmware/native/chip/chip.d.ts. */
enum { kPowerOn, kWatchdog, kReset, kBrownout };

#define RETAINED_BYTES 160
SOVEREIGN_RETAINED static uint8_t retained[RETAINED_BYTES];

void xs_sovereign_micros(xsMachine *the)
{
#if PICO_BUILD
	xsmcSetNumber(xsResult, (double)time_us_64());
#else
	xsmcSetNumber(xsResult, (double)esp_timer_get_time());
#endif
}

void xs_sovereign_uptime(xsMachine *the)
{
#if PICO_BUILD
	xsmcSetNumber(xsResult, (double)(time_us_64() / 1000));
#else
	xsmcSetNumber(xsResult, (double)(esp_timer_get_time() / 1000));
#endif
}

void xs_sovereign_watchdog_start(xsMachine *the)
{
	xsIntegerValue ms = xsmcToInteger(xsArg(0));
	if ((ms < 1) || (ms > SOVEREIGN_MAX_WATCHDOG_MS)) xsRangeError("watchdog: period out of range");
#if PICO_BUILD
	watchdog_enable(ms, true);
#else
	esp_task_wdt_config_t config = {.timeout_ms = ms, .idle_core_mask = 0, .trigger_panic = true};
	if (ESP_OK != esp_task_wdt_reconfigure(&config)) esp_task_wdt_init(&config);
	esp_task_wdt_add(NULL);
#endif
}

void xs_sovereign_watchdog_feed(xsMachine *the)
{
#if PICO_BUILD
	watchdog_update();
#else
	esp_task_wdt_reset();
#endif
}

void xs_sovereign_start_cause(xsMachine *the)
{
	int cause = kPowerOn;
#if PICO_BUILD
	/* 1: the timer ran out; 2: triggered, which is a restart by software. */
	uint32_t reason = watchdog_hw->reason & 3;
	if (reason & 2) cause = kReset;
	else if (reason & 1) cause = watchdog_enable_caused_reboot() ? kWatchdog : kReset;
#else
	switch (esp_reset_reason()) {
		case ESP_RST_INT_WDT: case ESP_RST_TASK_WDT: case ESP_RST_WDT: cause = kWatchdog; break;
		case ESP_RST_BROWNOUT: cause = kBrownout; break;
		case ESP_RST_SW: case ESP_RST_PANIC: case ESP_RST_EXT: case ESP_RST_USB: cause = kReset; break;
		default: break;
	}
#endif
	xsmcSetInteger(xsResult, cause);
}

void xs_sovereign_restart(xsMachine *the)
{
#if PICO_BUILD
	/* What was said last is still on its way out over USB, from interrupts. */
	busy_wait_ms(50);
	watchdog_reboot(0, 0, 0);
	while (1) tight_loop_contents();
#else
	esp_restart();
#endif
}

/*
 * What has never been used of the block that slots and chunks come from, and what is free within the parts in use.
 * Garbage counts as used until it is collected.
 */
void xs_sovereign_free_memory(xsMachine *the)
{
	txMachine *machine = (txMachine *)the;
	txSize free = (machine->maximumHeapCount - machine->currentHeapCount) * sizeof(txSlot);
	free += machine->maximumChunksSize - machine->currentChunksSize;
	free += (txSize)(machine->heap_pend - machine->heap_ptr);
	xsmcSetInteger(xsResult, free);
}

void xs_sovereign_retained_read(xsMachine *the)
{
	uint8_t *out;
	xsUnsignedValue size;
	xsmcGetBufferWritable(xsArg(0), (void **)&out, &size);
	xsmcSetBoolean(xsResult, size <= RETAINED_BYTES);
	if (size <= RETAINED_BYTES) c_memcpy(out, retained, size);
}

void xs_sovereign_retained_write(xsMachine *the)
{
	uint8_t *data;
	xsUnsignedValue size;
	xsmcGetBufferReadable(xsArg(0), (void **)&data, &size);
	xsmcSetBoolean(xsResult, size <= RETAINED_BYTES);
	if (size <= RETAINED_BYTES) c_memcpy(retained, data, size);
}
