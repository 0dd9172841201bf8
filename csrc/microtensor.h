/* The public header of microtensor's kernels: everything Python may call. */
#ifndef MICROTENSOR_H
#define MICROTENSOR_H

#include <stdint.h>

/* [cffi: what follows, up to the matching line, is also given to cffi by build.py] */

/* The name of row `op` of the table of one kind ("unary", "binary", "rows", "rows_backward",
 * "step"), or NULL past its end: Python learns the numbering from here. */
const char *mt_kernel_name(const char *kind, int op);

/* The number of state arrays, and of plain numbers, that step row `op` keeps for each parameter. */
int mt_step_states(int op);
int mt_step_numbers(int op);

/* Instruction sets: name of the i-th one compiled in ("baseline", "x86-64-v3", "x86-64-v4"), NULL past the end;
 * whether this processor runs it; choose it (0, or -1 if unknown or not supported); the one in use. */
const char *mt_isa_name(int i);
int mt_isa_supported(const char *name);
int mt_isa_select(const char *name);
const char *mt_isa_active(void);

/* Threads of the kernels' own pool. mt_threads_maximum is 1 where no pool was compiled in. */
int mt_threads_get(void);
int mt_threads_set(int threads);
int mt_threads_maximum(void);

/* BLAS: addresses of cblas_sgemm and cblas_dgemm taking 64-bit (ilp64 = 1) or 32-bit integers;
 * zero addresses take it away again. */
void mt_blas_set(uintptr_t sgemm, uintptr_t dgemm, int ilp64);
int mt_blas_available(void);

/* n 32-bit words from Philox4x32-10; state is {seed, offset}, and offset is advanced by the counters
 * used, one for every four words. Returns -1, having done nothing, if an array is misaligned. */
int mt_random_bits(int64_t n, uint64_t *state, uint32_t *y);

/* [/cffi] */

#define real float
#define FN(name) name##_f32
#include "prototypes.h"
#undef real
#undef FN

#define real double
#define FN(name) name##_f64
#include "prototypes.h"
#undef real
#undef FN

#endif
