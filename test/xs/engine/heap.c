/* Reads what the engine's public header hides; apart from board.c because the two headers exclude each other. */
#include "xsAll.h"

txInteger sovereignChunkBytes(txMachine *the)
{
	return (txInteger)the->currentChunksSize;
}
