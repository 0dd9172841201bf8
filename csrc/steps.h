/* What the optimizer rules do beside their elements, in double and once for both dtypes: which states
 * they need, and how their plain numbers and a group's memory go on. dispatch.c includes this. The
 * layouts of hyper stand at each rule in optimizers*.inc. */
#ifndef MT_STEPS_H
#define MT_STEPS_H

#include <math.h>
#include <stdint.h>

#include "kernels.h"

/* Which states (bit j for state j) a step with these hyper-parameters cannot do without; shape is
 * that of the parameter, NULL for rules to which it does not matter. */
static inline unsigned states_needed(int op, const double *hyper, const int64_t *shape) {
    switch (op) {
    case MT_STEP_sgd:
    case MT_STEP_lars:
        return hyper[1] != 0;
    case MT_STEP_asgd:
    case MT_STEP_adagrad:
    case MT_STEP_lion:
    case MT_STEP_schedule_free_sgd:
    case MT_STEP_average:
        return 1;
    case MT_STEP_rmsprop:
        return 1u | (unsigned)(hyper[4] != 0) << 1 | (unsigned)(hyper[5] != 0) << 2;
    case MT_STEP_adam:
        return 3u | (unsigned)(hyper[6] != 0) << 2;
    case MT_STEP_prodigy:
        return 15;
    case MT_STEP_adafactor: /* a vector keeps its variances, a matrix those of its rows and columns */
        return shape[1] < 0 ? 4 : 3;
    case MT_STEP_muon:
        return 31;
    default: /* two averages */
        return 3;
    }
}

/* Whether a rule's sums run over the whole group instead of each parameter by itself. */
static inline int sums_over_group(int op) { return op == MT_STEP_prodigy; }

static inline double larger_number(double a, double b) { return a > b ? a : b; }

/* Schedule-free: the warmed-up rate, and the share of this step in the average x. settings: lr,
 * warmup_steps, r, weight_lr_power; memory: k, lr_max, weight_sum, scheduled_lr, share. */
static inline void schedule_free_begin(double lr, const double *settings, double *memory) {
    memory[0] += 1;
    const double k = memory[0], rate = lr * (k < settings[0] ? k / settings[0] : 1);
    memory[1] = larger_number(memory[1], rate);
    const double weight = pow(k, settings[1]) * pow(memory[1], settings[2]);
    memory[2] += weight;
    memory[3] = rate;
    memory[4] = memory[2] != 0 ? weight / memory[2] : 0;
}

/* The group's memory at the start of a step. Returns whether there is a step to make. */
static inline int group_begin(int op, double *hyper) {
    switch (op) {
    case MT_STEP_schedule_free_sgd:
        schedule_free_begin(hyper[0], hyper + 3, hyper + 7);
        return 1;
    case MT_STEP_schedule_free_adamw:
        schedule_free_begin(hyper[0], hyper + 5, hyper + 9);
        return 1;
    case MT_STEP_prodigy: {
        double *memory = hyper + 13; /* k, d, d_max, d_numerator, dlr */
        const double t = memory[0] + 1;
        const double corrected = sqrt(1 - pow(hyper[2], t)) / (1 - pow(hyper[1], t));
        memory[4] = memory[1] * hyper[0] * (hyper[9] != 0 ? corrected : 1);
        return hyper[0] > 0;
    }
    default:
        return 1;
    }
}

/* The group's memory between the pass that sums and the one that moves. Returns whether to move. */
static inline int group_between(int op, double *hyper, const double *totals) {
    if (op != MT_STEP_prodigy)
        return 1;
    double *memory = hyper + 13;
    const double d0 = hyper[11], d = memory[1];
    memory[3] = hyper[3] * memory[3] + d / d0 * memory[4] * totals[0];
    if (totals[1] == 0) /* no gradient has been other than zero */
        return 0;
    const double estimate = hyper[7] * memory[3] / totals[1];
    const double start = d == d0 ? larger_number(d, estimate) : d;
    memory[2] = larger_number(memory[2], estimate);
    const double grown = start * hyper[8];
    memory[1] = memory[2] < grown ? memory[2] : grown;
    memory[0] += 1;
    return 1;
}

/* NAdam's momentum of a step. */
static inline double nadam_momentum(const double *hyper, double step) {
    return hyper[1] * (1 - 0.5 * pow(0.96, step * hyper[5]));
}

/* The plain numbers of one parameter after its step. */
static inline void numbers_advance(int op, const double *hyper, double *numbers) {
    numbers[0] += 1;
    const double step = numbers[0];
    if (op == MT_STEP_nadam)
        numbers[1] *= nadam_momentum(hyper, step);
    else if (op == MT_STEP_asgd) {
        numbers[1] = hyper[0] / pow(1 + hyper[1] * hyper[0] * step, hyper[2]);
        numbers[2] = 1 / larger_number(1, step - hyper[3]);
    }
}

#endif
