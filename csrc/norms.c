/* Norms of gradients, and clipping by them; and the small steps of batch normalization. What is added up
 * is added in double precision, in lanes, so that the compiler can take several at a time. */
#include <math.h>
#include <string.h>

#include "microtensor.h"
#include "ndarray.h"

#define MT_LANES 16

static int is_real(const struct mt_ndarray *array) {
    return array->dtype == mt_dtype_f32 || array->dtype == mt_dtype_f64;
}

/* Σ |x · factor|^order, or the largest |x|, NaN if there is one, for an order of infinity. */
#define MT_NORM(name, type)                                                                        \
    static double name(double order, double factor, int64_t n, const type *x) {                    \
        double lanes[MT_LANES] = {0}, total = 0;                                                   \
        int64_t i = 0;                                                                             \
        if (order == 2) {                                                                          \
            for (; i + MT_LANES <= n; i += MT_LANES)                                               \
                for (int j = 0; j < MT_LANES; j++) {                                               \
                    const double value = (double)x[i + j] * factor;                                \
                    lanes[j] += value * value;                                                     \
                }                                                                                  \
        } else if (order == 1) {                                                                   \
            for (; i + MT_LANES <= n; i += MT_LANES)                                               \
                for (int j = 0; j < MT_LANES; j++)                                                 \
                    lanes[j] += fabs((double)x[i + j] * factor);                                   \
        }                                                                                          \
        for (int j = 0; j < MT_LANES; j++)                                                         \
            total += lanes[j];                                                                     \
        for (; i < n; i++) {                                                                       \
            const double value = fabs((double)x[i] * factor);                                      \
            if (isinf(order))                                                                      \
                total = isnan(total) ? total : value <= total ? total : value;                     \
            else if (order == 0)                                                                   \
                total += value != 0;                                                               \
            else                                                                                   \
                total += order == 2 ? value * value : order == 1 ? value : pow(value, order);      \
        }                                                                                          \
        return total;                                                                              \
    }
MT_NORM(powers_f32, float)
MT_NORM(powers_f64, double)

static double powers(double order, double factor, const struct mt_ndarray *x) {
    const int64_t n = mt_size(x);
    return x->dtype == mt_dtype_f32 ? powers_f32(order, factor, n, (const float *)x->data)
                                    : powers_f64(order, factor, n, (const double *)x->data);
}

/* norms[place] = the norm of x. Where the powers leave the range of double precision, x is measured by its
 * largest element first. */
int mt_array_norm(double order, int64_t place, uintptr_t x_, uintptr_t norms_) {
    const struct mt_ndarray *x = mt_input(x_), *norms = mt_output(norms_);
    if (!x || !norms || !is_real(x) || !is_real(norms) || place < 0 || place >= mt_size(norms) ||
        !(order >= 0))
        return -1;
    double total = powers(order, 1, x);
    if (order > 0 && !isinf(order)) {
        double unit = 1;
        if (!isnan(total) && (total > 1e290 || total < 1e-290)) {
            const double largest = powers(INFINITY, 1, x);
            if (largest > 0 && largest >= 1e-300 && !isinf(largest)) {
                unit = largest;
                total = powers(order, 1 / largest, x);
            }
        }
        total = unit * (order == 2 ? sqrt(total) : order == 1 ? total : pow(total, 1 / order));
    }
    if (norms->dtype == mt_dtype_f32)
        ((float *)norms->data)[place] = (float)total;
    else
        ((double *)norms->data)[place] = total;
    return 0;
}

