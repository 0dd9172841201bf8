/* The C kernels without Python: every entry, at sizes around the vectors' and the chunks', on arrays
 * allocated to the byte, so that the sanitizers see any step beyond an end. tests/c/run compiles and
 * runs it. The values are checked coarsely; tests/kernels checks them closely. */
#define _POSIX_C_SOURCE 200809L

#include "microtensor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition) && failures++ < 20)                                                       \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, mt_isa_active(),        \
                    #condition);                                                                   \
    } while (0)

static const int64_t sizes[] = {0, 1, 2, 7, 8, 15, 16, 31, 33, 64, 100, 4095, 4099, 65536, 70003};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void *allocate(int64_t bytes) {
    void *memory = malloc(bytes > 0 ? (size_t)bytes : 1);
    if (!memory)
        abort();
    return memory;
}

static int find(const char *kind, const char *name) {
    for (int op = 0; mt_kernel_name(kind, op); op++)
        if (strcmp(mt_kernel_name(kind, op), name) == 0)
            return op;
    return -1;
}

static int count(const char *kind) {
    int rows = 0;
    while (mt_kernel_name(kind, rows))
        rows++;
    return rows;
}

#define real float
#define FN(name) name##_f32
#include "test_kernels.inc"
#undef real
#undef FN

#define real double
#define FN(name) name##_f64
#include "test_kernels.inc"
#undef real
#undef FN

static void check_names(void) {
    CHECK(mt_kernel_name("no such kind", 0) == NULL);
    CHECK(mt_kernel_name("unary", -1) == NULL);
    CHECK(mt_kernel_name("unary", 1000) == NULL);
    CHECK(mt_isa_name(-1) == NULL);
    CHECK(mt_isa_select("no such set") == -1);
    CHECK(!mt_isa_supported("no such set"));
    CHECK(mt_threads_set(0) == -1);
    CHECK(mt_threads_set(mt_threads_maximum() + 1) == -1);
}

static void check_random_bits(void) {
    /* Known answers of Philox4x32-10: counter and key all zero. */
    uint64_t state[2] = {0, 0};
    uint32_t word[4];
    CHECK(mt_random_bits(4, state, word) == 0);
    CHECK(word[0] == 0x6627e8d5u && word[1] == 0xe169c58du);
    CHECK(word[2] == 0xbc57ac4cu && word[3] == 0x9b00dbd8u);
    CHECK(state[1] == 1);
    for (int i = 0; i < SIZES; i++) {
        uint32_t *y = allocate(sizes[i] * (int64_t)sizeof *y);
        CHECK(mt_random_bits(sizes[i], state, y) == 0);
        free(y);
    }
}

static void check_all(void) {
    check_names();
    check_random_bits();
    check_f32();
    check_f64();
}

/* A child has none of its parent's helpers, and must start its own. */
static void check_fork(void) {
    pid_t child = fork();
    if (child == 0) {
        check_f32();
        _exit(failures != 0);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

int main(void) {
    mt_blas_set((uintptr_t)naive_gemm_f32, (uintptr_t)naive_gemm_f64, 1);
    for (int i = 0; mt_isa_name(i); i++) {
        if (!mt_isa_supported(mt_isa_name(i)))
            continue;
        CHECK(mt_isa_select(mt_isa_name(i)) == 0);
        for (int threads = 1; threads <= 3; threads++) {
            CHECK(mt_threads_set(threads) == 0);
            check_all();
        }
        check_fork();
        printf("%s: %s\n", mt_isa_active(), failures ? "failed" : "passed");
    }
    mt_threads_set(1); /* ends the helpers, whose stacks a leak check would report */
    return failures != 0;
}
