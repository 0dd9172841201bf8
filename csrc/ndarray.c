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

/* The heads of an attention: a (batch, heads, rows, columns) array whose rows need not be neighbours. */
struct heads {
    const struct mt_ndarray *array;
    int64_t shape[4];
    uintptr_t first, last; /* what memory they lie in */
};

/* Read one; strides gets its three, in elements. A mask may repeat everything (strides of 0), an input
 * what comes before its rows, an output nothing. */
static int read_heads(uintptr_t object, const void *dtype, int is_mask, int is_output,
                      struct heads *heads, int64_t *strides) {
    const struct mt_ndarray *array = (const struct mt_ndarray *)object;
    if (!array || array->type != mt_ndarray_type || array->ndim != 4 || array->dtype != dtype ||
        (is_output && !(array->flags & MT_FLAG_WRITEABLE)))
        return 0;
    const int64_t itemsize = dtype == mt_dtype_f32 ? 4 : 8;
    heads->array = array;
    heads->first = heads->last = (uintptr_t)array->data;
    for (int i = 0; i < 4; i++) {
        const int64_t n = heads->shape[i] = array->shape[i], stride = array->strides[i];
        if (n == 0)
            return 0;
        if (n > 1 && (stride < 0 || stride % itemsize || (is_output && stride == 0)))
            return 0;
        if (i < 3)
            strides[i] = n > 1 ? stride / itemsize : 0;
        else if (n > 1 && stride != itemsize && !is_mask)
            return 0;
        heads->last += n > 1 ? (uintptr_t)((n - 1) * stride) : 0;
    }
    heads->last += (uintptr_t)itemsize;
    if (is_mask)
        return 1;
    if (heads->shape[2] == 1)
        strides[2] = heads->shape[3]; /* as BLAS would have it */
    return strides[2] >= heads->shape[3];
}

static int apart_from(const struct heads *a, const struct heads *b) {
    return a->last <= b->first || b->last <= a->first;
}

/* What an attention and its gradient are given alike; strides has room for the gradient's. */
struct attention {
    struct heads q, k, v, mask, out;
    int64_t sizes[6], strides[27], mask_step;
    const void *dtype;
};

static int read_attention(struct attention *call, int writes, uintptr_t q, uintptr_t k, uintptr_t v,
                          uintptr_t mask, uintptr_t out) {
    const struct mt_ndarray *query = (const struct mt_ndarray *)q;
    if (!query || query->type != mt_ndarray_type)
        return 0;
    call->dtype = query->dtype;
    call->mask_step = 0;
    memset(call->strides, 0, sizeof call->strides);
    if (!read_heads(q, call->dtype, 0, 0, &call->q, call->strides) ||
        !read_heads(k, call->dtype, 0, 0, &call->k, call->strides + 3) ||
        !read_heads(v, call->dtype, 0, 0, &call->v, call->strides + 6) ||
        !read_heads(out, call->dtype, 0, writes, &call->out, call->strides + 12) ||
        (mask && !read_heads(mask, call->dtype, 1, 0, &call->mask, call->strides + 9)))
        return 0;
    const int64_t sizes[6] = {call->q.shape[0], call->q.shape[1], call->q.shape[2],
                              call->k.shape[2], call->q.shape[3], call->v.shape[3]};
    memcpy(call->sizes, sizes, sizeof sizes);
    for (int i = 0; i < 2; i++)
        if (call->k.shape[i] != sizes[i] || call->v.shape[i] != sizes[i] ||
            call->out.shape[i] != sizes[i] || (mask && call->mask.shape[i] != sizes[i]))
            return 0;
    if (mask) {
        const int64_t itemsize = call->dtype == mt_dtype_f32 ? 4 : 8;
        if (call->mask.shape[2] != sizes[2] || call->mask.shape[3] != sizes[3])
            return 0;
        call->mask_step = sizes[3] > 1 ? call->mask.array->strides[3] / itemsize : 0;
    }
    return call->k.shape[3] == sizes[4] && call->v.shape[2] == sizes[3] &&
           call->out.shape[2] == sizes[2] && call->out.shape[3] == sizes[5];
}

int mt_array_attention(double scale, int causal, uintptr_t q, uintptr_t k, uintptr_t v,
                       uintptr_t mask, uintptr_t log_sum_, uintptr_t out) {
    const struct mt_ndarray *log_sum = mt_output(log_sum_);
    struct attention call;
    if (!read_attention(&call, 1, q, k, v, mask, out) ||
        !has(log_sum, call.dtype, call.sizes[0] * call.sizes[1] * call.sizes[2]) ||
        !apart_from(&call.q, &call.out) || !apart_from(&call.k, &call.out) ||
        !apart_from(&call.v, &call.out) || (mask && !apart_from(&call.mask, &call.out)))
        return -1;
    return DISPATCH(call.dtype, mt_attention, call.sizes, call.strides, call.mask_step, scale,
                    causal, IN(call.q.array), IN(call.k.array), IN(call.v.array),
                    mask ? IN(call.mask.array) : NULL, OUT(log_sum), OUT(call.out.array));
}

