/* The public header of microtensor's kernels: everything Python may call. */
#ifndef MICROTENSOR_H
#define MICROTENSOR_H

#include <stdint.h>

#include "recurrence.h"
#include "windows.h"

/* [cffi: what follows, up to the matching line, is also given to cffi by build.py] */

struct mt_convolution;
struct mt_recurrence;
struct mt_pool;

/* The name of row `op` of the table of one kind ("unary", "binary", "rows", "rows_backward",
 * "gated", "reduce", "step"), or NULL past its end: Python learns the numbering from here. */
const char *mt_kernel_name(const char *kind, int op);

/* The number of state arrays, and of plain numbers, that step row `op` keeps for each parameter. */
int mt_step_states(int op);
int mt_step_numbers(int op);

/* Instruction sets: name of the i-th one compiled in ("baseline", "x86-64-v3", "x86-64-v4"), NULL past the end;
 * whether this processor runs it; choose it (0, or -1 if unknown or not supported); the one in use. */
const char *mt_isa_name(int i);
int mt_isa_supported(const char *name);
int mt_isa_select(const char *name);
const char *mt_isa_active(void);

/* Threads of the kernels' own pool. mt_threads_maximum is 1 where no pool was compiled in. */
int mt_threads_get(void);
int mt_threads_set(int threads);
int mt_threads_maximum(void);

/* BLAS: addresses of cblas_sgemm and cblas_dgemm taking 64-bit (ilp64 = 1) or 32-bit integers;
 * zero addresses take it away again. */
void mt_blas_set(uintptr_t sgemm, uintptr_t dgemm, int ilp64);
int mt_blas_available(void);
/* Functions that get and set its number of threads, or 0: it uses one while our own threads call it. */
void mt_blas_set_threads(uintptr_t get, uintptr_t set);

/* Arrays as NumPy's objects, by their addresses (ndarray.h). First Python names the type of arrays and the
 * dtypes that are looked for, and has a matrix it knows read: 1 if every field is where it is thought to
 * be. */
void mt_ndarray_set(uintptr_t type, uintptr_t f32, uintptr_t f64, uintptr_t i64, uintptr_t u64,
                    uintptr_t u32);
int mt_ndarray_reads(uintptr_t object, uintptr_t data, uintptr_t dtype, int64_t rows,
                     int64_t columns, int64_t row_stride, int64_t column_stride);

/* The entries of prototypes.h over such objects: dtypes, sizes, gaps and whether an output may be written
 * are checked here, and -1 is also for what fails that. Shapes are those of the arrays. */
int mt_array_unary(int op, double p, double q, uintptr_t x, uintptr_t y);
int mt_array_binary(int op, double p, double q, uintptr_t a, uintptr_t b, uintptr_t y);
/* x of shape (rows, 2, columns), y and g of shape (rows, columns). */
int mt_array_gated(int op, uintptr_t x, uintptr_t y);
int mt_array_gated_backward(int op, uintptr_t g, uintptr_t x, uintptr_t out);
/* x of shape (groups, pieces, columns), y and g of shape (groups, columns). */
int mt_array_maxout(uintptr_t x, uintptr_t y);
int mt_array_maxout_backward(uintptr_t g, uintptr_t x, uintptr_t out);
/* Parameters that op has not are 0, and gradients nobody asks for no arrays. Parameters broadcast with x, and
 * have more than one number along one dimension of it at most, the same for all. */
int mt_array_learned(int op, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t x,
                     uintptr_t y);
int mt_array_learned_backward(int op, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d,
                              uintptr_t g, uintptr_t x, uintptr_t out, uintptr_t of_a,
                              uintptr_t of_b, uintptr_t of_c, uintptr_t of_d);
/* Bit i of dims says that dimension i is gone through, or reduced; those that are must be neighbours. */
int mt_array_rows(int op, uint64_t dims, uintptr_t x, uintptr_t y);
int mt_array_rows_backward(int op, uint64_t dims, uintptr_t g, uintptr_t y, uintptr_t out);
int mt_array_reduce(int op, uint64_t dims, uintptr_t x, uintptr_t y);
int mt_array_var_mean(uint64_t dims, double correction, uintptr_t x, uintptr_t variance,
                      uintptr_t mean);
int mt_array_linear(uintptr_t x, uintptr_t weight, uintptr_t bias, uintptr_t y);
/* Matrices stored by rows or by columns, with gaps between these but not within. */
int mt_array_matmul(uintptr_t a, uintptr_t b, uintptr_t c);
/* All of (batch, heads, rows, columns), with gaps between rows, heads and batches but not within rows; mask
 * may be 0, or repeat itself (strides of 0). */
