/* What a captured plan calls (plan.inc): entries that take their arguments out of 64-bit words. */
#ifndef MT_PLAN_H
#define MT_PLAN_H

#include <stdint.h>
#include <string.h>
#include <time.h>

struct mt_plan_entry {
    const char *name;
    int64_t (*call)(const int64_t *words);
};

/* The double whose bits a word holds. */
static inline double mt_plan_real(int64_t word) {
    double real;
    memcpy(&real, &word, sizeof real);
    return real;
}

#endif