int mt_array_attention_backward(double scale, int causal, uintptr_t q, uintptr_t k, uintptr_t v,
                                uintptr_t mask, uintptr_t out, uintptr_t g_, uintptr_t log_sum_,
                                uintptr_t dq_, uintptr_t dk_, uintptr_t dv_) {
    const struct mt_ndarray *log_sum = mt_input(log_sum_);
    const uintptr_t outputs[3] = {dq_, dk_, dv_};
    struct heads g, made[3];
    struct attention call;
    if (!read_attention(&call, 0, q, k, v, mask, out) ||
        !has(log_sum, call.dtype, call.sizes[0] * call.sizes[1] * call.sizes[2]) ||
        !read_heads(g_, call.dtype, 0, 0, &g, call.strides + 15) ||
        memcmp(g.shape, call.out.shape, sizeof g.shape) != 0)
        return -1;
    const struct heads *given[3] = {&call.q, &call.k, &call.v};
    for (int i = 0; i < 3; i++) {
        if (!read_heads(outputs[i], call.dtype, 0, 1, &made[i], call.strides + 18 + 3 * i) ||
            memcmp(made[i].shape, given[i]->shape, sizeof made[i].shape) != 0 ||
            !apart_from(&made[i], &g) || !apart_from(&made[i], &call.out) ||
            (mask && !apart_from(&made[i], &call.mask)))
            return -1;
        for (int j = 0; j < 3; j++)
            if (!apart_from(&made[i], given[j]) || (j < i && !apart_from(&made[i], &made[j])))
                return -1;
    }
    return DISPATCH(call.dtype, mt_attention_backward, call.sizes, call.strides, call.mask_step,
                    scale, causal, IN(call.q.array), IN(call.k.array), IN(call.v.array),
                    mask ? IN(call.mask.array) : NULL, IN(call.out.array), IN(g.array), IN(log_sum),
                    OUT(made[0].array), OUT(made[1].array), OUT(made[2].array));
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
    if (!y || (y->dtype != mt_dtype_f32 && y->dtype != mt_dtype_f64))
        return -1;
    const int64_t n = mt_size(y);
    if (y->dtype == mt_dtype_f32)
        for (int64_t i = 0; i < n; i++)
            ((float *)y->data)[i] = (float)value;
    else
        for (int64_t i = 0; i < n; i++)
            ((double *)y->data)[i] = value;
    return 0;
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

/* --- layers ------------------------------------------------------------------------------------- */

/* The data of an array of so many elements of a dtype, or NULL where there is none; `ok` becomes 0 where it is
 * another one. */
static void *part(uintptr_t object, const void *dtype, int64_t size, int written, int *ok) {
    const struct mt_ndarray *array = written ? mt_output(object) : mt_input(object);
    if (!object)
        return NULL;
    if (!has(array, dtype, size))
        *ok = 0;
    return *ok ? array->data : NULL;
}

int mt_array_row_norm(int64_t groups, int64_t inner, int centered, double eps, uintptr_t x_,
                      uintptr_t weight, uintptr_t bias, uintptr_t mean, uintptr_t scale,
                      uintptr_t y) {
    const struct mt_ndarray *x = mt_input(x_);
    if (!x || x->ndim != 2 || inner < 1 || !scale || !y || (centered && !mean))
        return -1;
    const int64_t rows = x->shape[0], n = x->shape[1], weights = groups * (n / inner);
    int ok = 1;
    const void *w = part(weight, x->dtype, weights, 0, &ok);
    const void *b = part(bias, x->dtype, weights, 0, &ok);
    void *m = part(mean, x->dtype, rows, 1, &ok), *s = part(scale, x->dtype, rows, 1, &ok);
    void *to = part(y, x->dtype, rows * n, 1, &ok);
    return ok ? DISPATCH(x->dtype, mt_row_norm, rows, n, groups, inner, centered, eps, IN(x), w, b,
                         m, s, to)
              : -1;
}

int mt_array_row_norm_backward(int64_t groups, int64_t inner, int centered, uintptr_t g,
                               uintptr_t x_, uintptr_t weight, uintptr_t mean, uintptr_t scale,
                               uintptr_t out, uintptr_t weight_out, uintptr_t bias_out) {
    const struct mt_ndarray *x = mt_input(x_);
    if (!x || x->ndim != 2 || inner < 1 || !g || !scale || (centered && !mean))
        return -1;
    const int64_t rows = x->shape[0], n = x->shape[1], weights = groups * (n / inner);
    int ok = 1;
    const void *from = part(g, x->dtype, rows * n, 0, &ok);
    const void *w = part(weight, x->dtype, weights, 0, &ok);
    const void *m = part(mean, x->dtype, rows, 0, &ok), *s = part(scale, x->dtype, rows, 0, &ok);
    void *to = part(out, x->dtype, rows * n, 1, &ok);
    void *w_to = part(weight_out, x->dtype, weights, 1, &ok);
    void *b_to = part(bias_out, x->dtype, weights, 1, &ok);
    return ok ? DISPATCH(x->dtype, mt_row_norm_backward, rows, n, groups, inner, centered, from,
                         IN(x), w, m, s, to, w_to, b_to)
              : -1;
}

int mt_array_channel_moments(uintptr_t x_, uintptr_t variance, uintptr_t mean) {
    const struct mt_ndarray *x = mt_input(x_);
    if (!x || x->ndim != 3 || !variance || !mean)
        return -1;
    int ok = 1;
    void *v = part(variance, x->dtype, x->shape[1], 1, &ok);
    void *m = part(mean, x->dtype, x->shape[1], 1, &ok);
    return ok ? DISPATCH(x->dtype, mt_channel_moments, x->shape[0], x->shape[1], x->shape[2], IN(x),
                         v, m)
              : -1;
}

int mt_array_channel_norm(uintptr_t x_, uintptr_t weight, uintptr_t bias, uintptr_t mean,
                          uintptr_t scale, uintptr_t y) {
    const struct mt_ndarray *x = mt_input(x_);
    if (!x || x->ndim != 3 || !mean || !scale || !y)
        return -1;
    const int64_t channels = x->shape[1];
    int ok = 1;
    const void *w = part(weight, x->dtype, channels, 0, &ok);
    const void *b = part(bias, x->dtype, channels, 0, &ok);
    const void *m = part(mean, x->dtype, channels, 0, &ok);
    const void *s = part(scale, x->dtype, channels, 0, &ok);
    void *to = part(y, x->dtype, mt_size(x), 1, &ok);
    return ok ? DISPATCH(x->dtype, mt_channel_norm, x->shape[0], channels, x->shape[2], IN(x), w, b,
                         m, s, to)
              : -1;
}

int mt_array_channel_norm_backward(int training, uintptr_t g, uintptr_t x_, uintptr_t weight,
                                   uintptr_t mean, uintptr_t scale, uintptr_t out,
                                   uintptr_t weight_out, uintptr_t bias_out) {
    const struct mt_ndarray *x = mt_input(x_);
    if (!x || x->ndim != 3 || !g || !mean || !scale || !weight_out || !bias_out)
        return -1;
    const int64_t channels = x->shape[1];
    int ok = 1;
    const void *from = part(g, x->dtype, mt_size(x), 0, &ok);
    const void *w = part(weight, x->dtype, channels, 0, &ok);
    const void *m = part(mean, x->dtype, channels, 0, &ok);
    const void *s = part(scale, x->dtype, channels, 0, &ok);
    void *to = part(out, x->dtype, mt_size(x), 1, &ok);
    void *w_to = part(weight_out, x->dtype, channels, 1, &ok);
    void *b_to = part(bias_out, x->dtype, channels, 1, &ok);
    return ok ? DISPATCH(x->dtype, mt_channel_norm_backward, x->shape[0], channels, x->shape[2],
                         training, from, IN(x), w, m, s, to, w_to, b_to)
              : -1;
}

/* Read the shape of a recurrent layer; 0 if sizes are not those of packed sequences. */
static int is_recurrence(int mode, int reverse, uintptr_t sizes_, const struct mt_ndarray *weight,
                         const struct mt_ndarray *state, struct mt_recurrence *shape) {
    const struct mt_ndarray *sizes = mt_input(sizes_);
    if (mode < MT_LSTM || mode > MT_RNN_RELU || !sizes || sizes->dtype != mt_dtype_i64 ||
        ((uintptr_t)sizes->data & 7) || !weight || weight->ndim != 2 || !state || state->ndim != 2)
        return 0;
    *shape = (struct mt_recurrence){
        .mode = (enum mt_recurrent_mode)mode,
        .reverse = reverse,
        .steps = mt_size(sizes),
        .batch = state->shape[0],
        .n = state->shape[1],
        .sizes = IN(sizes),
    };
    int64_t last = shape->batch;
    for (int64_t i = 0; i < shape->steps; i++) {
        if (shape->sizes[i] < 1 || shape->sizes[i] > last)
            return 0;
        last = shape->sizes[i];
        shape->rows += last;
    }
    return shape->n > 0 && weight->shape[0] == mt_gates_width(shape) &&
           weight->shape[1] == shape->n;
}

int mt_array_recurrence(int mode, int reverse, uintptr_t sizes, uintptr_t gates, uintptr_t weight_,
                        uintptr_t bias, uintptr_t state_, uintptr_t memory, uintptr_t output,
                        uintptr_t before, uintptr_t kept, uintptr_t cells, uintptr_t cells_before) {
    const struct mt_ndarray *weight = mt_input(weight_), *state = mt_output(state_);
    struct mt_recurrence shape;
    if (!is_recurrence(mode, reverse, sizes, weight, state, &shape) ||
        weight->dtype != state->dtype || !gates || !output || !before ||
        (mode <= MT_GRU && !kept) || (mode == MT_LSTM && (!memory || !cells || !cells_before)))
        return -1;
    const void *dtype = state->dtype;
    const int64_t size = shape.rows * shape.n, width = mt_gates_width(&shape);
    int ok = 1;
    const void *x = part(gates, dtype, shape.rows * width, 0, &ok);
    const void *b = part(bias, dtype, width, 0, &ok);
    void *m = part(memory, dtype, shape.batch * shape.n, 1, &ok);
    void *y = part(output, dtype, size, 1, &ok), *past = part(before, dtype, size, 1, &ok);
    void *k = part(kept, dtype, 4 * size, 1, &ok), *c = part(cells, dtype, size, 1, &ok);
    void *d = part(cells_before, dtype, size, 1, &ok);
    return ok ? DISPATCH(dtype, mt_recurrence, &shape, x, IN(weight), b, OUT(state), m, y, past, k,
                         c, d)
              : -1;
}

int mt_array_recurrence_backward(int mode, int reverse, uintptr_t sizes, uintptr_t g,
                                 uintptr_t weight_, uintptr_t output, uintptr_t before,
                                 uintptr_t kept, uintptr_t cells, uintptr_t cells_before,
                                 uintptr_t state_, uintptr_t memory, uintptr_t by_input,
                                 uintptr_t by_product) {
    const struct mt_ndarray *weight = mt_input(weight_), *state = mt_output(state_);
    struct mt_recurrence shape;
    if (!is_recurrence(mode, reverse, sizes, weight, state, &shape) ||
        weight->dtype != state->dtype || !output || !before || !by_input || !by_product ||
        (mode <= MT_GRU && !kept) || (mode == MT_LSTM && (!memory || !cells || !cells_before)))
        return -1;
    const void *dtype = state->dtype;
    const int64_t size = shape.rows * shape.n, width = mt_gates_width(&shape);
    int ok = 1;
    const void *from = part(g, dtype, size, 0, &ok), *y = part(output, dtype, size, 0, &ok);
    const void *past = part(before, dtype, size, 0, &ok);
    const void *k = part(kept, dtype, 4 * size, 0, &ok), *c = part(cells, dtype, size, 0, &ok);
    const void *d = part(cells_before, dtype, size, 0, &ok);
    void *m = part(memory, dtype, shape.batch * shape.n, 1, &ok);
    void *x_to = part(by_input, dtype, shape.rows * width, 1, &ok);
    void *h_to = part(by_product, dtype, shape.rows * width, 1, &ok);
    return ok ? DISPATCH(dtype, mt_recurrence_backward, &shape, from, IN(weight), y, past, k, c, d,
                         OUT(state), m, x_to, h_to)
              : -1;
}

int mt_array_lstm_cell(uintptr_t x_, uintptr_t h, uintptr_t before, uintptr_t gates, uintptr_t cell,
                       uintptr_t y) {
    const struct mt_ndarray *x = mt_input(x_);
    if (!x || x->ndim != 2 || x->shape[1] % 4 || !h || !before || !gates || !cell || !y)
        return -1;
    const int64_t rows = x->shape[0], n = x->shape[1] / 4;
    int ok = 1;
    const void *hidden = part(h, x->dtype, 4 * rows * n, 0, &ok);
    const void *past = part(before, x->dtype, rows * n, 0, &ok);
    void *g = part(gates, x->dtype, 4 * rows * n, 1, &ok);
    void *c = part(cell, x->dtype, rows * n, 1, &ok), *to = part(y, x->dtype, rows * n, 1, &ok);
    return ok ? DISPATCH(x->dtype, mt_lstm_cell, rows, n, IN(x), hidden, past, g, c, to) : -1;
}

int mt_array_lstm_cell_backward(uintptr_t g_, uintptr_t gates, uintptr_t before, uintptr_t cell,
                                uintptr_t cell_gradient, uintptr_t out) {
    const struct mt_ndarray *g = mt_input(g_);
    if (!g || g->ndim != 2 || !gates || !before || !cell || !cell_gradient || !out)
        return -1;
    const int64_t rows = g->shape[0], n = g->shape[1];
    int ok = 1;
    const void *all = part(gates, g->dtype, 4 * rows * n, 0, &ok);
    const void *past = part(before, g->dtype, rows * n, 0, &ok);
    const void *c = part(cell, g->dtype, rows * n, 0, &ok);
    void *d = part(cell_gradient, g->dtype, rows * n, 1, &ok);
    void *to = part(out, g->dtype, 4 * rows * n, 1, &ok);
    return ok ? DISPATCH(g->dtype, mt_lstm_cell_backward, rows, n, IN(g), all, past, c, d, to) : -1;
}

int mt_array_gru_cell(uintptr_t x_, uintptr_t h, uintptr_t before, uintptr_t gates, uintptr_t y) {
    const struct mt_ndarray *x = mt_input(x_);
    if (!x || x->ndim != 2 || x->shape[1] % 3 || !h || !before || !gates || !y)
        return -1;
    const int64_t rows = x->shape[0], n = x->shape[1] / 3;
    int ok = 1;
    const void *hidden = part(h, x->dtype, 3 * rows * n, 0, &ok);
    const void *past = part(before, x->dtype, rows * n, 0, &ok);
    void *g = part(gates, x->dtype, 4 * rows * n, 1, &ok);
    void *to = part(y, x->dtype, rows * n, 1, &ok);
    return ok ? DISPATCH(x->dtype, mt_gru_cell, rows, n, IN(x), hidden, past, g, to) : -1;
}

int mt_array_gru_cell_backward(uintptr_t g_, uintptr_t gates, uintptr_t before, uintptr_t x_out,
                               uintptr_t h_out, uintptr_t direct) {
    const struct mt_ndarray *g = mt_input(g_);
    if (!g || g->ndim != 2 || !gates || !before || !x_out || !h_out || !direct)
        return -1;
    const int64_t rows = g->shape[0], n = g->shape[1];
    int ok = 1;
    const void *all = part(gates, g->dtype, 4 * rows * n, 0, &ok);
    const void *past = part(before, g->dtype, rows * n, 0, &ok);
    void *x_to = part(x_out, g->dtype, 3 * rows * n, 1, &ok);
    void *h_to = part(h_out, g->dtype, 3 * rows * n, 1, &ok);
    void *to = part(direct, g->dtype, rows * n, 1, &ok);
    return ok ? DISPATCH(g->dtype, mt_gru_cell_backward, rows, n, IN(g), all, past, x_to, h_to, to)
              : -1;
}

int64_t mt_array_embedding(uintptr_t weight_, uintptr_t index_, uintptr_t y_) {
    const struct mt_ndarray *weight = mt_input(weight_), *index = mt_input(index_);
    const struct mt_ndarray *y = mt_output(y_);
    if (!weight || weight->ndim != 2 || !index || index->dtype != mt_dtype_i64 ||
        (weight->dtype != mt_dtype_f32 && weight->dtype != mt_dtype_f64))
        return -2;
    const int64_t count = mt_size(index), columns = weight->shape[1];
    if (!has(y, weight->dtype, count * columns))
        return -2;
    return DISPATCH(weight->dtype, mt_embedding, weight->shape[0], columns, count, IN(index),
                    IN(weight), OUT(y));
}

int64_t mt_array_embedding_backward(int64_t padding, uintptr_t g_, uintptr_t index_,
                                    uintptr_t out_) {
    const struct mt_ndarray *g = mt_input(g_), *index = mt_input(index_), *out = mt_output(out_);
    if (!out || out->ndim != 2 || !index || index->dtype != mt_dtype_i64 ||
        (out->dtype != mt_dtype_f32 && out->dtype != mt_dtype_f64))
        return -2;
    const int64_t count = mt_size(index), columns = out->shape[1];
    if (!has(g, out->dtype, count * columns))
        return -2;
    return DISPATCH(out->dtype, mt_embedding_backward, out->shape[0], columns, count, padding,
                    IN(index), IN(g), OUT(out));
}
#include "ndarray_windows.inc"
