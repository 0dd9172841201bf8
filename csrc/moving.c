/* Copies and additions between arrays of any strides: parts, transposes, broadcasts. */
#include <string.h>

#include "microtensor.h"
#include "ndarray.h"

#define MT_MOST_AXES 32
#define MT_TILE 16

/* A dimension: how long, and how far apart its elements lie in x and in y, in bytes. */
struct axis {
    int64_t length;
    intptr_t x, y;
};

/* One line of elements, contiguous in both arrays where the steps say so, which the compiler sees; and
 * tiles, where x is contiguous along the axis before the last: neither array is left by the cache. */
#define MT_MOVE(name, type, combine)                                                               \
    static void name##_line(int64_t n, intptr_t dx, intptr_t dy, const char *x, char *y) {         \
        const intptr_t size = (intptr_t)sizeof(type);                                              \
        if (dx == size && dy == size) {                                                            \
            for (int64_t i = 0; i < n; i++)                                                        \
                ((type *)y)[i] = combine(((type *)y)[i], ((const type *)x)[i]);                    \
        } else if (dx == 0 && dy == size) {                                                        \
            const type value = *(const type *)x;                                                   \
            for (int64_t i = 0; i < n; i++)                                                        \
                ((type *)y)[i] = combine(((type *)y)[i], value);                                   \
        } else {                                                                                   \
            for (int64_t i = 0; i < n; i++)                                                        \
                *(type *)(y + i * dy) =                                                            \
                    combine(*(type *)(y + i * dy), *(const type *)(x + i * dx));                   \
        }                                                                                          \
    }                                                                                              \
    static void name##_tiles(const struct axis *a, const char *x, char *y) {                       \
        const struct axis *b = a + 1;                                                              \
        const intptr_t dx = b->x, dy = b->y, size = (intptr_t)sizeof(type);                        \
        for (int64_t left = 0; left < b->length; left += MT_TILE) {                                \
            const int64_t columns = b->length - left < MT_TILE ? b->length - left : MT_TILE;       \
            for (int64_t top = 0; top < a->length; top += MT_TILE) {                               \
                const int64_t rows = a->length - top < MT_TILE ? a->length - top : MT_TILE;        \
                for (int64_t i = top; i < top + rows; i++) {                                       \
                    const char *from = x + i * size + left * dx;                                   \
                    char *to = y + i * a->y + left * dy;                                           \
                    for (int64_t j = 0; j < columns; j++)                                          \
                        *(type *)(to + j * dy) =                                                   \
                            combine(*(type *)(to + j * dy), *(const type *)(from + j * dx));       \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void name(int count, const struct axis *a, const char *x, char *y) {                    \
        if (count == 0)                                                                            \
            name##_line(1, 0, 0, x, y);                                                            \
        else if (count == 1)                                                                       \
            name##_line(a->length, a->x, a->y, x, y);                                              \
        else if (count == 2 && a->x == (intptr_t)sizeof(type))                                     \
            name##_tiles(a, x, y);                                                                 \
        else                                                                                       \
            for (int64_t i = 0; i < a->length; i++)                                                \
                name(count - 1, a + 1, x + i * a->x, y + i * a->y);                                \
    }
#define MT_SECOND(a, b) (b)
#define MT_SUM(a, b) ((a) + (b))
MT_MOVE(copy_narrow, uint32_t, MT_SECOND)
MT_MOVE(copy_wide, uint64_t, MT_SECOND)
MT_MOVE(add_f32, float, MT_SUM)
MT_MOVE(add_f64, double, MT_SUM)
MT_MOVE(add_u64, uint64_t, MT_SUM)

/* Take x's shape, broadcast to y's, and both's strides; -1 if they do not fit. Dimensions of one
 * element are left out. */
static int read_axes(const struct mt_ndarray *x, const struct mt_ndarray *y, struct axis *axes) {
    const int missing = y->ndim - x->ndim;
    int count = 0;
    if (missing < 0)
        return -1;
    for (int i = 0; i < y->ndim; i++) {
        const int64_t n = y->shape[i], own = i < missing ? 1 : x->shape[i - missing];
        if (own != n && own != 1)
            return -1;
        if (n == 1)
            continue;
        if (count == MT_MOST_AXES || (n > 1 && y->strides[i] == 0))
            return -1;
        axes[count++] = (struct axis){n, own == 1 ? 0 : x->strides[i - missing], y->strides[i]};
    }
    return count;
}

static intptr_t magnitude(intptr_t step) { return step < 0 ? -step : step; }

/* Order the axes so that y's elements follow each other, join those that are one in both arrays, and
 * bring the one x is contiguous along next to the last. */
static int arranged(int count, struct axis *axes, intptr_t size) {
    for (int i = 1; i < count; i++)
        for (int j = i; j > 0 && magnitude(axes[j].y) > magnitude(axes[j - 1].y); j--) {
            const struct axis other = axes[j];
            axes[j] = axes[j - 1];
            axes[j - 1] = other;
        }
    int kept = 0;
    for (int i = 0; i < count; i++) {
        struct axis *last = axes + kept - 1;
        if (kept && last->x == axes[i].x * axes[i].length && last->y == axes[i].y * axes[i].length)
            *last = (struct axis){last->length * axes[i].length, axes[i].x, axes[i].y};
        else
            axes[kept++] = axes[i];
    }
    for (int i = 0; i < kept - 2; i++)
        if (axes[i].x == size && axes[kept - 1].x != size) {
            const struct axis found = axes[i];
            memmove(axes + i, axes + i + 1, (size_t)(kept - 2 - i) * sizeof *axes);
            axes[kept - 2] = found;
            break;
        }
    return kept;
}

/* The first byte and the one behind the last that axes reach, in x or in y. */
static void reach(int count, const struct axis *axes, int of_y, intptr_t size, const char *data,
                  uintptr_t *first, uintptr_t *end) {
    *first = (uintptr_t)data;
    *end = (uintptr_t)data + (uintptr_t)size;
    for (int i = 0; i < count; i++) {
        const intptr_t way = (of_y ? axes[i].y : axes[i].x) * (intptr_t)(axes[i].length - 1);
        if (way < 0)
            *first -= (uintptr_t)-way;
        else
            *end += (uintptr_t)way;
    }
}

int mt_array_move(int adds, uintptr_t x_, uintptr_t y_) {
    const struct mt_ndarray *x = (const struct mt_ndarray *)x_, *y = (const struct mt_ndarray *)y_;
    if (!x || !y || x->type != mt_ndarray_type || y->type != mt_ndarray_type ||
        x->dtype != y->dtype || !(y->flags & MT_FLAG_WRITEABLE))
        return -1;
    const void *dtype = x->dtype;
    const int narrow = dtype == mt_dtype_f32 || dtype == mt_dtype_u32;
    if (!narrow && dtype != mt_dtype_f64 && dtype != mt_dtype_i64 && dtype != mt_dtype_u64)
        return -1;
    const intptr_t size = narrow ? 4 : 8;
    struct axis axes[MT_MOST_AXES];
    int count = read_axes(x, y, axes);
    if (count < 0 || (adds && dtype == mt_dtype_u32))
        return -1;
    intptr_t steps = (intptr_t)x->data | (intptr_t)y->data;
    for (int i = 0; i < count; i++) {
        if (axes[i].length == 0)
            return 0;
        steps |= axes[i].x | axes[i].y;
    }
    if (steps & (size - 1)) /* not aligned */
        return -1;
    uintptr_t x_first, x_end, y_first, y_end;
    reach(count, axes, 0, size, x->data, &x_first, &x_end);
    reach(count, axes, 1, size, y->data, &y_first, &y_end);
    if (x_first < y_end && y_first < x_end) /* they may overlap */
        return -1;
    count = arranged(count, axes, size);
    if (!adds && (count == 0 || (count == 1 && axes->x == size && axes->y == size)))
        memcpy(y->data, x->data, (size_t)(count ? axes->length * size : size));
    else if (!adds)
        (narrow ? copy_narrow : copy_wide)(count, axes, x->data, y->data);
    else if (dtype == mt_dtype_f32)
        add_f32(count, axes, x->data, y->data);
    else
        (dtype == mt_dtype_f64 ? add_f64 : add_u64)(count, axes, x->data, y->data);
    return 0;
}
