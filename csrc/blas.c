#include "blas.h"
#include "microtensor.h"

#define CBLAS_ROW_MAJOR 101
#define CBLAS_NO_TRANSPOSE 111
#define CBLAS_TRANSPOSE 112

static struct {
    uintptr_t gemm_f32, gemm_f64;
    int ilp64;
    int (*get_threads)(void);
    void (*set_threads)(int threads);
} blas;

void mt_blas_set(uintptr_t sgemm, uintptr_t dgemm, int ilp64) {
    blas.gemm_f32 = sgemm;
    blas.gemm_f64 = dgemm;
    blas.ilp64 = ilp64;
}

int mt_blas_available(void) { return blas.gemm_f32 != 0 && blas.gemm_f64 != 0; }

void mt_blas_set_threads(uintptr_t get, uintptr_t set) {
    blas.get_threads = (int (*)(void))get;
    blas.set_threads = (void (*)(int))set;
}

int mt_blas_alone(void) {
    const int threads = blas.get_threads && blas.set_threads ? blas.get_threads() : 1;
    if (threads > 1)
        blas.set_threads(1);
    return threads;
}

void mt_blas_together(int threads) {
    if (threads > 1)
        blas.set_threads(threads);
}

static int fits_int32(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f) {
    return a <= INT32_MAX && b <= INT32_MAX && c <= INT32_MAX && d <= INT32_MAX && e <= INT32_MAX &&
           f <= INT32_MAX;
}

#define MT_GEMM(suffix, real)                                                                      \
    typedef void (*gemm64_##suffix)(int order, int transpose_a, int transpose_b, int64_t m,        \
                                    int64_t n, int64_t k, real alpha, const real *a,               \
                                    int64_t a_stride, const real *b, int64_t b_stride, real beta,  \
                                    real *c, int64_t c_stride);                                    \
    typedef void (*gemm32_##suffix)(int order, int transpose_a, int transpose_b, int32_t m,        \
                                    int32_t n, int32_t k, real alpha, const real *a,               \
                                    int32_t a_stride, const real *b, int32_t b_stride, real beta,  \
                                    real *c, int32_t c_stride);                                    \
                                                                                                   \
    int mt_gemm_strided_##suffix(int transpose_a, int transpose_b, int64_t m, int64_t n,           \
                                 int64_t k, const real *a, int64_t a_stride, const real *b,        \
                                 int64_t b_stride, real beta, real *c, int64_t c_stride) {         \
        const int ta = transpose_a ? CBLAS_TRANSPOSE : CBLAS_NO_TRANSPOSE;                         \
        const int tb = transpose_b ? CBLAS_TRANSPOSE : CBLAS_NO_TRANSPOSE;                         \
        if (blas.gemm_##suffix == 0)                                                               \
            return -1;                                                                             \
        if (blas.ilp64) {                                                                          \
            ((gemm64_##suffix)blas.gemm_##suffix)(CBLAS_ROW_MAJOR, ta, tb, m, n, k, 1, a,          \
                                                  a_stride, b, b_stride, beta, c, c_stride);       \
            return 0;                                                                              \
        }                                                                                          \
        if (!fits_int32(m, n, k, a_stride, b_stride, c_stride))                                    \
            return -1;                                                                             \
        ((gemm32_##suffix)blas.gemm_##suffix)(CBLAS_ROW_MAJOR, ta, tb, (int32_t)m, (int32_t)n,     \
                                              (int32_t)k, 1, a, (int32_t)a_stride, b,              \
                                              (int32_t)b_stride, beta, c, (int32_t)c_stride);      \
        return 0;                                                                                  \
    }                                                                                              \
    int mt_gemm_##suffix(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k,        \
                         const real *a, int64_t a_stride, const real *b, int64_t b_stride,         \
                         real beta, real *c) {                                                     \
        return mt_gemm_strided_##suffix(transpose_a, transpose_b, m, n, k, a, a_stride, b,         \
                                        b_stride, beta, c, n);                                     \
    }

MT_GEMM(f32, float)
MT_GEMM(f64, double)