int mt_array_attention(double scale, int causal, uintptr_t q, uintptr_t k, uintptr_t v,
                       uintptr_t mask, uintptr_t log_sum, uintptr_t out);
int mt_array_attention_backward(double scale, int causal, uintptr_t q, uintptr_t k, uintptr_t v,
                                uintptr_t mask, uintptr_t out, uintptr_t g, uintptr_t log_sum,
                                uintptr_t dq, uintptr_t dk, uintptr_t dv);
/* op is a row of binary; where b, or a, has one element it is a parameter of the unary row right, or left. */
int mt_array_arithmetic(int op, int right, int left, uintptr_t a, uintptr_t b, uintptr_t y);
/* Returns as the entry of prototypes.h does. */
int64_t mt_array_cross_entropy(int reduction, int64_t ignore_index, double label_smoothing,
                               uintptr_t x, uintptr_t target, uintptr_t weight, uintptr_t log_sum,
                               uintptr_t total, uintptr_t out);
int mt_array_cross_entropy_backward(int reduction, int64_t ignore_index, double label_smoothing,
                                    uintptr_t g, uintptr_t x, uintptr_t target, uintptr_t weight,
                                    uintptr_t log_sum, uintptr_t total, uintptr_t out);
int mt_array_row_norm(int64_t groups, int64_t inner, int centered, double eps, uintptr_t x,
                      uintptr_t weight, uintptr_t bias, uintptr_t mean, uintptr_t scale,
                      uintptr_t y);
int mt_array_row_norm_backward(int64_t groups, int64_t inner, int centered, uintptr_t g,
                               uintptr_t x, uintptr_t weight, uintptr_t mean, uintptr_t scale,
                               uintptr_t out, uintptr_t weight_out, uintptr_t bias_out);
/* x of shape (outer, channels, inner). */
int mt_array_channel_moments(uintptr_t x, uintptr_t variance, uintptr_t mean);
int mt_array_channel_norm(uintptr_t x, uintptr_t weight, uintptr_t bias, uintptr_t mean,
                          uintptr_t scale, uintptr_t y);
int mt_array_channel_norm_backward(int training, uintptr_t g, uintptr_t x, uintptr_t weight,
                                   uintptr_t mean, uintptr_t scale, uintptr_t out,
                                   uintptr_t weight_out, uintptr_t bias_out);
int mt_array_lstm_cell(uintptr_t x, uintptr_t h, uintptr_t before, uintptr_t gates, uintptr_t cell,
                       uintptr_t y);
int mt_array_lstm_cell_backward(uintptr_t g, uintptr_t gates, uintptr_t before, uintptr_t cell,
                                uintptr_t cell_gradient, uintptr_t out);
int mt_array_gru_cell(uintptr_t x, uintptr_t h, uintptr_t before, uintptr_t gates, uintptr_t y);
int mt_array_gru_cell_backward(uintptr_t g, uintptr_t gates, uintptr_t before, uintptr_t x_out,
                               uintptr_t h_out, uintptr_t direct);
/* A recurrent layer of a mode of recurrence.h; sizes are int64. What a mode has not is 0. */
int mt_array_recurrence(int mode, int reverse, uintptr_t sizes, uintptr_t gates, uintptr_t weight,
                        uintptr_t bias, uintptr_t state, uintptr_t memory, uintptr_t output,
                        uintptr_t before, uintptr_t kept, uintptr_t cells, uintptr_t cells_before);
int mt_array_recurrence_backward(int mode, int reverse, uintptr_t sizes, uintptr_t g,
                                 uintptr_t weight, uintptr_t output, uintptr_t before,
                                 uintptr_t kept, uintptr_t cells, uintptr_t cells_before,
                                 uintptr_t state, uintptr_t memory, uintptr_t by_input,
                                 uintptr_t by_product);
int64_t mt_array_embedding(uintptr_t weight, uintptr_t index, uintptr_t y);
int64_t mt_array_embedding_backward(int64_t padding, uintptr_t g, uintptr_t index, uintptr_t out);
/* y = x, of the same shape and dtype; a matrix x may lie column by column. */
int mt_array_copy(uintptr_t x, uintptr_t y);
/* y = x, or y += x, for arrays of any strides that do not overlap; x is broadcast. */
int mt_array_move(int adds, uintptr_t x, uintptr_t y);
int mt_array_norm(double order, int64_t place, uintptr_t x, uintptr_t norms);
int mt_array_shrink(double maximum, uintptr_t norm, uintptr_t x);
int mt_array_clamp(double low, double high, uintptr_t x);
int mt_array_inverse_root(double eps, uintptr_t x, uintptr_t out);
int mt_array_running_update(double correction, double momentum, uintptr_t tracked, uintptr_t mean,
                            uintptr_t variance, uintptr_t running_mean, uintptr_t running_var);
