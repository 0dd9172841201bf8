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
