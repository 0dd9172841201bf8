/* The entries of ndarray.c over windows: convolutions, their columns, pooling. */
#include "ndarray_entries.h"

#include "windows.h"

enum { WINDOWS = 13 };

/* The shape of a convolution from its arrays' shapes and windows' numbers; y and weight may be missing. */
static int read_convolution(struct mt_convolution *c, const struct mt_ndarray *x,
                            const struct mt_ndarray *y, const struct mt_ndarray *weight,
                            uintptr_t windows_) {
    const struct mt_ndarray *windows = mt_input(windows_);
    if (!x || !has(windows, mt_dtype_i64, WINDOWS) || x->ndim != 5 || (y && y->ndim != 5) ||
        (weight && weight->ndim != 5))
        return 0;
    const int64_t *numbers = IN(windows);
    const int64_t groups = numbers[0];
    if (groups < 1 || x->shape[1] % groups)
        return 0;
    *c = (struct mt_convolution){
        .samples = x->shape[0], .groups = groups, .channels = x->shape[1] / groups};
    for (int d = 0; d < 3; d++) {
        c->in[d] = x->shape[2 + d];
        c->kernel[d] = numbers[1 + d];
        c->stride[d] = numbers[4 + d];
        c->before[d] = numbers[7 + d];
        c->dilation[d] = numbers[10 + d];
        if (c->kernel[d] < 1 || c->stride[d] < 1 || c->dilation[d] < 1)
            return 0;
        if (y)
            c->out[d] = y->shape[2 + d];
        if (weight && weight->shape[2 + d] != c->kernel[d])
            return 0;
    }
    if (!weight || !y)
        return 1;
    c->outputs = weight->shape[0] / groups;
    return x->dtype == y->dtype && x->dtype == weight->dtype && weight->shape[0] % groups == 0 &&
           weight->shape[1] == c->channels && y->shape[0] == c->samples &&
           y->shape[1] == weight->shape[0];
}

int mt_array_convolution(uintptr_t x_, uintptr_t weight_, uintptr_t bias_, uintptr_t windows,
                         uintptr_t y_) {
    const struct mt_ndarray *x = mt_input(x_), *weight = mt_input(weight_), *y = mt_output(y_);
    const struct mt_ndarray *bias = mt_input(bias_);
    struct mt_convolution c;
    if (!weight || !y || !read_convolution(&c, x, y, weight, windows) ||
        (bias_ && !has(bias, x->dtype, weight->shape[0])))
        return -1;
    return DISPATCH(x->dtype, mt_convolution, &c, IN(x), IN(weight), bias ? IN(bias) : NULL,
                    OUT(y));
}

int mt_array_convolution_input(uintptr_t y_, uintptr_t weight_, uintptr_t bias_, uintptr_t windows,
                               uintptr_t x_) {
    const struct mt_ndarray *y = mt_input(y_), *weight = mt_input(weight_), *x = mt_output(x_);
    const struct mt_ndarray *bias = mt_input(bias_);
    struct mt_convolution c;
    if (!weight || !y || !read_convolution(&c, x, y, weight, windows) ||
        (bias_ && !has(bias, x->dtype, x->shape[1])))
        return -1;
    return DISPATCH(x->dtype, mt_convolution_input, &c, IN(y), IN(weight), bias ? IN(bias) : NULL,
                    OUT(x));
}

int mt_array_convolution_weight(uintptr_t y_, uintptr_t x_, uintptr_t windows, uintptr_t weight_) {
    const struct mt_ndarray *x = mt_input(x_), *y = mt_input(y_), *weight = mt_output(weight_);
    struct mt_convolution c;
    if (!weight || !y || !read_convolution(&c, x, y, weight, windows))
        return -1;
    return DISPATCH(x->dtype, mt_convolution_weight, &c, IN(y), IN(x), OUT(weight));
}

static int read_columns(struct mt_convolution *c, const struct mt_ndarray *x,
                        const struct mt_ndarray *columns, uintptr_t windows) {
    if (!columns || !read_convolution(c, x, NULL, NULL, windows) || columns->ndim != 5 ||
        c->groups != 1 || columns->dtype != x->dtype || columns->shape[0] != c->samples ||
        columns->shape[1] != mt_column_height(c))
        return 0;
    for (int d = 0; d < 3; d++)
        c->out[d] = columns->shape[2 + d];
    return 1;
}

int mt_array_unfold(uintptr_t x_, uintptr_t windows, uintptr_t columns_) {
    const struct mt_ndarray *x = mt_input(x_), *columns = mt_output(columns_);
    struct mt_convolution c;
    return read_columns(&c, x, columns, windows)
               ? DISPATCH(x->dtype, mt_unfold, &c, IN(x), OUT(columns))
               : -1;
}

