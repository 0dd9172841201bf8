/* What the entries that take arrays as NumPy's objects share, of whatever subject (ndarray*.c). */
#ifndef MT_NDARRAY_ENTRIES_H
#define MT_NDARRAY_ENTRIES_H

#include <stddef.h>
#include <stdint.h>

#include "microtensor.h"
#include "ndarray.h"

/* Call `entry`_f32 or _f64, as the dtype says, with `...`; -1 for any other dtype. Inside the arguments
 * IN(a) and OUT(a) are the data of arrays. */
#define IN(array) ((const void *)(array)->data)
#define OUT(array) ((void *)(array)->data)
#define DISPATCH(dtype_, entry, ...)                                                               \
    ((dtype_) == mt_dtype_f32   ? entry##_f32(__VA_ARGS__)                                         \
     : (dtype_) == mt_dtype_f64 ? entry##_f64(__VA_ARGS__)                                         \
                                : -1)

/* Whether an array has the dtype and so many elements. */
static inline int has(const struct mt_ndarray *array, const void *dtype, int64_t size) {
    return array && array->dtype == dtype && mt_size(array) == size;
}

/* Whether two arrays have the same shape and dtype. */
static inline int same_shape(const struct mt_ndarray *a, const struct mt_ndarray *b) {
    int same = a->ndim == b->ndim && a->dtype == b->dtype;
    for (int i = 0; same && i < a->ndim; i++)
        same = a->shape[i] == b->shape[i];
    return same;
}

#endif
