/* The entries that take arrays as NumPy's objects: check them, then call the entry of their dtype. What
 * an entry cannot take it refuses with -1, having done nothing, and Python calls the NumPy twin. */
#include "ndarray.h"

#include <stddef.h>
#include <string.h>

#include "microtensor.h"

const void *mt_ndarray_type;
const void *mt_dtype_f32, *mt_dtype_f64, *mt_dtype_i64, *mt_dtype_u64, *mt_dtype_u32;

void mt_ndarray_set(uintptr_t type, uintptr_t f32, uintptr_t f64, uintptr_t i64, uintptr_t u64,
                    uintptr_t u32) {
    mt_ndarray_type = (const void *)type;
    mt_dtype_f32 = (const void *)f32;
    mt_dtype_f64 = (const void *)f64;
    mt_dtype_i64 = (const void *)i64;
    mt_dtype_u64 = (const void *)u64;
    mt_dtype_u32 = (const void *)u32;
}

int mt_ndarray_reads(uintptr_t object, uintptr_t data, uintptr_t dtype, int64_t rows,
                     int64_t columns, int64_t row_stride, int64_t column_stride) {
    const struct mt_ndarray *array = (const struct mt_ndarray *)object;
    return array->type == mt_ndarray_type && array->data == (char *)data &&
           array->dtype == (const void *)dtype && array->ndim == 2 && array->shape[0] == rows &&
           array->shape[1] == columns && array->strides[0] == row_stride &&
           array->strides[1] == column_stride;
}

/* Call `entry`_f32 or _f64, as the dtype says, with `...`; -1 for any other dtype. Inside the arguments
 * IN(a) and OUT(a) are the data of arrays. */
#define IN(array) ((const void *)(array)->data)
#define OUT(array) ((void *)(array)->data)
#define DISPATCH(dtype_, entry, ...)                                                               \
    ((dtype_) == mt_dtype_f32   ? entry##_f32(__VA_ARGS__)                                         \
     : (dtype_) == mt_dtype_f64 ? entry##_f64(__VA_ARGS__)                                         \
                                : -1)

/* Whether an array has the dtype and so many elements. */
static int has(const struct mt_ndarray *array, const void *dtype, int64_t size) {
    return array && array->dtype == dtype && mt_size(array) == size;
}

int mt_array_unary(int op, double p, double q, uintptr_t x_, uintptr_t y_) {
    const struct mt_ndarray *x = mt_input(x_), *y = mt_output(y_);
    if (!x || !y || x->dtype != y->dtype)
        return -1;
    const int64_t n = mt_size(x);
    return mt_size(y) == n ? DISPATCH(x->dtype, mt_unary, op, n, p, q, IN(x), OUT(y)) : -1;
}

int mt_array_binary(int op, double p, double q, uintptr_t a_, uintptr_t b_, uintptr_t y_) {
    const struct mt_ndarray *a = mt_input(a_), *b = mt_input(b_), *y = mt_output(y_);
    if (!a || !b || !y || a->dtype != y->dtype || b->dtype != y->dtype)
        return -1;
    const int64_t n = mt_size(y);
    if (mt_size(a) != n || mt_size(b) != n)
        return -1;
    return DISPATCH(y->dtype, mt_binary, op, n, p, q, IN(a), IN(b), OUT(y));
}

/* The number in an array of one element, which need not be aligned. */
static double number(const struct mt_ndarray *array) {
    float single;
    double real;
    if (array->dtype == mt_dtype_f64) {
        memcpy(&real, array->data, sizeof real);
        return real;
    }
    memcpy(&single, array->data, sizeof single);
    return (double)single;
}

/* Whether broadcasting repeats x along the leading dimensions of y alone: x is a row for every row. */
static int is_row_of(const struct mt_ndarray *x, const struct mt_ndarray *y) {
    const int missing = y->ndim - x->ndim;
    int i = x->ndim;
    while (i > 0 && missing + i > 0 && x->shape[i - 1] == y->shape[missing + i - 1])
        i--;
    while (i > 0 && x->shape[i - 1] == 1)
        i--;
    return i == 0 && missing >= 0;
}

