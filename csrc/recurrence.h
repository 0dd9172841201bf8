/* A recurrent layer over all its steps. */
#ifndef MT_RECURRENCE_H
#define MT_RECURRENCE_H

#include <stdint.h>

enum mt_recurrent_mode { MT_LSTM, MT_GRU, MT_RNN_TANH, MT_RNN_RELU };

/* Layers of n units over packed sequences: sizes[t] of `batch` have a step t, `rows` of all steps together. */
struct mt_recurrence {
    enum mt_recurrent_mode mode;
    int reverse;
    int64_t steps, batch, rows, n;
    const int64_t *sizes;
};

/* The numbers of a row of all gates together. */
static inline int64_t mt_gates_width(const struct mt_recurrence *c) {
    return (c->mode == MT_LSTM ? 4 : c->mode == MT_GRU ? 3 : 1) * c->n;
}

/* Sequences that a task takes through all steps; a multiple of the strips of a product. */
#define MT_SEQUENCES 16

#endif
