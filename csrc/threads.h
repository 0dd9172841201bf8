/* The kernels' own thread pool. */
#ifndef MT_THREADS_H
#define MT_THREADS_H

#include <stdint.h>

/* Call task(context, i) for each i in [0, tasks), in any order and possibly side by side; returns when
 * all are done. What a task does must depend on i alone, so that results are the same for any number of
 * threads. */
void mt_parallel(int64_t tasks, void (*task)(void *context, int64_t i), void *context);

#endif
