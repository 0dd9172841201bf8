/* How windows lie over an input: what convolutions, and unfolding for itself, are told. */
#ifndef MT_WINDOWS_H
#define MT_WINDOWS_H

#include <stdint.h>

enum mt_convolution_form { MT_CONVOLUTION, MT_CONVOLUTION_INPUT, MT_CONVOLUTION_WEIGHT };

/* x (samples, groups * channels, in...), y (samples, groups * outputs, out...) and
 * weight (groups * outputs, channels, kernel...). Output i of a dimension sees the inputs
 * i * stride - before + k * dilation; what lies outside of x is 0, so `out` alone says how far windows go. */
struct mt_convolution {
    int64_t samples, groups, channels, outputs;
    int64_t in[3], out[3], kernel[3], stride[3], before[3], dilation[3];
    int64_t block_samples, block_rows; /* whose columns are made at once, see mt_choose_blocks */
};

static inline int64_t mt_column_height(const struct mt_convolution *c) {
    return c->channels * c->kernel[0] * c->kernel[1] * c->kernel[2];
}

/* Whether every window is one element, and they follow each other: x is its own columns. */
static inline int mt_columns_are_input(const struct mt_convolution *c) {
    int plain = 1;
    for (int d = 0; d < 3; d++)
        plain &=
            c->kernel[d] == 1 && c->stride[d] == 1 && c->before[d] == 0 && c->in[d] == c->out[d];
    return plain;
}

/* Whether there is too little to multiply for a matrix product. */
static inline int mt_is_direct(const struct mt_convolution *c) {
    return c->channels == 1 && c->outputs <= 2 && c->out[2] >= 4 && !mt_columns_are_input(c);
}

/* Groups of one channel in at most two dimensions, plane by plane (convolution_planes.inc). */
#define MT_PLANE_TAPS 128
#define MT_PLANE_SLACK 128 /* elements that are read and written beyond an end, for whole vectors */

/* One phase of a padded plane, of `plane` elements; all phases together; the outputs counted along its rows. */
struct mt_planes {
    int64_t height, width, plane, size, count;
};

static inline struct mt_planes mt_planes_of(const struct mt_convolution *c) {
    struct mt_planes p;
    p.height = c->out[1] + c->dilation[1] * (c->kernel[1] - 1) / c->stride[1];
    p.width = c->out[2] + c->dilation[2] * (c->kernel[2] - 1) / c->stride[2];
    p.plane = p.height * p.width;
    p.size = p.plane * c->stride[1] * c->stride[2];
    p.count = (c->out[1] - 1) * p.width + c->out[2];
    return p;
}

/* Whether a plane and most of what is computed are worth it: few outputs are left behind. */
static inline int mt_takes_planes(const struct mt_convolution *c) {
    const struct mt_planes p = mt_planes_of(c);
    return c->channels == 1 && c->outputs <= 2 && c->in[0] == 1 && c->out[0] == 1 &&
           c->kernel[0] == 1 && c->before[0] == 0 && c->kernel[1] * c->kernel[2] <= MT_PLANE_TAPS &&
           !mt_columns_are_input(c) && p.width <= 2 * c->out[2] && p.size <= 65536;
}

static inline int64_t mt_planes_work(const struct mt_convolution *c, int64_t size) {
    const struct mt_planes p = mt_planes_of(c);
    return c->kernel[1] * c->kernel[2] * (8 / size + 1) + p.size + p.count + 2 * MT_PLANE_SLACK;
}

/* Choose blocks whose columns have about `room` elements: some rows of y, or some small samples. */
static inline void mt_choose_blocks(struct mt_convolution *c, int64_t room) {
    const int64_t rows = c->out[0] * c->out[1], sample = rows * c->out[2];
    const int64_t fit = room / mt_column_height(c), enough = 512 / sample;
    c->block_samples = 1;
    c->block_rows = rows;
    if (mt_columns_are_input(c))
        return;
    if (fit < sample)
        c->block_rows = fit > c->out[2] ? fit / c->out[2] : 1;
    else if (enough > 1)
        c->block_samples = fit / sample < enough ? fit / sample : enough;
}

/* A tile of a convolution: so many outputs at most, and bytes of positions of each, no more than these. */
#define MT_TILE_ROWS 8
#define MT_TILE_BYTES_LIMIT 128

/* The convolution that is another one's gradient by its input, of the kernel turned round: the outputs are
 * what it sees, and before them are as many zeros as a window reaches beyond. Of strides of 1. */
static inline struct mt_convolution mt_turned(const struct mt_convolution *c) {
    struct mt_convolution turned = *c;
    turned.channels = c->outputs;
    turned.outputs = c->channels;
    for (int d = 0; d < 3; d++) {
        turned.in[d] = c->out[d];
        turned.out[d] = c->in[d];
        turned.before[d] = c->dilation[d] * (c->kernel[d] - 1) - c->before[d];
    }
    return turned;
}

