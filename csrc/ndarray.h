/* NumPy's arrays as C sees them: the head of the object, whose layout NumPy promises to keep
 * (PyArrayObject_fields in its ndarraytypes.h). Handing over the object itself costs a fifth of what a
 * buffer per array costs, and lets all checks stand in one place, here. Python proves at import that the
 * layout is this one (mt_ndarray_reads) before it relies on it. */
#ifndef MT_NDARRAY_H
#define MT_NDARRAY_H

#include <stddef.h>
#include <stdint.h>

struct mt_ndarray {
    intptr_t reference_count;
    const void *type;
    char *data;
    int ndim;
    const intptr_t *shape, *strides; /* strides in bytes */
    const void *base;
    const void *dtype;
    int flags;
};

#define MT_FLAG_C_CONTIGUOUS 0x0001
#define MT_FLAG_F_CONTIGUOUS 0x0002
#define MT_FLAG_WRITEABLE 0x0400

/* The objects that arrays are compared with; NULL until Python has named them. */
extern const void *mt_ndarray_type;
extern const void *mt_dtype_f32, *mt_dtype_f64, *mt_dtype_i64, *mt_dtype_u64, *mt_dtype_u32;

static inline int64_t mt_size(const struct mt_ndarray *array) {
    int64_t size = 1;
    for (int i = 0; i < array->ndim; i++)
        size *= array->shape[i];
    return size;
}

/* The array behind an object's address, or NULL if it is none (NumPy's scalars and subclasses are
 * none) or has gaps. */
static inline const struct mt_ndarray *mt_input(uintptr_t object) {
    const struct mt_ndarray *array = (const struct mt_ndarray *)object;
    return array && array->type == mt_ndarray_type && array->flags & MT_FLAG_C_CONTIGUOUS ? array
                                                                                          : NULL;
}

/* The same for an array that will be written to. */
static inline const struct mt_ndarray *mt_output(uintptr_t object) {
    const struct mt_ndarray *array = mt_input(object);
    return array && array->flags & MT_FLAG_WRITEABLE ? array : NULL;
}

#endif