/* Whether it repeats x along the trailing dimensions of y alone: x is a number for every row. */
static int is_column_of(const struct mt_ndarray *x, const struct mt_ndarray *y) {
    int i = 0;
    if (x->ndim != y->ndim)
        return 0;
    while (i < x->ndim && x->shape[i] == y->shape[i])
        i++;
    while (i < x->ndim && x->shape[i] == 1)
        i++;
    return i == x->ndim;
}

int mt_array_arithmetic(int op, int right, int left, uintptr_t a_, uintptr_t b_, uintptr_t y_) {
    const struct mt_ndarray *a = mt_input(a_), *b = mt_input(b_), *y = mt_output(y_);
    if (!a || !b || !y || a->dtype != y->dtype || b->dtype != y->dtype ||
        (y->dtype != mt_dtype_f32 && y->dtype != mt_dtype_f64))
        return -1;
    const int64_t n = mt_size(y), a_size = mt_size(a), b_size = mt_size(b);
    if (a_size == n && b_size == n)
        return DISPATCH(y->dtype, mt_binary, op, n, 0, 0, IN(a), IN(b), OUT(y));
    if (b_size == 1 && a_size == n)
        return DISPATCH(y->dtype, mt_unary, right, n, number(b), 0, IN(a), OUT(y));
    if (a_size == 1 && b_size == n)
        return DISPATCH(y->dtype, mt_unary, left, n, number(a), 0, IN(b), OUT(y));
    if (a_size == n && is_row_of(b, y))
        return DISPATCH(y->dtype, mt_binary_rows, op, n / b_size, b_size, IN(a), b_size, IN(b), 0,
                        OUT(y));
    if (b_size == n && is_row_of(a, y))
        return DISPATCH(y->dtype, mt_binary_rows, op, n / a_size, a_size, IN(a), 0, IN(b), a_size,
                        OUT(y));
    if (a_size == n && is_column_of(b, y))
        return DISPATCH(y->dtype, mt_unary_rows, right, b_size, n / b_size, IN(b), IN(a), OUT(y));
    if (b_size == n && is_column_of(a, y))
        return DISPATCH(y->dtype, mt_unary_rows, left, a_size, n / a_size, IN(a), IN(b), OUT(y));
    return -1;
}

static int same_shape(const struct mt_ndarray *a, const struct mt_ndarray *b) {
    int same = a->ndim == b->ndim && a->dtype == b->dtype;
    for (int i = 0; same && i < a->ndim; i++)
        same = a->shape[i] == b->shape[i];
    return same;
}

/* Whether y holds one row for each pair of rows of x. */
static int is_half_of(const struct mt_ndarray *y, const struct mt_ndarray *x) {
    return x->ndim == 3 && y->ndim == 2 && x->dtype == y->dtype && x->shape[1] == 2 &&
           x->shape[0] == y->shape[0] && x->shape[2] == y->shape[1];
}

int mt_array_gated(int op, uintptr_t x_, uintptr_t y_) {
    const struct mt_ndarray *x = mt_input(x_), *y = mt_output(y_);
    if (!x || !y || !is_half_of(y, x))
        return -1;
    return DISPATCH(x->dtype, mt_gated, op, y->shape[0], y->shape[1], IN(x), OUT(y));
}

int mt_array_gated_backward(int op, uintptr_t g_, uintptr_t x_, uintptr_t out_) {
    const struct mt_ndarray *g = mt_input(g_), *x = mt_input(x_), *out = mt_output(out_);
    if (!g || !x || !out || !is_half_of(g, x) || !is_half_of(g, out))
        return -1;
    return DISPATCH(g->dtype, mt_gated_backward, op, g->shape[0], g->shape[1], IN(g), IN(x),
                    OUT(out));
}

/* An array as (outer, n, inner), where n are the dimensions whose bits are set: these must be
 * neighbours, dimensions of length 1 aside. */
struct extents {
    int64_t outer, n, inner;
};

static int read_extents(const struct mt_ndarray *x, uint64_t dims, struct extents *extents) {
    *extents = (struct extents){1, 1, 1};
    int64_t *part = &extents->outer;
    for (int i = 0; i < x->ndim; i++) {
        if (x->shape[i] == 1)
            continue;
        if (dims >> i & 1) {
            if (part == &extents->inner)
                return 0;
            part = &extents->n;
        } else if (part == &extents->n)
            part = &extents->inner;
        *part *= x->shape[i];
    }
    return 1;
}

