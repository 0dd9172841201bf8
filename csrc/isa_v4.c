/* The kernels for x86-64-v4. The features our loops gain from are spelt out, rather than
 * arch=x86-64-v4, so that dispatch.c can test exactly what is used and older compilers follow. */
#include "kernels.h"

#ifdef MT_X86_64
/* System headers before the target changes: their inline functions keep the default one. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi,bmi2"))),      \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target(                                                                                \
    "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi,bmi2,prefer-vector-width=512")
#endif

#define MT_ISA v4
#define MT_TILE_BYTES 128
#define MT_LINE_BYTES 64
/* OpenBLAS has kernels of its own for products below a million, which lose where b is transposed. */
#define MT_PRODUCT_ROWS 12
#define MT_PRODUCT_LEAST 1000000
#define MT_PRODUCT_MOST 67108864
#define MT_STRIP 8
#define MT_PACKED_PANEL_F32 32
#define MT_PACKED_PANEL_F64 24
#define MT_DOT_ROWS 4
#define MT_ISA_NAME "x86-64-v4"
#include "kernels.inc"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
