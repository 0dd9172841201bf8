/* The entries of ndarray.c for losses with kernels of their own: cross-entropy and ctc. */
#include "ndarray_entries.h"

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