int mt_array_rows(int op, uint64_t dims, uintptr_t x_, uintptr_t y_) {
    const struct mt_ndarray *x = mt_input(x_), *y = mt_output(y_);
    struct extents e;
    if (!x || !y || !same_shape(x, y) || !read_extents(x, dims, &e))
        return -1;
    return DISPATCH(x->dtype, mt_rows, op, e.outer, e.n, e.inner, IN(x), OUT(y));
}

int mt_array_rows_backward(int op, uint64_t dims, uintptr_t g_, uintptr_t y_, uintptr_t out_) {
    const struct mt_ndarray *g = mt_input(g_), *y = mt_input(y_), *out = mt_output(out_);
    struct extents e;
    if (!g || !y || !out || !same_shape(g, y) || !same_shape(g, out) || !read_extents(g, dims, &e))
        return -1;
    return DISPATCH(g->dtype, mt_rows_backward, op, e.outer, e.n, e.inner, IN(g), IN(y), OUT(out));
}

int mt_array_reduce(int op, uint64_t dims, uintptr_t x_, uintptr_t y_) {
    const struct mt_ndarray *x = mt_input(x_), *y = mt_output(y_);
    struct extents e;
    if (!x || !y || x->dtype != y->dtype || !read_extents(x, dims, &e) ||
        mt_size(y) != e.outer * e.inner)
        return -1;
    return DISPATCH(x->dtype, mt_reduce, op, e.outer, e.n, e.inner, IN(x), OUT(y));
}

int mt_array_var_mean(uint64_t dims, double correction, uintptr_t x_, uintptr_t variance_,
                      uintptr_t mean_) {
    const struct mt_ndarray *x = mt_input(x_);
    const struct mt_ndarray *variance = mt_output(variance_), *mean = mt_output(mean_);
    struct extents e;
    if (!x || (mean_ && !mean) || !read_extents(x, dims, &e) ||
        !has(variance, x->dtype, e.outer * e.inner) ||
        (mean && !has(mean, x->dtype, e.outer * e.inner)))
        return -1;
    return DISPATCH(x->dtype, mt_var_mean, e.outer, e.n, e.inner, correction, IN(x), OUT(variance),
                    mean ? OUT(mean) : NULL);
}

/* A matrix as BLAS takes it: stored by rows or by columns, each next to the other or further apart. */
struct operand {
    const void *data, *dtype;
    int64_t rows, columns, stride;
    int transposed;
};

static int as_operand(uintptr_t object, int64_t itemsize, struct operand *matrix) {
    const struct mt_ndarray *array = (const struct mt_ndarray *)object;
    if (array->type != mt_ndarray_type || array->ndim != 2)
        return 0;
    const int64_t rows = array->shape[0], columns = array->shape[1];
    *matrix = (struct operand){array->data, array->dtype, rows, columns, columns, 0};
    if (array->flags & MT_FLAG_C_CONTIGUOUS)
        return 1;
    matrix->transposed = array->strides[0] == itemsize && array->strides[1] != itemsize;
    const int64_t along = array->strides[!matrix->transposed];
    const int64_t across = array->strides[matrix->transposed];
    matrix->stride = across / itemsize;
    return along == itemsize && across % itemsize == 0 &&
           matrix->stride >= (matrix->transposed ? rows : columns);
}

int mt_array_matmul(uintptr_t a_, uintptr_t b_, uintptr_t c_) {
    const struct mt_ndarray *c = mt_output(c_);
    if (!c || c->ndim != 2)
        return -1;
    const int64_t itemsize = c->dtype == mt_dtype_f32 ? 4 : 8;
    struct operand a, b;
    if (!as_operand(a_, itemsize, &a) || !as_operand(b_, itemsize, &b) || a.dtype != c->dtype ||
        b.dtype != c->dtype || a.columns != b.rows || c->shape[0] != a.rows ||
        c->shape[1] != b.columns)
        return -1;
    return DISPATCH(c->dtype, mt_matmul, a.transposed, b.transposed, a.rows, b.columns, a.columns,
                    a.data, a.stride, b.data, b.stride, OUT(c));
}

