/* The entries of ndarray.c for layers: normalization, recurrent cells, embedding. */
#include "ndarray_entries.h"

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
