/* cblas_?gemm of whichever BLAS Python found, by address. */
#ifndef MT_BLAS_H
#define MT_BLAS_H

#include <stdint.h>

/* c (m, n) = alpha op(a) op(b) + beta c, all row-major. Returns -1, having done nothing, without a BLAS
 * or where a size does not fit its integers. */
int mt_gemm_f32(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
                int64_t a_stride, const float *b, int64_t b_stride, float beta, float *c);
int mt_gemm_f64(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, const double *a,
                int64_t a_stride, const double *b, int64_t b_stride, double beta, double *c);

/* Have BLAS use one thread, and give the number to hand to mt_blas_together afterwards. */
int mt_blas_alone(void);
void mt_blas_together(int threads);
/* The same with c_stride elements from one row of c to the next. */
int mt_gemm_strided_f32(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k,
                        const float *a, int64_t a_stride, const float *b, int64_t b_stride,
                        float beta, float *c, int64_t c_stride);
int mt_gemm_strided_f64(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k,
                        const double *a, int64_t a_stride, const double *b, int64_t b_stride,
                        double beta, double *c, int64_t c_stride);

#endif