int mt_array_linear(uintptr_t x_, uintptr_t weight_, uintptr_t bias_, uintptr_t y_) {
    const struct mt_ndarray *x = mt_input(x_), *weight = mt_input(weight_), *y = mt_output(y_);
    const struct mt_ndarray *bias = mt_input(bias_);
    if (!x || !weight || !y || (bias_ && !bias) || x->ndim != 2 || weight->ndim != 2 ||
        y->ndim != 2)
        return -1;
    const int64_t rows = x->shape[0], inputs = x->shape[1], outputs = weight->shape[0];
    if (x->dtype != y->dtype || weight->dtype != y->dtype || weight->shape[1] != inputs ||
        y->shape[0] != rows || y->shape[1] != outputs ||
        (bias && (bias->dtype != y->dtype || mt_size(bias) != outputs)))
        return -1;
    return DISPATCH(y->dtype, mt_linear, rows, inputs, outputs, IN(x), IN(weight),
                    bias ? IN(bias) : NULL, OUT(y));
}

/* What a cross-entropy and its gradient are given alike. */
struct cross_entropy {
    const struct mt_ndarray *x, *target, *weight;
    int64_t rows, columns;
};

static int read_cross_entropy(struct cross_entropy *call, uintptr_t x, uintptr_t target,
                              uintptr_t weight) {
    *call = (struct cross_entropy){.x = mt_input(x), .target = mt_input(target)};
    if (!call->x || call->x->ndim != 2)
        return 0;
    call->rows = call->x->shape[0];
    call->columns = call->x->shape[1];
    call->weight = mt_input(weight);
    return has(call->target, mt_dtype_i64, call->rows) &&
           (!weight || has(call->weight, call->x->dtype, call->columns));
}

int64_t mt_array_cross_entropy(int reduction, int64_t ignore_index, double label_smoothing,
                               uintptr_t x, uintptr_t target, uintptr_t weight, uintptr_t log_sum_,
                               uintptr_t total_, uintptr_t out_) {
    const struct mt_ndarray *log_sum = mt_output(log_sum_), *total = mt_output(total_);
    const struct mt_ndarray *out = mt_output(out_);
    struct cross_entropy call;
    if (!read_cross_entropy(&call, x, target, weight) || !has(log_sum, call.x->dtype, call.rows) ||
        !has(total, call.x->dtype, 1) || !has(out, call.x->dtype, reduction ? 1 : call.rows) ||
        (call.x->dtype != mt_dtype_f32 && call.x->dtype != mt_dtype_f64))
        return -2;
    return DISPATCH(call.x->dtype, mt_cross_entropy, call.rows, call.columns, reduction,
                    ignore_index, label_smoothing, IN(call.x), IN(call.target),
                    call.weight ? IN(call.weight) : NULL, OUT(log_sum), OUT(total), OUT(out));
}

int mt_array_cross_entropy_backward(int reduction, int64_t ignore_index, double label_smoothing,
                                    uintptr_t g_, uintptr_t x, uintptr_t target, uintptr_t weight,
                                    uintptr_t log_sum_, uintptr_t total_, uintptr_t out_) {
    const struct mt_ndarray *g = mt_input(g_), *log_sum = mt_input(log_sum_);
    const struct mt_ndarray *total = mt_input(total_), *out = mt_output(out_);
    struct cross_entropy call;
    if (!read_cross_entropy(&call, x, target, weight) || !has(log_sum, call.x->dtype, call.rows) ||
        !has(total, call.x->dtype, 1) || !has(g, call.x->dtype, reduction ? 1 : call.rows) ||
        !out || !same_shape(call.x, out))
        return -1;
    return DISPATCH(call.x->dtype, mt_cross_entropy_backward, call.rows, call.columns, reduction,
                    ignore_index, label_smoothing, IN(g), IN(call.x), IN(call.target),
                    call.weight ? IN(call.weight) : NULL, IN(log_sum), IN(total), OUT(out));
}

/* What ctc and its gradient are given alike. */
struct ctc {
    const struct mt_ndarray *x, *targets, *frames, *lengths;
    int64_t steps, count, classes, longest, states;
};

