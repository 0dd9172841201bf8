/* The kernels for x86-64-v3. The features our loops gain from are spelt out, rather than
 * arch=x86-64-v3, so that dispatch.c can test exactly what is used and older compilers follow. */
#include "kernels.h"

#ifdef MT_X86_64
/* System headers before the target changes: their inline functions keep the default one. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif

#define MT_ISA v3
#define MT_TILE_BYTES 32
#define MT_LINE_BYTES 32
#define MT_PRODUCT_ROWS 6
#define MT_PRODUCT_LEAST 0
#define MT_PRODUCT_MOST 262144
#define MT_STRIP 4
#define MT_PACKED_PANEL_F32 24
#define MT_PACKED_PANEL_F64 24
#define MT_DOT_ROWS 2
#define MT_ISA_NAME "x86-64-v3"
#include "kernels.inc"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
