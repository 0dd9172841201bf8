/* What one instruction set offers: a table of kernels for each dtype. The kernels themselves are
 * static functions compiled once per dtype and instruction set (kernels.inc); dispatch.c picks a
 * table when the library is loaded. */
#ifndef MT_KERNELS_H
#define MT_KERNELS_H

#include <stdint.h>

#include "recurrence.h"
#include "windows.h"

enum {
#define MT_UNARY(name) MT_UNARY_##name,
#include "table.h"
    MT_UNARY_COUNT
};
enum {
#define MT_BINARY(name) MT_BINARY_##name,
#include "table.h"
    MT_BINARY_COUNT
};
enum {
#define MT_ROWS(name) MT_ROWS_##name,
#include "table.h"
    MT_ROWS_COUNT
};
enum {
#define MT_ROWS_BACKWARD(name) MT_ROWS_BACKWARD_##name,
#include "table.h"
    MT_ROWS_BACKWARD_COUNT
};
enum {
#define MT_LEARNED(name, parameters, terms) MT_LEARNED_##name,
#include "table.h"
    MT_LEARNED_COUNT
};
enum {
#define MT_GATED(name, gate, saved) MT_GATED_##name,
#include "table.h"
    MT_GATED_COUNT
};
enum {
#define MT_REDUCE(name) MT_REDUCE_##name,
#include "table.h"
    MT_REDUCE_COUNT
};
enum {
#define MT_STEP(name, states, numbers) MT_STEP_##name,
#include "table.h"
    MT_STEP_COUNT
};

/* As many parameters, terms and columns as a learned activation is given at once. */
#define MT_PARAMETERS_LIMIT 4
#define MT_TERMS_LIMIT 16
#define MT_COLUMNS 64

/* As many state arrays, and as many plain numbers, as a step rule may have for a parameter. */
#define MT_STATES_LIMIT 6
#define MT_NUMBERS_LIMIT 4
/* Room for what a step rule computes once per step, and for what it sums up. */
#define MT_STEP_CONSTANTS 16
#define MT_STEP_TOTALS 2
/* Elements whose sums fit their type: a pass that sums gets no more at once. */
#define MT_STEP_BLOCK 4096

enum mt_reduction { MT_REDUCTION_NONE, MT_REDUCTION_MEAN, MT_REDUCTION_SUM };

/* Numbers seen: how many, their mean, and Σ (x - mean)². */
struct mt_moments {
    double count, mean, squares;
};

/* Both together, as if one had been seen after the other (Chan, Golub, LeVeque 1979). */
static inline struct mt_moments mt_joined(struct mt_moments a, struct mt_moments b) {
    const double count = a.count + b.count, shift = b.mean - a.mean;
    const struct mt_moments both = {count, a.mean + shift * (b.count / count),
                                    a.squares + b.squares +
                                        shift * shift * (a.count * (b.count / count))};
    return both;
}

/* The arguments of a cross-entropy that are the same for every row, and for both dtypes. */
struct mt_cross_entropy {
    int64_t columns;
    enum mt_reduction reduction;
    int64_t ignore_index;
    double label_smoothing;
};

/* Rows of n elements to be normalized: see normalization.inc. */
struct mt_row_norm {
    int64_t rows, n, groups, inner;
    int centered;
    double eps;
};

/* Channels of an array (outer, channels, inner); training: the statistics are those of the array. */
struct mt_channels {
    int64_t outer, channels, inner;
    int training;
};

/* The sizes of one head of an attention, and how far apart the rows of its matrices lie; mask_step is
 * how far apart the columns of the mask do, 0 where they are all the same. */
struct mt_attention {
    int64_t rows, columns, width, value_width; /* q (rows, width), v (columns, value_width) */
    int64_t q_stride, k_stride, v_stride, mask_stride, mask_step, g_stride, out_stride;
    int64_t dq_stride, dk_stride, dv_stride;
    double scale;
    int causal;
};

/* A matrix product of op(a) (m, k) and op(b) (k, n), for product.inc, and its largest dimension. */
struct mt_product {
    int transpose_a, transpose_b;
    int64_t m, n, k, a_stride, b_stride;
};
#define MT_PRODUCT_LIMIT 1024

#define real float
#define FN(name) name##_f32
#include "kernels_dtype.h"
#undef real
#undef FN

#define real double
#define FN(name) name##_f64
#include "kernels_dtype.h"
#undef real
#undef FN

struct mt_isa {
    const char *name;
    /* Multiplications of products that product.inc is faster at than BLAS; the least where b is plain. */
    int64_t product_least, product_most;
    struct mt_kernels_f32 kernels_f32;
    struct mt_kernels_f64 kernels_f64;
    /* n words from the Philox counters that follow `offset`. */
    void (*random_bits)(int64_t n, uint64_t seed, uint64_t offset, uint32_t *y);
};

extern const struct mt_isa mt_isa_baseline;
#if (defined(__x86_64__) || defined(__amd64__)) && (defined(__GNUC__) || defined(__clang__))
#define MT_X86_64 1
extern const struct mt_isa mt_isa_v3, mt_isa_v4;
#endif

#endif