static int read_ctc(struct ctc *call, uintptr_t x, uintptr_t targets, uintptr_t frames,
                    uintptr_t lengths) {
    *call = (struct ctc){
        mt_input(x), mt_input(targets), mt_input(frames), mt_input(lengths), 0, 0, 0, 0, 0};
    if (!call->x || call->x->ndim != 3 || !call->targets || call->targets->ndim != 2)
        return 0;
    call->steps = call->x->shape[0];
    call->count = call->x->shape[1];
    call->classes = call->x->shape[2];
    call->longest = call->targets->shape[1];
    call->states = 2 * call->longest + 1;
    return has(call->targets, mt_dtype_i64, call->count * call->longest) &&
           has(call->frames, mt_dtype_i64, call->count) &&
           has(call->lengths, mt_dtype_i64, call->count);
}

int mt_array_ctc(int64_t blank, int zero_infinity, uintptr_t x, uintptr_t targets, uintptr_t frames,
                 uintptr_t lengths, uintptr_t alpha_, uintptr_t out_) {
    const struct mt_ndarray *alpha = mt_output(alpha_), *out = mt_output(out_);
    struct ctc call;
    if (!read_ctc(&call, x, targets, frames, lengths) ||
        !has(alpha, mt_dtype_f64, call.steps * call.count * call.states) ||
        !has(out, call.x->dtype, call.count))
        return -1;
    return DISPATCH(call.x->dtype, mt_ctc, call.steps, call.count, call.classes, call.longest,
                    blank, zero_infinity, IN(call.x), IN(call.targets), IN(call.frames),
                    IN(call.lengths), OUT(alpha), OUT(out));
}

int mt_array_ctc_backward(int64_t blank, int zero_infinity, uintptr_t g_, uintptr_t x,
                          uintptr_t alpha_, uintptr_t targets, uintptr_t frames, uintptr_t lengths,
                          uintptr_t scratch_, uintptr_t out_) {
    const struct mt_ndarray *g = mt_input(g_), *alpha = mt_input(alpha_);
    const struct mt_ndarray *scratch = mt_output(scratch_), *out = mt_output(out_);
    struct ctc call;
    if (!read_ctc(&call, x, targets, frames, lengths) ||
        !has(alpha, mt_dtype_f64, call.steps * call.count * call.states) ||
        !has(scratch, mt_dtype_f64, 2 * call.count * call.states) ||
        !has(g, call.x->dtype, call.count) || !out || !same_shape(call.x, out))
        return -1;
    return DISPATCH(call.x->dtype, mt_ctc_backward, call.steps, call.count, call.classes,
                    call.longest, blank, zero_infinity, IN(g), IN(call.x), IN(alpha),
                    IN(call.targets), IN(call.frames), IN(call.lengths), OUT(scratch), OUT(out));
}

int mt_array_random_bits(uintptr_t state_, uintptr_t out_) {
    const struct mt_ndarray *state = mt_output(state_), *out = mt_output(out_);
    if (!has(state, mt_dtype_u64, 2) || !out || out->dtype != mt_dtype_u32)
        return -1;
    return mt_random_bits(mt_size(out), OUT(state), OUT(out));
}

int mt_array_random_uniform(uintptr_t state_, uintptr_t out_) {
    const struct mt_ndarray *state = mt_output(state_), *out = mt_output(out_);
    if (!has(state, mt_dtype_u64, 2) || !out)
        return -1;
    return DISPATCH(out->dtype, mt_random_uniform, mt_size(out), OUT(state), OUT(out));
}

int mt_array_dropout(double p, uintptr_t state_, uintptr_t x_, uintptr_t mask_, uintptr_t y_) {
    const struct mt_ndarray *state = mt_output(state_), *x = mt_input(x_);
    const struct mt_ndarray *mask = mt_output(mask_), *y = mt_output(y_);
    if (!has(state, mt_dtype_u64, 2) || !x)
        return -1;
    const int64_t n = mt_size(x);
    if (!has(mask, x->dtype, n) || !has(y, x->dtype, n))
        return -1;
    return DISPATCH(x->dtype, mt_dropout, n, p, OUT(state), IN(x), OUT(mask), OUT(y));
}
