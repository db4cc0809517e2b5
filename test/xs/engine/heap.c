/*
 * Reads what the engine's public header hides, and limits what it takes; apart from board.c because the two
 * headers exclude each other.
 */
#include "xsAll.h"

txInteger sovereignChunkBytes(txMachine *the)
{
	return (txInteger)the->currentChunksSize;
}

/*
 * The limited heap, in variants linked with --wrap for the three functions below.
 *
 * An app on a board has one piece of memory that slots and chunks grow into from both ends, by small steps, each
 * after a collection that freed too little. So here: from `sovereignLimit` on, what was free is taken away, each
 * step comes off the bytes given, and a step for which they do not suffice ends the engine with "memory full".
 * A board is kinder in one way: when one end is full, it looks for room in the other.
 */
#ifdef SOVEREIGN_LIMIT

#define STEP_SLOTS 64
#define STEP_CHUNK_BYTES 1024

extern void *__real_fxAllocateChunks(txMachine *the, txSize size);
extern txSlot *__real_fxAllocateSlots(txMachine *the, txSize count);

static long given = -1;
static long taken = 0;

/* The main program's 262,144 slots are more than anything here needs, and each collection would visit them all. */
#define FIRST_SLOTS 12288

extern txMachine *__real_fxCreateMachine(txCreation *creation, txString name, void *context, txID profile);

txMachine *__wrap_fxCreateMachine(txCreation *creation, txString name, void *context, txID profile)
{
	creation->initialHeapCount = FIRST_SLOTS;
	creation->incrementalHeapCount = FIRST_SLOTS / 12;
	return __real_fxCreateMachine(creation, name, context, profile);
}

static int grants(long bytes)
{
	if (given < 0) return 1;
	if (bytes > given - taken) return 0;
	taken += bytes;
	return 1;
}

void *__wrap_fxAllocateChunks(txMachine *the, txSize size)
{
	return grants(size) ? __real_fxAllocateChunks(the, size) : C_NULL;
}

txSlot *__wrap_fxAllocateSlots(txMachine *the, txSize count)
{
	return grants((long)count * sizeof(txSlot)) ? __real_fxAllocateSlots(the, count) : C_NULL;
}

void sovereignLimit(txMachine *the, void *keeper, txInteger bytes)
{
	txSlot *last = fxToInstance(the, keeper);
	the->minimumHeapCount = STEP_SLOTS;
	the->minimumChunksSize = STEP_CHUNK_BYTES;
	fxCollect(the, XS_COMPACT_FLAG);
	/* Free slots become nameless properties of an object that the caller keeps. */
	while (last->next) last = last->next;
	while (the->freeHeap) {
		last->next = fxNewSlot(the);
		last = last->next;
	}
	/* Chunks lie in one block, what is free at its end. */
	the->maximumChunksSize -= (txSize)(the->firstBlock->limit - the->firstBlock->current);
	the->firstBlock->limit = the->firstBlock->current;
	given = bytes;
	taken = 0;
}

txInteger sovereignTaken(void)
{
	return (txInteger)taken;
}

#else

void sovereignLimit(txMachine *the, void *keeper, txInteger bytes)
{
	(void)the;
	(void)keeper;
	(void)bytes;
}

txInteger sovereignTaken(void)
{
	return -1;
}

#endif
