/*
 * What stands in the worker in place of TextEncoder, TextDecoder and base64, which its main program
 * installs and boards lack: a few functions for the harness alone.
 *
 *   heapSlots()       slots in use; a slot is 32 bytes here, 16 on a 32-bit board
 *   heapChunkBytes()  bytes of chunks in use: strings, buffers, byte code
 *   limitHeap(keeper, bytes)  from now on the heap grows by so much and no more (heap.c); keep the object
 *   heapTaken()       bytes of them that are taken, -1 in a worker without limits
 *   asciiText(buffer) the string that an ArrayBuffer of ASCII holds, and
 *   asciiBytes(text)  the other way: without TextDecoder and TextEncoder the engine has neither
 *
 * The counters allocate nothing. They are exact after gc(); before it they include what is garbage.
 */
#include <signal.h>
#include <string.h>
#ifdef __linux__
	#include <sys/prctl.h>
#endif
#include "xs.h"

extern xsIntegerValue fxGetCurrentHeapCount(xsMachine *the);
extern xsIntegerValue sovereignChunkBytes(xsMachine *the);
extern void sovereignLimit(xsMachine *the, void *keeper, xsIntegerValue bytes);
extern xsIntegerValue sovereignTaken(void);

/* The main program ends when its input does, but not while a script runs: then it must die with the tests. */
__attribute__((constructor)) static void dieWithParent(void)
{
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}

static void heapSlots(xsMachine *the)
{
	xsResult = xsInteger(fxGetCurrentHeapCount(the));
}

static void heapChunkBytes(xsMachine *the)
{
	xsResult = xsInteger(sovereignChunkBytes(the));
}

static void limitHeap(xsMachine *the)
{
	sovereignLimit(the, &xsArg(0), xsToInteger(xsArg(1)));
}

static void heapTaken(xsMachine *the)
{
	xsResult = xsInteger(sovereignTaken());
}

static void asciiText(xsMachine *the)
{
	xsIntegerValue length = xsGetArrayBufferLength(xsArg(0));
	xsResult = xsStringBuffer(NULL, length);
	memcpy(xsToString(xsResult), xsToArrayBuffer(xsArg(0)), length);
}

static void asciiBytes(xsMachine *the)
{
	xsIntegerValue length = strlen(xsToString(xsArg(0)));
	xsResult = xsArrayBuffer(NULL, length);
	memcpy(xsToArrayBuffer(xsResult), xsToString(xsArg(0)), length);
}

void modInstallTextDecoder(xsMachine *the) { (void)the; }
void modInstallTextEncoder(xsMachine *the) { (void)the; }

void modInstallBase64(xsMachine *the)
{
	xsBeginHost(the);
	xsResult = xsNewHostFunction(heapSlots, 0);
	xsDefine(xsGlobal, xsID("heapSlots"), xsResult, xsDontEnum);
	xsResult = xsNewHostFunction(heapChunkBytes, 0);
	xsDefine(xsGlobal, xsID("heapChunkBytes"), xsResult, xsDontEnum);
	xsResult = xsNewHostFunction(limitHeap, 2);
	xsDefine(xsGlobal, xsID("limitHeap"), xsResult, xsDontEnum);
	xsResult = xsNewHostFunction(heapTaken, 0);
	xsDefine(xsGlobal, xsID("heapTaken"), xsResult, xsDontEnum);
	xsResult = xsNewHostFunction(asciiText, 1);
	xsDefine(xsGlobal, xsID("asciiText"), xsResult, xsDontEnum);
	xsResult = xsNewHostFunction(asciiBytes, 1);
	xsDefine(xsGlobal, xsID("asciiBytes"), xsResult, xsDontEnum);
	xsEndHost(the);
}

/* The main program lists these in its table for snapshots, which nobody takes here. */
#define ABSENT(NAME) void NAME(xsMachine *the) { (void)the; }
ABSENT(xs_textdecoder)
ABSENT(xs_textdecoder_decode)
ABSENT(xs_textdecoder_get_encoding)
ABSENT(xs_textdecoder_get_ignoreBOM)
ABSENT(xs_textdecoder_get_fatal)
ABSENT(xs_textencoder)
ABSENT(xs_textencoder_encode)
ABSENT(xs_textencoder_encodeInto)
ABSENT(xs_base64_encode)
ABSENT(xs_base64_decode)
