/* The entries of ndarray.c that multiply matrices: matmul, linear, attention. */
#include "ndarray_entries.h"

#include <string.h>

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
