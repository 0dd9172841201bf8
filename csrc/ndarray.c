/* The entries that take arrays as NumPy's objects: check them, then call the entry of their dtype. What
 * an entry cannot take it refuses with -1, having done nothing, and Python calls the NumPy twin. Here are
 * those of activations, arithmetic, reductions, copies and random numbers. */
#include "ndarray_entries.h"

#include <string.h>

#include "kernels.h"

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

/* Integers wrap around, as NumPy's do. */
static int integer_arithmetic(int op, const struct mt_ndarray *a, const struct mt_ndarray *b,
                              const struct mt_ndarray *y) {
    const int64_t n = mt_size(y), step_a = mt_size(a) != 1, step_b = mt_size(b) != 1;
    const uint64_t *p = (const uint64_t *)a->data, *q = (const uint64_t *)b->data;
    uint64_t *out = (uint64_t *)y->data;
    if ((step_a && mt_size(a) != n) || (step_b && mt_size(b) != n))
        return -1;
    if (op != MT_BINARY_add && op != MT_BINARY_sub && op != MT_BINARY_mul)
        return -1;
    for (int64_t i = 0; i < n; i++, p += step_a, q += step_b)
        out[i] = op == MT_BINARY_add ? *p + *q : op == MT_BINARY_sub ? *p - *q : *p * *q;
    return 0;
}

