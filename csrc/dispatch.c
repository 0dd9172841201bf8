/* The public entries: which instruction set runs, and how large calls are divided among threads. */
#include "microtensor.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "blas.h"
#include "kernels.h"
#include "steps.h"
#include "threads.h"

/* --- instruction sets ------------------------------------------------------------------------- */

static const struct mt_isa *mt_active = &mt_isa_baseline;

static const struct mt_isa *const isas[] = {
    &mt_isa_baseline,
#ifdef MT_X86_64
    &mt_isa_v3,
    &mt_isa_v4,
#endif
};
enum { ISA_COUNT = sizeof isas / sizeof *isas };

static int supported(const struct mt_isa *isa) {
#ifdef MT_X86_64
    __builtin_cpu_init();
    const int v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                   __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    if (isa == &mt_isa_v3)
        return v3;
    if (isa == &mt_isa_v4)
        return v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
#endif
    return isa == &mt_isa_baseline;
}

static const struct mt_isa *find_isa(const char *name) {
    for (int i = 0; i < ISA_COUNT; i++)
        if (strcmp(name, isas[i]->name) == 0)
            return isas[i];
    return NULL;
}

const char *mt_isa_name(int i) { return i >= 0 && i < ISA_COUNT ? isas[i]->name : NULL; }

int mt_isa_supported(const char *name) {
    const struct mt_isa *isa = find_isa(name);
    return isa && supported(isa);
}

int mt_isa_select(const char *name) {
    const struct mt_isa *isa = find_isa(name);
    if (!isa || !supported(isa))
        return -1;
    mt_active = isa;
    return 0;
}

const char *mt_isa_active(void) { return mt_active->name; }

#if defined(__GNUC__) || defined(__clang__)
/* The best one, chosen when the library is loaded. */
__attribute__((constructor)) static void select_best_isa(void) {
    for (int i = 0; i < ISA_COUNT; i++)
        if (supported(isas[i]))
            mt_active = isas[i];
}
#endif

/* --- the kernel table ------------------------------------------------------------------------- */

#define MT_UNARY(name) #name,
static const char *const unary_names[] = {
#include "table.h"
    NULL};
#define MT_BINARY(name) #name,
static const char *const binary_names[] = {
#include "table.h"
    NULL};
#define MT_ROWS(name) #name,
static const char *const rows_names[] = {
#include "table.h"
    NULL};
#define MT_ROWS_BACKWARD(name) #name,
static const char *const rows_backward_names[] = {
#include "table.h"
    NULL};
#define MT_LEARNED(name, parameters, terms) #name,
static const char *const learned_names[] = {
#include "table.h"
    NULL};
#define MT_GATED(name, gate, saved) #name,
static const char *const gated_names[] = {
#include "table.h"
    NULL};
#define MT_REDUCE(name) #name,
static const char *const reduce_names[] = {
#include "table.h"
    NULL};
#define MT_STEP(name, states, numbers) #name,
static const char *const step_names[] = {
#include "table.h"
    NULL};

#define MT_STEP(name, states, numbers) states,
static const int step_states[] = {
#include "table.h"
};
#define MT_STEP(name, states, numbers) numbers,
static const int step_numbers[] = {
#include "table.h"
};

#define MT_LEARNED(name, parameters, terms) parameters,
static const int learned_parameters[] = {
#include "table.h"
};

static const struct {
    const char *kind;
    int count;
    const char *const *names;
} kinds[] = {
    {"unary", MT_UNARY_COUNT, unary_names},
    {"binary", MT_BINARY_COUNT, binary_names},
    {"rows", MT_ROWS_COUNT, rows_names},
    {"rows_backward", MT_ROWS_BACKWARD_COUNT, rows_backward_names},
    {"learned", MT_LEARNED_COUNT, learned_names},
    {"gated", MT_GATED_COUNT, gated_names},
    {"reduce", MT_REDUCE_COUNT, reduce_names},
    {"step", MT_STEP_COUNT, step_names},
};

const char *mt_kernel_name(const char *kind, int op) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i].kind) == 0)
            return op >= 0 && op < kinds[i].count ? kinds[i].names[op] : NULL;
    return NULL;
}

int mt_step_states(int op) { return op >= 0 && op < MT_STEP_COUNT ? step_states[op] : -1; }
int mt_step_numbers(int op) { return op >= 0 && op < MT_STEP_COUNT ? step_numbers[op] : -1; }

/* --- pointers --------------------------------------------------------------------------------- */

static inline int aligned(const void *pointer, size_t size) {
    return ((uintptr_t)pointer & (size - 1)) == 0;
}