/* y = value, of float32 or float64. */
int mt_array_fill(double value, uintptr_t y);
int mt_array_ctc(int64_t blank, int zero_infinity, uintptr_t x, uintptr_t targets, uintptr_t frames,
                 uintptr_t lengths, uintptr_t alpha, uintptr_t out);
int mt_array_ctc_backward(int64_t blank, int zero_infinity, uintptr_t g, uintptr_t x,
                          uintptr_t alpha, uintptr_t targets, uintptr_t frames, uintptr_t lengths,
                          uintptr_t scratch, uintptr_t out);
int mt_array_random_bits(uintptr_t state, uintptr_t out);
int mt_array_random_uniform(uintptr_t state, uintptr_t out);
int mt_array_rrelu(double lower, double upper, uintptr_t state, uintptr_t x, uintptr_t slopes,
                   uintptr_t y);
int mt_array_dropout(double p, uintptr_t state, uintptr_t x, uintptr_t mask, uintptr_t y);

/* Convolutions of arrays of five dimensions. windows has 13 int64: groups, and the kernel's lengths, strides,
 * zeros before x and dilations of three dimensions each; how far windows go the shapes say. bias may be 0. */
int mt_array_convolution(uintptr_t x, uintptr_t weight, uintptr_t bias, uintptr_t windows,
                         uintptr_t y);
int mt_array_convolution_input(uintptr_t y, uintptr_t weight, uintptr_t bias, uintptr_t windows,
                               uintptr_t x);
int mt_array_convolution_weight(uintptr_t y, uintptr_t x, uintptr_t windows, uintptr_t weight);
/* columns of shape (samples, channels * kernel, outputs of three dimensions). */
int mt_array_unfold(uintptr_t x, uintptr_t windows, uintptr_t columns);
int mt_array_fold(uintptr_t columns, uintptr_t windows, uintptr_t x);

/* Pooling of planes of three dimensions, (planes, in...) to (planes, out...). windows has three rows of int64,
 * firsts, lasts and divisors, of the outputs of the first dimension, then of the second and third. */
int mt_array_max_windows(int64_t dilation0, int64_t dilation1, int64_t dilation2, uintptr_t x,
                         uintptr_t windows, uintptr_t values, uintptr_t indices);
int mt_array_average_windows(uintptr_t x, uintptr_t windows, uintptr_t y);
int mt_array_spread_windows(uintptr_t g, uintptr_t windows, uintptr_t x);
/* x and indices (planes, n), y (planes, size); and the reverse. */
int mt_array_place(int adds, uintptr_t x, uintptr_t indices, uintptr_t y);
int mt_array_pick(uintptr_t x, uintptr_t indices, uintptr_t y);
/* Captured steps (plan.inc): the name of the i-th entry that a plan may call, NULL past the end; run the
 * calls between two places of a plan. Returns -1, or the place of a call that did not return what was
 * expected, with those before it done. */
const char *mt_plan_entry(int i);
/* Of `count` objects of Python's, as pairs of address and number of references, the first that has more than
 * that; -1 if none has. */
int64_t mt_plan_held(int64_t count, const int64_t *objects);
int64_t mt_plan_run(const int64_t *words, int64_t first, int64_t last);
/* The usual call of a plan of `last` words: copy up to four inputs (0 where there are fewer) into the plan's
 * own, whose objects are the first four numbers of `own`, and run it. Behind them stand `held` objects as
 * mt_plan_held takes them. Returns as mt_plan_run does, or, with nothing run, -2 if an input is not of the
 * plan's shape and dtype, and -3 if an object is held by somebody. */
int64_t mt_plan_call(const int64_t *words, int64_t last, const int64_t *own, int64_t held,
                     uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d);
/* A plan of `last` words again and again, for `steps` batches or until `seconds` are over. A table is
 * (address, address, bytes) for each array: inputs are rows and the plan's buffer, outputs the plan's buffer and
 * where each step's value goes. Sets bad[0] as mt_plan_run returns; returns the steps done whole. */
int64_t mt_plan_epoch(const int64_t *words, int64_t last, int64_t steps, int64_t batch,
                      const int64_t *order, int64_t inputs, const int64_t *input, int64_t outputs,
                      const int64_t *output, double seconds, int64_t *bad);

/* n 32-bit words from Philox4x32-10; state is {seed, offset}, and offset is advanced by the counters
 * used, one for every four words. Returns -1, having done nothing, if an array is misaligned. */
int mt_random_bits(int64_t n, uint64_t *state, uint32_t *y);

/* [/cffi] */

#define real float
#define FN(name) name##_f32
#include "prototypes.h"
#undef real
#undef FN

#define real double
#define FN(name) name##_f64
#include "prototypes.h"
#undef real
#undef FN

#endif