/* x *= maximum / (norm + 1e-6), if that is less than 1, or NaN. */
int mt_array_shrink(double maximum, uintptr_t norm_, uintptr_t x_) {
    const struct mt_ndarray *norm = mt_input(norm_), *x = mt_output(x_);
    if (!norm || !x || !is_real(norm) || !is_real(x) || mt_size(norm) != 1)
        return -1;
    const double length = norm->dtype == mt_dtype_f32 ? (double)*(const float *)norm->data
                                                      : *(const double *)norm->data;
    const double factor = maximum / (length + 1e-6);
    const int64_t n = mt_size(x);
    if (factor >= 1)
        return 0;
    if (x->dtype == mt_dtype_f32)
        for (int64_t i = 0; i < n; i++)
            ((float *)x->data)[i] *= (float)factor;
    else
        for (int64_t i = 0; i < n; i++)
            ((double *)x->data)[i] *= factor;
    return 0;
}

/* x = its elements, each brought into [low, high]; NaN stays. */
int mt_array_clamp(double low, double high, uintptr_t x_) {
    const struct mt_ndarray *x = mt_output(x_);
    if (!x || !is_real(x))
        return -1;
    const int64_t n = mt_size(x);
#define MT_CLAMP(type)                                                                             \
    for (int64_t i = 0; i < n; i++) {                                                              \
        type value = ((type *)x->data)[i];                                                         \
        value = value < (type)low ? (type)low : value;                                             \
        ((type *)x->data)[i] = value > (type)high ? (type)high : value;                            \
    }
    if (x->dtype == mt_dtype_f32)
        MT_CLAMP(float)
    else
        MT_CLAMP(double)
    return 0;
}

/* out = 1 / √(x + eps), computed in double precision. */
int mt_array_inverse_root(double eps, uintptr_t x_, uintptr_t out_) {
    const struct mt_ndarray *x = mt_input(x_), *out = mt_output(out_);
    if (!x || !out || !is_real(x) || x->dtype != out->dtype || mt_size(x) != mt_size(out))
        return -1;
    const int64_t n = mt_size(x);
    if (x->dtype == mt_dtype_f32)
        for (int64_t i = 0; i < n; i++)
            ((float *)out->data)[i] = (float)(1 / sqrt((double)((const float *)x->data)[i] + eps));
    else
        for (int64_t i = 0; i < n; i++)
            ((double *)out->data)[i] = 1 / sqrt(((const double *)x->data)[i] + eps);
    return 0;
}

/* Move running statistics by `momentum` towards a batch's, or, with an array `tracked` that counts the
 * batches, by one over their number. */
int mt_array_running_update(double correction, double momentum, uintptr_t tracked_, uintptr_t mean_,
                            uintptr_t variance_, uintptr_t running_mean_, uintptr_t running_var_) {
    const struct mt_ndarray *given[] = {mt_input(mean_), mt_input(variance_),
                                        mt_output(running_mean_), mt_output(running_var_)};
    double share = momentum;
    for (int i = 0; i < 4; i++)
        if (!given[i] || !is_real(given[i]) || given[i]->dtype != given[0]->dtype ||
            mt_size(given[i]) != mt_size(given[0]))
            return -1;
    if (tracked_) {
        const struct mt_ndarray *tracked = mt_input(tracked_);
        if (!tracked || tracked->dtype != mt_dtype_i64 || mt_size(tracked) != 1)
            return -1;
        share = 1 / (double)*(const int64_t *)tracked->data;
    }
    const int64_t n = mt_size(given[0]);
#define MT_UPDATE(type)                                                                            \
    {                                                                                              \
        const type *mean = (const type *)given[0]->data, *variance = (const type *)given[1]->data; \
        type *to_mean = (type *)given[2]->data, *to_var = (type *)given[3]->data;                  \
        const type stays = (type)(1 - share), comes = (type)share, factor = (type)correction;      \
        for (int64_t i = 0; i < n; i++) {                                                          \
            to_mean[i] = stays * to_mean[i] + comes * mean[i];                                     \
            to_var[i] = stays * to_var[i] + comes * (factor * variance[i]);                        \
        }                                                                                          \
    }
    if (given[0]->dtype == mt_dtype_f32)
        MT_UPDATE(float)
    else
        MT_UPDATE(double)
    return 0;
}