/* Large outputs are written in whole cache lines: what comes before the first line is done apart. NumPy
 * aligns to 16 bytes, and a vector that straddles two lines costs twice. */
#define MT_ALIGN_FROM 4096
#define MT_CACHE_LINE 64

static inline int64_t elements_to_alignment(const void *pointer, size_t size) {
    return (int64_t)((-(uintptr_t)pointer & (MT_CACHE_LINE - 1)) / size);
}

static inline int apart(const void *a, int64_t a_bytes, const void *b, int64_t b_bytes) {
    const uintptr_t p = (uintptr_t)a, q = (uintptr_t)b;
    return p + (uintptr_t)a_bytes <= q || q + (uintptr_t)b_bytes <= p;
}

static inline int same_or_apart(const void *a, const void *b, int64_t bytes) {
    return a == b || apart(a, bytes, b, bytes);
}

/* --- division of work ------------------------------------------------------------------------- */

/* Below MT_PARALLEL elements the cheapest kernels finish sooner than a second thread can help. Chunks
 * depend on sizes only, so results do not depend on the number of threads. */
#define MT_PARALLEL 65536
#define MT_CHUNK 16384
#define MT_TASKS_LIMIT 64

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t divide(int64_t n, int64_t size) { return (n + size - 1) / size; }
static inline int64_t chunks(int64_t n) { return divide(n, MT_CHUNK); }

/* At least one row, about a chunk of elements, at most MT_TASKS_LIMIT tasks. */
static inline int64_t rows_per_task(int64_t rows, int64_t columns) {
    if (rows * columns < MT_PARALLEL)
        return larger(rows, 1);
    return larger(divide(rows, MT_TASKS_LIMIT), larger(1, MT_CHUNK / columns));
}

/* Columns of a matrix are reduced each for itself: these tasks may depend on the number of threads. */
static inline int64_t columns_per_task(int64_t outer, int64_t rows, int64_t columns) {
    const int64_t threads = mt_threads_get();
    if (threads == 1 || outer >= threads || outer * rows * columns < MT_PARALLEL)
        return larger(columns, 1);
    return divide(divide(columns, threads), MT_COLUMNS) * MT_COLUMNS;
}

/* Bytes of a block's columns: they and what BLAS makes of them stay in a core's second-level cache. */
#define MT_COLUMN_BYTES 262144
/* Multiplications below which one thread is enough; into how many shares a convolution is divided; and
 * the bytes that partial sums of a weight's gradient may take. */
#define MT_PARALLEL_PRODUCTS 1000000
#define MT_SHARES 16
#define MT_PARTS_BYTES 16777216

/* --- entries ---------------------------------------------------------------------------------- */

/* Sequences of fewer states than this together are not worth a second thread. */
#define MT_CTC_PARALLEL 4096

/* ln(e^a + e^b + e^c); the largest counts 1, and what is not there is not computed. */
static double mt_log_sum(double a, double b, double c) {
    if (b > a) {
        const double larger_one = b;
        b = a;
        a = larger_one;
    }
    if (c > a) {
        const double larger_one = c;
        c = a;
        a = larger_one;
    }
    if (!(a > -INFINITY))
        return a + b + c; /* nothing at all, or NaN */
    double others = 0;
    if (b != -INFINITY)
        others += exp(b - a);
    if (c != -INFINITY)
        others += exp(c - a);
    return others == 0 ? a : a + log(1 + others);
}

#define real float
#define FN(name) name##_f32
#include "entries.inc"
#include "reduce_entry.inc"
#include "cross_entropy_entry.inc"
#include "attention_entry.inc"
#include "random_entry.inc"
#include "learned_entry.inc"
#include "layer_entries.inc"
#include "recurrence_entry.inc"
#include "step_entry.inc"
#include "convolution_entry.inc"
#include "pooling_entry.inc"
#include "ctc.inc"
#undef real
#undef FN

#define real double
#define FN(name) name##_f64
#include "entries.inc"
#include "reduce_entry.inc"
#include "cross_entropy_entry.inc"
#include "attention_entry.inc"
#include "random_entry.inc"
#include "learned_entry.inc"
#include "layer_entries.inc"
#include "recurrence_entry.inc"
#include "step_entry.inc"
#include "convolution_entry.inc"
#include "pooling_entry.inc"
#include "ctc.inc"
#undef real
#undef FN

int mt_random_bits(int64_t n, uint64_t *state, uint32_t *y) {
    if (!aligned(state, sizeof *state) || !aligned(y, sizeof *y))
        return -1;
    mt_active->random_bits(n, state[0], state[1], y);
    state[1] += (uint64_t)divide(n, 4);
    return 0;
}
