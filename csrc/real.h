/* The width the bodies that follow are compiled for. Whoever includes this file has defined
 * MT_REAL_BITS (32 or 64) and MT_ISA; including it again, after redefining them, moves on to the
 * next width. Macros only, so that it may stand anywhere:
 *
 *   real        float or double
 *   sint, uint  the integers of that width
 *   R(1.5)      a literal of that type (with a decimal point or an exponent: R(1.0), R(0x1p-24))
 *   FN(name)    name_f32_v3: the name with dtype and instruction set appended
 *   MT_GEMM     BLAS' matrix product of that type, and MT_GEMM_STRIDED into rows that lie apart
 */
#undef real
#undef sint
#undef uint
#undef R
#undef FN
#undef MT_WIDTH
#undef MT_GEMM
#undef MT_GEMM_STRIDED

#if MT_REAL_BITS == 32
#define real float
#define sint int32_t
#define uint uint32_t
#define R(literal) literal##f
#define MT_WIDTH f32
#define MT_GEMM mt_gemm_f32
#define MT_GEMM_STRIDED mt_gemm_strided_f32
#elif MT_REAL_BITS == 64
#define real double
#define sint int64_t
#define uint uint64_t
#define R(literal) literal
#define MT_WIDTH f64
#define MT_GEMM mt_gemm_f64
#define MT_GEMM_STRIDED mt_gemm_strided_f64
#else
#error "MT_REAL_BITS must be 32 or 64"
#endif

#define FN(name) MT_JOIN(name, MT_WIDTH, MT_ISA)

/* Two steps, so that MT_WIDTH and MT_ISA are expanded before they are pasted. */
#ifndef MT_JOIN
#define MT_JOIN(name, width, isa) MT_JOIN_EXPANDED(name, width, isa)
#define MT_JOIN_EXPANDED(name, width, isa) name##_##width##_##isa
#endif