int mt_array_arithmetic(int op, int right, int left, uintptr_t a_, uintptr_t b_, uintptr_t y_) {
    const struct mt_ndarray *a = mt_input(a_), *b = mt_input(b_), *y = mt_output(y_);
    if (!a || !b || !y || a->dtype != y->dtype || b->dtype != y->dtype)
        return -1;
    if (y->dtype == mt_dtype_i64)
        return integer_arithmetic(op, a, b, y);
    if (y->dtype != mt_dtype_f32 && y->dtype != mt_dtype_f64)
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

int mt_array_maxout(uintptr_t x_, uintptr_t y_) {
    const struct mt_ndarray *x = mt_input(x_), *y = mt_output(y_);
    if (!x || !y || x->dtype != y->dtype || x->ndim != 3 || y->ndim != 2 ||
        x->shape[0] != y->shape[0] || x->shape[2] != y->shape[1])
        return -1;
    return DISPATCH(x->dtype, mt_maxout, x->shape[0], x->shape[1], x->shape[2], IN(x), OUT(y));
}

int mt_array_maxout_backward(uintptr_t g_, uintptr_t x_, uintptr_t out_) {
    const struct mt_ndarray *g = mt_input(g_), *x = mt_input(x_), *out = mt_output(out_);
    if (!g || !x || !out || x->dtype != g->dtype || x->ndim != 3 || g->ndim != 2 ||
        x->shape[0] != g->shape[0] || x->shape[2] != g->shape[1] || !same_shape(x, out))
        return -1;
    return DISPATCH(x->dtype, mt_maxout_backward, x->shape[0], x->shape[1], x->shape[2], IN(g),
                    IN(x), OUT(out));
}

#define MT_LEARNED(name, parameters, terms) terms,
static const int learned_terms[] = {
#include "table.h"
};

/* x as (outer, channels, inner), and the parameters of an activation. */
struct learned {
    int64_t outer, channels, inner, terms;
    int channelled[4];
    const void *parameters[4];
    int64_t sizes[4];
};

static int read_learned(int op, const struct mt_ndarray *x, const uintptr_t *given,
                        struct learned *call) {
    int axis = -1;
    *call = (struct learned){.outer = 1, .channels = 1, .inner = 1, .terms = 1};
    if (op < 0 || op >= (int)(sizeof learned_terms / sizeof *learned_terms))
        return 0;
    for (int j = 0; j < 4 && given[j]; j++) {
        const struct mt_ndarray *p = mt_input(given[j]);
        const int leading = learned_terms[op];
        if (!p || p->dtype != x->dtype || p->ndim < leading || p->ndim - leading > x->ndim)
            return 0;
        if (leading && j && p->shape[0] != call->terms)
            return 0;
        call->terms = leading ? p->shape[0] : 1;
        call->parameters[j] = p->data;
        call->sizes[j] = mt_size(p);
        for (int i = leading; i < p->ndim; i++) {
            const int place = x->ndim - p->ndim + i;
            if (p->shape[i] == 1)
                continue;
            if (p->shape[i] != x->shape[place] || (axis >= 0 && axis != place) ||
                call->channelled[j])
                return 0;
            axis = place;
            call->channelled[j] = 1;
        }
    }
    for (int i = 0; i < x->ndim; i++) {
        int64_t *part = i == axis ? &call->channels : i < axis ? &call->outer : &call->inner;
        *part *= x->shape[i];
    }
    return 1;
}

int mt_array_learned(int op, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t x_,
                     uintptr_t y_) {
    const struct mt_ndarray *x = mt_input(x_), *y = mt_output(y_);
    const uintptr_t given[4] = {a, b, c, d};
    struct learned call;
    if (!x || !y || !same_shape(x, y) || !read_learned(op, x, given, &call))
        return -1;
    return DISPATCH(x->dtype, mt_learned, op, call.outer, call.channels, call.inner, call.terms,
                    call.channelled, (void *)call.parameters, IN(x), OUT(y));
}

int mt_array_learned_backward(int op, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d,
                              uintptr_t g_, uintptr_t x_, uintptr_t out_, uintptr_t of_a,
                              uintptr_t of_b, uintptr_t of_c, uintptr_t of_d) {
    const struct mt_ndarray *g = mt_input(g_), *x = mt_input(x_), *out = mt_output(out_);
    const uintptr_t given[4] = {a, b, c, d}, asked[4] = {of_a, of_b, of_c, of_d};
    struct learned call;
    void *sums[4] = {NULL, NULL, NULL, NULL};
    if (!g || !x || !out || !same_shape(g, x) || !same_shape(x, out) ||
        !read_learned(op, x, given, &call))
        return -1;
    for (int j = 0; j < 4; j++) {
        const struct mt_ndarray *sum = mt_output(asked[j]);
        if (!sum && asked[j] && ((const struct mt_ndarray *)asked[j])->type == mt_ndarray_type)
            return -1; /* an array that cannot be written to */
        if (sum && !has(sum, x->dtype, call.sizes[j]))
            return -1;
        sums[j] = sum ? OUT(sum) : NULL;
    }
    return DISPATCH(x->dtype, mt_learned_backward, op, call.outer, call.channels, call.inner,
                    call.terms, call.channelled, (void *)call.parameters, IN(g), IN(x), OUT(out),
                    (void *)sums);
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

/* y (rows, columns) = x, which lies column by column, in blocks that stay in cache. */
#define MT_TRANSPOSE(name, type)                                                                   \
    static void name(int64_t rows, int64_t columns, const type *x, type *y) {                      \
        for (int64_t top = 0; top < rows; top += 16)                                               \
            for (int64_t left = 0; left < columns; left += 16)                                     \
                for (int64_t i = top; i < rows && i < top + 16; i++)                               \
                    for (int64_t j = left; j < columns && j < left + 16; j++)                      \
                        y[i * columns + j] = x[j * rows + i];                                      \
    }
MT_TRANSPOSE(transpose_narrow, uint32_t)
MT_TRANSPOSE(transpose_wide, uint64_t)

int mt_array_copy(uintptr_t x_, uintptr_t y_) {
    const struct mt_ndarray *x = (const struct mt_ndarray *)x_, *y = mt_output(y_);
    if (!x || x->type != mt_ndarray_type || !y || !same_shape(x, y))
        return -1;
    const void *dtype = x->dtype;
    const int narrow = dtype == mt_dtype_f32 || dtype == mt_dtype_u32;
    if (!narrow && dtype != mt_dtype_f64 && dtype != mt_dtype_i64 && dtype != mt_dtype_u64)
        return -1;
    const int64_t bytes = mt_size(x) * (narrow ? 4 : 8);
    if (x->flags & MT_FLAG_C_CONTIGUOUS) {
        memmove(y->data, x->data, (size_t)bytes);
        return 0;
    }
    if (x->ndim != 2 || !(x->flags & MT_FLAG_F_CONTIGUOUS) ||
        !(x->data + bytes <= y->data || y->data + bytes <= x->data) ||
        (uintptr_t)x->data % (narrow ? 4 : 8) || (uintptr_t)y->data % (narrow ? 4 : 8))
        return -1;
    if (narrow)
        transpose_narrow(x->shape[0], x->shape[1], (const void *)x->data, (void *)y->data);
    else
        transpose_wide(x->shape[0], x->shape[1], (const void *)x->data, (void *)y->data);
    return 0;
}

int mt_array_fill(double value, uintptr_t y_) {
    const struct mt_ndarray *y = mt_output(y_);
    if (!y || (y->dtype != mt_dtype_f32 && y->dtype != mt_dtype_f64 && y->dtype != mt_dtype_i64))
        return -1;
    const int64_t n = mt_size(y);
    if (y->dtype == mt_dtype_i64) {
        if (!(value >= -0x1p53 && value <= 0x1p53) || value != (double)(int64_t)value)
            return -1;
        for (int64_t i = 0; i < n; i++)
            ((int64_t *)y->data)[i] = (int64_t)value;
    } else if (y->dtype == mt_dtype_f32)
        for (int64_t i = 0; i < n; i++)
            ((float *)y->data)[i] = (float)value;
    else
        for (int64_t i = 0; i < n; i++)
            ((double *)y->data)[i] = value;
    return 0;
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

int mt_array_rrelu(double lower, double upper, uintptr_t state_, uintptr_t x_, uintptr_t slopes_,
                   uintptr_t y_) {
    const struct mt_ndarray *state = mt_output(state_), *x = mt_input(x_);
    const struct mt_ndarray *slopes = mt_output(slopes_), *y = mt_output(y_);
    if (!has(state, mt_dtype_u64, 2) || !x)
        return -1;
    const int64_t n = mt_size(x);
    if (!has(slopes, x->dtype, n) || !has(y, x->dtype, n))
        return -1;
    return DISPATCH(x->dtype, mt_rrelu, n, lower, upper, OUT(state), IN(x), OUT(slopes), OUT(y));
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