int mt_array_fold(uintptr_t columns_, uintptr_t windows, uintptr_t x_) {
    const struct mt_ndarray *x = mt_output(x_), *columns = mt_input(columns_);
    struct mt_convolution c;
    return read_columns(&c, x, columns, windows)
               ? DISPATCH(x->dtype, mt_fold, &c, IN(columns), OUT(x))
               : -1;
}

/* Windows over x whose outputs are y; every window is looked at, since C would read wherever it says. */
static int read_pool(struct mt_pool *c, const struct mt_ndarray *x, const struct mt_ndarray *y,
                     uintptr_t windows_) {
    const struct mt_ndarray *windows = mt_input(windows_);
    if (!x || !y || x->ndim != 4 || y->ndim != 4 || x->dtype != y->dtype ||
        x->shape[0] != y->shape[0])
        return 0;
    const int64_t total = y->shape[1] + y->shape[2] + y->shape[3];
    if (!has(windows, mt_dtype_i64, 3 * total))
        return 0;
    const int64_t *numbers = IN(windows);
    for (int d = 0; d < 3; d++) {
        c->in[d] = x->shape[1 + d];
        c->out[d] = y->shape[1 + d];
        c->dilation[d] = 1;
        c->first[d] = numbers;
        c->last[d] = numbers + total;
        c->divisor[d] = numbers + 2 * total;
        for (int64_t i = 0; i < c->out[d]; i++)
            if (numbers[i] < 0 || numbers[total + i] > c->in[d] || numbers[i] >= c->in[d])
                return 0;
        numbers += c->out[d];
    }
    return 1;
}

int mt_array_max_windows(int64_t dilation0, int64_t dilation1, int64_t dilation2, uintptr_t x_,
                         uintptr_t windows, uintptr_t values_, uintptr_t indices_) {
    const struct mt_ndarray *x = mt_input(x_), *values = mt_output(values_);
    const struct mt_ndarray *indices = mt_output(indices_);
    struct mt_pool c = {0};
    if (!read_pool(&c, x, values, windows) || !has(indices, mt_dtype_i64, mt_size(values)) ||
        dilation0 < 1 || dilation1 < 1 || dilation2 < 1)
        return -1;
    c.dilation[0] = dilation0;
    c.dilation[1] = dilation1;
    c.dilation[2] = dilation2;
    mt_find_regular(&c);
    return DISPATCH(x->dtype, mt_max_windows, x->shape[0], &c, IN(x), OUT(values), OUT(indices));
}

int mt_array_average_windows(uintptr_t x_, uintptr_t windows, uintptr_t y_) {
    const struct mt_ndarray *x = mt_input(x_), *y = mt_output(y_);
    struct mt_pool c = {0};
    if (!read_pool(&c, x, y, windows))
        return -1;
    mt_find_regular(&c);
    return DISPATCH(x->dtype, mt_average_windows, x->shape[0], &c, IN(x), OUT(y));
}

int mt_array_spread_windows(uintptr_t g_, uintptr_t windows, uintptr_t x_) {
    const struct mt_ndarray *g = mt_input(g_), *x = mt_output(x_);
    struct mt_pool c = {0};
    if (!read_pool(&c, x, g, windows))
        return -1;
    mt_find_regular(&c);
    return DISPATCH(x->dtype, mt_spread_windows, x->shape[0], &c, IN(g), OUT(x));
}

int mt_array_place(int adds, uintptr_t x_, uintptr_t indices_, uintptr_t y_) {
    const struct mt_ndarray *x = mt_input(x_), *indices = mt_input(indices_), *y = mt_output(y_);
    if (!x || !y || x->ndim != 2 || y->ndim != 2 || x->shape[0] != y->shape[0] ||
        x->dtype != y->dtype || !has(indices, mt_dtype_i64, mt_size(x)))
        return -1;
    return DISPATCH(x->dtype, mt_place, x->shape[0], x->shape[1], y->shape[1], adds, IN(x),
                    IN(indices), OUT(y));
}

int mt_array_pick(uintptr_t x_, uintptr_t indices_, uintptr_t y_) {
    const struct mt_ndarray *x = mt_input(x_), *indices = mt_input(indices_), *y = mt_output(y_);
    if (!x || !y || x->ndim != 2 || y->ndim != 2 || x->shape[0] != y->shape[0] ||
        x->dtype != y->dtype || !has(indices, mt_dtype_i64, mt_size(y)))
        return -1;
    return DISPATCH(x->dtype, mt_pick, x->shape[0], y->shape[1], x->shape[1], IN(x), IN(indices),
                    OUT(y));
}
