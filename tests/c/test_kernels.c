/* The C kernels without Python: every entry, at sizes around the vectors' and the chunks', on arrays
 * allocated to the byte, so that the sanitizers see any step beyond an end. tests/c/run compiles and
 * runs it. The values are checked coarsely; tests/kernels checks them closely. */
#define _POSIX_C_SOURCE 200809L

#include "microtensor.h"
#include "ndarray.h"

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

/* Arrays as NumPy would have them, to be handed over by address. */
static const int type_of_arrays, type_of_others, named[5];
enum { F32, F64, I64, U64, U32 };

struct array {
    struct mt_ndarray head;
    intptr_t shape[3], strides[3];
    double data[24];
};

static uintptr_t address(const struct array *array) { return (uintptr_t)&array->head; }

static struct array *make(struct array *array, int dtype, int itemsize, int ndim, intptr_t rows,
                          intptr_t columns) {
    const intptr_t shape[2] = {ndim == 2 ? rows : columns, columns};
    *array = (struct array){.head = {.type = &type_of_arrays,
                                     .data = (char *)array->data,
                                     .ndim = ndim,
                                     .shape = array->shape,
                                     .strides = array->strides,
                                     .dtype = &named[dtype],
                                     .flags = MT_FLAG_C_CONTIGUOUS | MT_FLAG_WRITEABLE}};
    for (int i = 0; i < ndim; i++)
        array->shape[i] = shape[i];
    array->strides[0] = ndim == 2 ? columns * itemsize : itemsize;
    array->strides[1] = itemsize;
    for (int i = 0; i < 24; i++)
        if (dtype == F32)
            ((float *)array->data)[i] = (float)(i % 5) + 1;
        else if (dtype == F64)
            array->data[i] = i % 5 + 1;
    return array;
}

static void check_arrays(void) {
    struct array a, b, c, state;
    const int add = find("binary", "add"), neg = find("unary", "neg");
    mt_ndarray_set((uintptr_t)&type_of_arrays, (uintptr_t)&named[F32], (uintptr_t)&named[F64],
                   (uintptr_t)&named[I64], (uintptr_t)&named[U64], (uintptr_t)&named[U32]);
    for (int dtype = F32; dtype <= F64; dtype++) {
        const int size = dtype == F32 ? 4 : 8;
        make(&a, dtype, size, 2, 3, 4), make(&b, dtype, size, 2, 3, 4);
        make(&c, dtype, size, 2, 3, 4);
        CHECK(mt_ndarray_reads(address(&a), (uintptr_t)a.data, (uintptr_t)&named[dtype], 3, 4,
                               4 * size, size));
        CHECK(!mt_ndarray_reads(address(&a), (uintptr_t)a.data, (uintptr_t)&named[dtype], 4, 3,
                                4 * size, size));
        CHECK(mt_array_unary(neg, 0, 0, address(&a), address(&c)) == 0);
        CHECK(mt_array_binary(add, 0, 0, address(&a), address(&b), address(&c)) == 0);
        CHECK(mt_array_arithmetic(add, 0, 0, address(&a), address(&b), address(&c)) == 0);
        CHECK(mt_array_rows(0, 2, address(&a), address(&c)) == 0);
        CHECK(mt_array_rows_backward(0, 2, address(&a), address(&b), address(&c)) == 0);
        /* What is refused: read-only outputs, gaps, other objects, dtypes and sizes. */
        c.head.flags = MT_FLAG_C_CONTIGUOUS;
        CHECK(mt_array_unary(neg, 0, 0, address(&a), address(&c)) == -1);
        c.head.flags = MT_FLAG_WRITEABLE;
        CHECK(mt_array_unary(neg, 0, 0, address(&a), address(&c)) == -1);
        make(&c, dtype, size, 2, 3, 4)->head.type = &type_of_others;
        CHECK(mt_array_unary(neg, 0, 0, address(&a), address(&c)) == -1);
        CHECK(mt_array_matmul(address(&c), address(&b), address(&a)) == -1);
        make(&c, I64, 8, 2, 3, 4);
        CHECK(mt_array_unary(neg, 0, 0, address(&a), address(&c)) == -1);
        CHECK(mt_array_unary(neg, 0, 0, address(&c), address(&c)) == -1);
        make(&c, dtype, size, 2, 2, 4);
        CHECK(mt_array_binary(add, 0, 0, address(&a), address(&b), address(&c)) == -1);
        CHECK(mt_array_rows(0, 2, address(&a), address(&c)) == -1);
        CHECK(mt_array_linear(address(&a), address(&b), address(&c), address(&c)) == -1);
        make(&c, dtype, size, 1, 0, 4);
        CHECK(mt_array_reduce(0, 1, address(&a), address(&c)) == 0);
        make(&state, U64, 8, 1, 0, 2);
        CHECK(mt_array_random_uniform(address(&state), address(&c)) == 0);
        CHECK(mt_array_random_uniform(address(&c), address(&c)) == -1);
        make(&b, dtype, size, 1, 0, 4);
        CHECK(mt_array_dropout(0.5, address(&state), address(&c), address(&b), address(&c)) == 0);
        CHECK(mt_array_dropout(0.5, address(&state), address(&a), address(&b), address(&c)) == -1);
    }
    make(&c, U32, 4, 1, 0, 8);
    CHECK(mt_array_random_bits(address(&state), address(&c)) == 0);
    CHECK(mt_array_random_bits(address(&c), address(&c)) == -1);
}

#include "test_plan.inc"

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
    check_arrays();
    check_plan();
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
