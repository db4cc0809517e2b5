/*
 * A raw flash region (firmware/ports.ts, Flash): sectors of 4,096 bytes, programmed by 256.
 *
 * RP2040: the region is the 128 sectors before the SDK's two of preferences (_MODPREF_start), far above the program, so
 * that neither a new program nor a preference ever touches it. Where it begins does not depend on how many sectors a
 * program opens: the keys lie at its beginning, and stay where they are when a backlog grows. The chip runs from the same flash, which is gone
 * while it is written: interrupts are off for an erase (45 ms, at worst 400) and for each page (0.4 ms, at worst 3),
 * the pico-sdk's functions run from RAM, and a page is copied to the stack first, as a source may lie in flash too.
 * ESP32: a data partition called `sovereign` (boards/<board>/partitions.csv).
 */
#include "xsmc.h"
#include "xsHost.h"
#include "mc.xs.h"

#define SECTOR_BYTES 4096
#define PAGE_BYTES 256

#if PICO_BUILD
	#include "hardware/flash.h"
	#include "hardware/sync.h"
	extern uint8_t __start_unused_space, _MODPREF_start;
	static uint32_t gSectors;
	#define REGION_SECTORS 128
	#define REGION_START ((uint32_t)&_MODPREF_start - XIP_BASE - REGION_SECTORS * SECTOR_BYTES)
#elif defined(ESP32) || ESP32
	#include "esp_partition.h"
	static const esp_partition_t *gPartition;
	static uint32_t gSectors;
#else
	#error "native/flash: unknown platform"
#endif

/* Claims the region: so many sectors. */
void xs_sovereign_flash_open(xsMachine *the)
{
	xsIntegerValue sectors = xsmcToInteger(xsArg(0));
	if ((sectors < 1) || (sectors > 2048)) xsRangeError("flash: sectors");
#if PICO_BUILD
	if (sectors > REGION_SECTORS) xsRangeError("flash: the region has 128 sectors");
	if ((uint32_t)&__start_unused_space > XIP_BASE + REGION_START)
		xsRangeError("flash: the program lies where the region should");
#else
	gPartition = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, "sovereign");
	if (!gPartition) xsUnknownError("flash: no partition called sovereign");
	if ((uint32_t)sectors * SECTOR_BYTES > gPartition->size) xsRangeError("flash: partition too small");
#endif
	gSectors = sectors;
}

static uint32_t place(xsMachine *the, xsIntegerValue sector, xsIntegerValue offset, uint32_t size)
{
	if ((sector < 0) || ((uint32_t)sector >= gSectors) || (offset < 0) || (offset > SECTOR_BYTES) ||
		(size > (uint32_t)(SECTOR_BYTES - offset)))
		xsRangeError("flash: outside of the sector");
	return (uint32_t)sector * SECTOR_BYTES + offset;
}

void xs_sovereign_flash_read(xsMachine *the)
{
	xsIntegerValue sector = xsmcToInteger(xsArg(0)), offset = xsmcToInteger(xsArg(1));
	uint8_t *out;
	xsUnsignedValue size;
	xsmcGetBufferWritable(xsArg(2), (void **)&out, &size);
	uint32_t at = place(the, sector, offset, size);
#if PICO_BUILD
	c_memcpy(out, (void *)(XIP_BASE + REGION_START + at), size);
#else
	/* What cannot be read must not look like anything that was written, nor like blank flash. */
	if (ESP_OK != esp_partition_read(gPartition, at, out, size)) c_memset(out, 0, size);
#endif
}

void xs_sovereign_flash_erase(xsMachine *the)
{
	uint32_t at = place(the, xsmcToInteger(xsArg(0)), 0, SECTOR_BYTES);
#if PICO_BUILD
	uint32_t status = save_and_disable_interrupts();
	flash_range_erase(REGION_START + at, SECTOR_BYTES);
	restore_interrupts(status);
	xsmcSetTrue(xsResult);
#else
	xsmcSetBoolean(xsResult, ESP_OK == esp_partition_erase_range(gPartition, at, SECTOR_BYTES));
#endif
}

void xs_sovereign_flash_program(xsMachine *the)
{
	xsIntegerValue sector = xsmcToInteger(xsArg(0)), offset = xsmcToInteger(xsArg(1));
	uint8_t *data;
	xsUnsignedValue size;
	xsmcGetBufferReadable(xsArg(2), (void **)&data, &size);
	uint32_t at = place(the, sector, offset, size);
	if ((offset % PAGE_BYTES) || (size % PAGE_BYTES)) xsRangeError("flash: programs go by 256 bytes");
#if PICO_BUILD
	for (uint32_t done = 0; done < size; done += PAGE_BYTES) {
		uint8_t page[PAGE_BYTES];
		c_memcpy(page, data + done, PAGE_BYTES);
		uint32_t status = save_and_disable_interrupts();
		flash_range_program(REGION_START + at + done, page, PAGE_BYTES);
		restore_interrupts(status);
		for (volatile uint8_t *byte = page; byte < page + PAGE_BYTES; byte++) *byte = 0;	/* may have been keys */
	}
	xsmcSetTrue(xsResult);
#else
	xsmcSetBoolean(xsResult, ESP_OK == esp_partition_write(gPartition, at, data, size));
#endif
}
