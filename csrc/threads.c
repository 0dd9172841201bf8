/* A small pool of threads. The calling thread works too; helpers spin for a short while after a job,
 * since the next kernel usually follows at once, and then sleep until woken.
 *
 * Why not OpenMP: libgomp's threads spin beside those of BLAS and both slow to a crawl, and it hangs in
 * forked children. Here a fork leaves the child with no helpers, and the next job starts new ones. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include "threads.h"
#include "microtensor.h"

#if defined(MT_NO_THREADS)

int mt_threads_get(void) { return 1; }
int mt_threads_set(int threads) { return threads == 1 ? 0 : -1; }
int mt_threads_maximum(void) { return 1; }

void mt_parallel(int64_t tasks, void (*task)(void *, int64_t), void *context) {
    for (int64_t i = 0; i < tasks; i++)
        task(context, i);
}

#else

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define MT_THREADS_LIMIT 256
/* Looks at the job counter before sleeping: some tens of microseconds. */
#define MT_SPINS 2000

static struct {
    pthread_mutex_t region; /* held by the one caller whose job runs */
    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t wake;
    int size;    /* threads, the caller among them */
    int started; /* helpers running */
    int sleeping;
    int stopping;
    int open; /* whether helpers may still join the job */
    pthread_t threads[MT_THREADS_LIMIT];

    atomic_uint job;   /* changes with each job */
    atomic_int inside; /* helpers at work on it */
    _Atomic int64_t next;
    int64_t tasks;
    void (*task)(void *context, int64_t i);
    void *context;
} pool = {
    .region = PTHREAD_MUTEX_INITIALIZER,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
    .size = 1,
};

static inline void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static void work(void) {
    for (;;) {
        int64_t i = atomic_fetch_add_explicit(&pool.next, 1, memory_order_relaxed);
        if (i >= pool.tasks)
            return;
        pool.task(pool.context, i);
    }
}

static void *helper(void *unused) {
    (void)unused;
    unsigned seen = 0;
    for (;;) {
        for (int spin = 0; spin < MT_SPINS && atomic_load(&pool.job) == seen; spin++)
            pause_briefly();
        pthread_mutex_lock(&pool.lock);
        while (!pool.stopping && atomic_load(&pool.job) == seen) {
            pool.sleeping++;
            pthread_cond_wait(&pool.wake, &pool.lock);
            pool.sleeping--;
        }
        if (pool.stopping) {
            pthread_mutex_unlock(&pool.lock);
            return NULL;
        }
        seen = atomic_load(&pool.job);
        /* Too late for this job: spin for the next one, which is likely to be near. */
        const int joins = pool.open;
        if (joins)
            atomic_fetch_add(&pool.inside, 1);
        pthread_mutex_unlock(&pool.lock);
        if (joins) {
            work();
            atomic_fetch_sub_explicit(&pool.inside, 1, memory_order_release);
        }
    }
}

static void before_fork(void) {
    pthread_mutex_lock(&pool.region);
    pthread_mutex_lock(&pool.lock);
}

static void after_fork_in_parent(void) {
    pthread_mutex_unlock(&pool.lock);
    pthread_mutex_unlock(&pool.region);
}

static void after_fork_in_child(void) {
    pthread_mutex_init(&pool.region, NULL);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pool.started = pool.sleeping = pool.open = 0;
    atomic_store(&pool.inside, 0);
}

static void watch_forks(void) {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* Helpers up to size - 1; fewer if the system refuses more. Called within a region. */
static void start_helpers(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    while (pool.started < pool.size - 1 &&
           pthread_create(&pool.threads[pool.started], NULL, helper, NULL) == 0)
        pool.started++;
}

int mt_threads_get(void) {
    pthread_mutex_lock(&pool.lock);
    int size = pool.size;
    pthread_mutex_unlock(&pool.lock);
    return size;
}

int mt_threads_set(int threads) {
    if (threads < 1 || threads > MT_THREADS_LIMIT)
        return -1;
    pthread_mutex_lock(&pool.region);
    pthread_mutex_lock(&pool.lock);
    int started = threads < pool.size ? pool.started : 0;
    pool.stopping = started > 0;
    pool.size = threads;
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    if (started > 0) {
        for (int i = 0; i < started; i++)
            pthread_join(pool.threads[i], NULL);
        pool.started = 0;
        pool.stopping = 0;
    }
    pthread_mutex_unlock(&pool.region);
    return 0;
}

int mt_threads_maximum(void) { return MT_THREADS_LIMIT; }

void mt_parallel(int64_t tasks, void (*task)(void *, int64_t), void *context) {
    /* A second Python thread arriving meanwhile does its own work alone. */
    if (tasks < 2 || mt_threads_get() == 1 || pthread_mutex_trylock(&pool.region) != 0) {
        for (int64_t i = 0; i < tasks; i++)
            task(context, i);
        return;
    }
    start_helpers();

    pthread_mutex_lock(&pool.lock);
    pool.task = task;
    pool.context = context;
    pool.tasks = tasks;
    atomic_store(&pool.next, 0);
    pool.open = 1;
    atomic_fetch_add(&pool.job, 1);
    if (pool.sleeping > 0)
        pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);

    work();

    pthread_mutex_lock(&pool.lock);
    pool.open = 0;
    pthread_mutex_unlock(&pool.lock);
    for (int spin = 0; atomic_load_explicit(&pool.inside, memory_order_acquire) > 0; spin++)
        if (spin < MT_SPINS)
            pause_briefly();
        else
            sched_yield();
    pthread_mutex_unlock(&pool.region);
}

#endif