/* Whether the gradient by the input is a convolution of planes itself: of strides of 1. */
static inline int mt_plane_is_turned(const struct mt_convolution *c) {
    const struct mt_convolution turned = mt_turned(c);
    return c->stride[1] == 1 && c->stride[2] == 1 && c->outputs == 1 && mt_takes_planes(c) &&
           mt_takes_planes(&turned);
}

/* What windows see of each dimension, zeros included, with strides of 1. */
static inline void mt_padded_extent(const struct mt_convolution *c, int64_t *extent) {
    for (int d = 0; d < 3; d++)
        extent[d] = c->out[d] + c->dilation[d] * (c->kernel[d] - 1);
}

/* Whether to sum up tiles (convolution_tiles.inc): windows follow each other, most numbers along padded
 * rows are outputs, and what a group sees of a sample fits into a cache. */
static inline int mt_takes_tiles(const struct mt_convolution *c) {
    int64_t extent[3];
    mt_padded_extent(c, extent);
    return c->stride[0] == 1 && c->stride[1] == 1 && c->stride[2] == 1 &&
           !mt_columns_are_input(c) && 2 * extent[2] <= 3 * c->out[2] &&
           mt_column_height(c) <= 4096 && c->channels * extent[0] * extent[1] * extent[2] <= 262144;
}

/* Elements of memory, of `size` bytes each, that convolution_tiled works in. */
static inline int64_t mt_tiles_work(const struct mt_convolution *c, int64_t size) {
    int64_t extent[3];
    mt_padded_extent(c, extent);
    const int64_t taps = mt_column_height(c), slack = MT_TILE_BYTES_LIMIT / size;
    return taps * (8 / size) + c->groups * (c->outputs + MT_TILE_ROWS) * taps +
           c->channels * extent[0] * extent[1] * extent[2] + slack +
           MT_TILE_ROWS * (c->out[1] * extent[2] + slack);
}

/* The samples that are laid in one row for the weight's gradient: so many that it is long. */
static inline int64_t mt_tile_samples(const struct mt_convolution *c) {
    int64_t extent[3];
    mt_padded_extent(c, extent);
    const int64_t plane = extent[0] * extent[1] * extent[2];
    const int64_t fit = 131072 / (plane * (c->channels + c->outputs)), enough = 2048 / plane;
    const int64_t many = enough < fit ? enough : fit;
    return many < 1 ? 1 : many < c->samples ? many : c->samples;
}

/* Whether the weight's gradient is better made so: few numbers in a row are zeros between outputs. */
static inline int mt_weight_takes_tiles(const struct mt_convolution *c) {
    int64_t extent[3];
    mt_padded_extent(c, extent);
    const int64_t plane = extent[0] * extent[1] * extent[2];
    const int64_t outputs = c->out[0] * c->out[1] * c->out[2];
    return c->stride[0] == 1 && c->stride[1] == 1 && c->stride[2] == 1 &&
           !mt_columns_are_input(c) && 10 * plane <= (mt_is_direct(c) ? 20 : 14) * outputs &&
           mt_column_height(c) <= 4096 && plane * (c->channels + c->outputs) <= 262144;
}

static inline int64_t mt_weight_tiles_work(const struct mt_convolution *c, int64_t size) {
    int64_t extent[3];
    mt_padded_extent(c, extent);
    const int64_t slack = MT_TILE_BYTES_LIMIT / size;
    const int64_t row = mt_tile_samples(c) * extent[0] * extent[1] * extent[2];
    return mt_column_height(c) * (8 / size) + c->channels * row + slack +
           (c->outputs + MT_TILE_ROWS) * (row + slack);
}

/* Windows of pooling, of any lengths: output i of a dimension sees the inputs first[i], first[i] +
 * dilation, ... before last[i], all inside of x; an average divides by the product of the divisors. Of the
 * last dimension outputs [from, to) are regular: `taps` inputs each, and starts `stride` apart. */
struct mt_pool {
    int64_t in[3], out[3], dilation[3];
    const int64_t *first[3], *last[3], *divisor[3];
    int64_t from, to, taps, stride;
};

static inline int64_t mt_plane_in(const struct mt_pool *c) {
    return c->in[0] * c->in[1] * c->in[2];
}
static inline int64_t mt_plane_out(const struct mt_pool *c) {
    return c->out[0] * c->out[1] * c->out[2];
}

/* Find the regular windows: those like the one in the middle, on both sides of it. */
static inline void mt_find_regular(struct mt_pool *c) {
    const int64_t *first = c->first[2], *last = c->last[2], n = c->out[2], middle = n / 2;
    if (n == 0)
        return;
    const int64_t length = last[middle] - first[middle];
    c->stride = middle + 1 < n ? first[middle + 1] - first[middle] : 1;
    c->taps = length > 0 ? (length + c->dilation[2] - 1) / c->dilation[2] : 0;
    c->from = middle;
    c->to = middle + 1;
    while (c->to < n && last[c->to] - first[c->to] == length &&
           first[c->to] - first[c->to - 1] == c->stride)
        c->to++;
    while (c->from > 0 && last[c->from - 1] - first[c->from - 1] == length &&
           first[c->from] - first[c->from - 1] == c->stride)
        c->from--;
}

#endif
