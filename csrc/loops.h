/* How loops are written here so that compilers vectorise them. */
#ifndef MT_LOOPS_H
#define MT_LOOPS_H

#include <stdint.h>

/* Before a loop whose iterations are independent although an output may *be* an input (same
 * pointer): that rules out `restrict`, and the compiler's own overlap test would send in-place calls
 * to its scalar version. */
#if defined(__clang__)
#define MT_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define MT_INDEPENDENT _Pragma("GCC ivdep")
#else
#define MT_INDEPENDENT
#endif

/* For functions whose loops compilers vectorise when they stand alone, and may not when inlined. */
#if defined(__GNUC__) || defined(__clang__)
#define MT_NOINLINE __attribute__((noinline))
#else
#define MT_NOINLINE
#endif

/* Before a short inner loop that is to become vectors as a whole: written out, GCC would leave it scalar. */
#if defined(__clang__)
#define MT_AS_VECTORS _Pragma("clang loop unroll(disable)")
#elif defined(__GNUC__)
#define MT_AS_VECTORS _Pragma("GCC unroll 1")
#else
#define MT_AS_VECTORS
#endif

/* Before the body of a loop: in a file of this many, compilers give up inlining, and a loop around a call
 * is not vectorised. */
#if defined(__GNUC__) || defined(__clang__)
#define MT_INLINE static inline __attribute__((always_inline))
#else
#define MT_INLINE static inline
#endif

/* Accumulators of a reduction. Compilers keep the order of floating-point additions, so a plain
 * sum stays scalar; a loop over this many explicit accumulators is vectorised, and its result does
 * not depend on the width of the vectors. */
#define MT_LANES 32

#endif
