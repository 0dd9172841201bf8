/* The kernel entries that exist once per dtype. microtensor.h includes this file twice, with `real`
 * and FN() standing for float and `_f32`, then for double and `_f64`; build.py makes cffi's
 * declarations from the same lines. Sizes come first, inputs are const, outputs come last.
 *
 * Every array is contiguous. Unless an entry says otherwise an output may be one of its inputs (same
 * pointer), never a part of one. An entry of type int returns 0, or -1 with nothing of use written: `op`
 * is not a row of the table, an array is not aligned to its element size, an output overlaps where it
 * must not, or there is no BLAS for sizes like these. */

/* y[i] = op(x[i]); op is a MT_UNARY row of table.h, p and q its parameters. */
int FN(mt_unary)(int op, int64_t n, double p, double q, const real *x, real *y);

/* y[i] = op(a[i], b[i]); op is a MT_BINARY row. For a gradient, a is the incoming gradient and b the
 * saved input or output. */
int FN(mt_binary)(int op, int64_t n, double p, double q, const real *a, const real *b, real *y);

/* y[i][j] = op(a[i][j], b[i][j]) over (rows, columns), where a or b may be one row for all: its stride is 0
 * then, else `columns`. Such a row is apart from y. */
int FN(mt_binary_rows)(int op, int64_t rows, int64_t columns, const real *a, int64_t a_stride,
                       const real *b, int64_t b_stride, real *y);

/* y[i][j] = op(x[i][j]) with p[i] for its first parameter. */
int FN(mt_unary_rows)(int op, int64_t rows, int64_t columns, const real *p, const real *x, real *y);

/* Softmax, log_softmax (MT_ROWS) over j of x[i][j][k], x of shape (outer, n, inner). */
int FN(mt_rows)(int op, int64_t outer, int64_t n, int64_t inner, const real *x, real *y);

/* The same with two inputs: their gradients from g and the saved output y (MT_ROWS_BACKWARD). */
int FN(mt_rows_backward)(int op, int64_t outer, int64_t n, int64_t inner, const real *g,
                         const real *y, real *out);

/* y[i][j] = a op(b) with a = x[i][0][j], b = x[i][1][j] of x (rows, 2, columns), apart from y; op is a
 * MT_GATED row. */
int FN(mt_gated)(int op, int64_t rows, int64_t columns, const real *x, real *y);

/* Its gradient, of x's shape, from g of y's; g is apart from it. */
int FN(mt_gated_backward)(int op, int64_t rows, int64_t columns, const real *g, const real *x,
                          real *out);

/* y[o][c][i] = op(x[o][c][i]) of x (outer, channels, inner), with op's parameters (MT_LEARNED), each of shape
 * (terms, channels), or (terms, 1) where its `channelled` is 0. Refused if there is one of each kind and
 * inner is 1, or if there are more than 16 terms. */
int FN(mt_learned)(int op, int64_t outer, int64_t channels, int64_t inner, int64_t terms,
                   const int *channelled, const real *const *parameters, const real *x, real *y);

/* Its gradient from g and x, and what it adds up to for each parameter, in sums of their shapes: those that
 * are NULL, or sums itself, are not asked for. All are asked for by channel, or there is one channel. */
int FN(mt_learned_backward)(int op, int64_t outer, int64_t channels, int64_t inner, int64_t terms,
                            const int *channelled, const real *const *parameters, const real *g,
                            const real *x, real *out, real *const *sums);

/* y[o][i] = the largest over j of x[o][j][i], of x (groups, pieces, inner), apart from y; and the gradient of
 * x, shared by equal ones, apart from g. */
int FN(mt_maxout)(int64_t groups, int64_t pieces, int64_t inner, const real *x, real *y);
int FN(mt_maxout_backward)(int64_t groups, int64_t pieces, int64_t inner, const real *g,
                           const real *x, real *out);

/* y[i][k] = op over j of x[i][j][k], x of shape (outer, n, inner); op is a MT_REDUCE row. y is apart from x.
 * n = 0 gives 0 for sum, NaN for mean, and is refused for extremes. */
int FN(mt_reduce)(int op, int64_t outer, int64_t n, int64_t inner, const real *x, real *y);

/* The variance Σ (x - mean)² / (n - correction) and the mean over j of the same; mean may be NULL. */
int FN(mt_var_mean)(int64_t outer, int64_t n, int64_t inner, double correction, const real *x,
                    real *variance, real *mean);

/* c = op(a) op(b) with op(a) of shape (m, k), op(b) of shape (k, n), c (m, n) apart from a and b;
 * a_stride and b_stride are the leading dimensions of the arrays as stored. Small products are our own
 * (product.inc) where that is faster, the others BLAS's; -1 where there is none. */
int FN(mt_matmul)(int transpose_a, int transpose_b, int64_t m, int64_t n, int64_t k, const real *a,
                  int64_t a_stride, const real *b, int64_t b_stride, real *c);

/* y = x weightᵀ + bias: x (rows, inputs), weight (outputs, inputs), bias (outputs) or NULL. */
int FN(mt_linear)(int64_t rows, int64_t inputs, int64_t outputs, const real *x, const real *weight,
                  const real *bias, real *y);

/* Softmax cross-entropy of logits x (rows, columns) with int64 class labels. weight (columns) may be
 * NULL. reduction: 0 none (out has `rows` numbers), 1 mean, 2 sum (out has one). Also writes
 * log_sum[rows] = log Σ exp x, and total[1] = the sum of the weights of the rows counted (mean's divisor).
 * Returns -1; or the first row whose label is neither ignore_index nor in [0, columns); or -2 for
 * what other entries call -1. In the last two cases nothing is written. */
int64_t FN(mt_cross_entropy)(int64_t rows, int64_t columns, int reduction, int64_t ignore_index,
                             double label_smoothing, const real *x, const int64_t *target,
                             const real *weight, real *log_sum, real *total, real *out);

/* Its gradient with respect to x. g has one number, or `rows` when reduction is none. */
int FN(mt_cross_entropy_backward)(int64_t rows, int64_t columns, int reduction,
                                  int64_t ignore_index, double label_smoothing, const real *g,
                                  const real *x, const int64_t *target, const real *weight,
                                  const real *log_sum, const real *total, real *out);

/* Scaled dot-product attention of all heads: out = softmax(scale q kᵀ + mask) v, and log_sum (batch,
 * heads, rows) for its gradient. sizes is {batch, heads, rows, columns, width, value_width}: q is (batch,
 * heads, rows, width), k (.., columns, width), v (.., columns, value_width), mask (.., rows, columns) or
 * NULL, out (.., rows, value_width). strides has three numbers for each of q, k, v, mask and out: elements
 * from one batch, head and row to the next; elements of a row are neighbours, but those of mask are
 * mask_step apart. causal masks the columns j > row i. Outputs are apart from all else. */
int FN(mt_attention)(const int64_t *sizes, const int64_t *strides, int64_t mask_step, double scale,
                     int causal, const real *q, const real *k, const real *v, const real *mask,
                     real *log_sum, real *out);

/* Its gradients, of the shapes of q, k and v. strides goes on with those of g, dq, dk and dv. */
int FN(mt_attention_backward)(const int64_t *sizes, const int64_t *strides, int64_t mask_step,
                              double scale, int causal, const real *q, const real *k, const real *v,
                              const real *mask, const real *out, const real *g, const real *log_sum,
                              real *dq, real *dk, real *dv);
/* Minus the log-probabilities of `count` sequences of labels over all alignments, x being
 * log-probabilities (steps, count, classes), targets (count, longest), frames and lengths (count): how
 * many of the steps and of the targets count. Writes alpha (steps, count, 2 longest + 1) too, for the
 * gradient, which needs scratch for (count, 2, 2 longest + 1). Where zero_infinity is not 0, sequences
 * without an alignment have loss and gradient 0. Returns -1 also where a label, blank or number is out
 * of its range. */
int FN(mt_ctc)(int64_t steps, int64_t count, int64_t classes, int64_t longest, int64_t blank,
               int zero_infinity, const real *x, const int64_t *targets, const int64_t *frames,
               const int64_t *lengths, double *alpha, real *out);
int FN(mt_ctc_backward)(int64_t steps, int64_t count, int64_t classes, int64_t longest,
                        int64_t blank, int zero_infinity, const real *g, const real *x,
                        const double *alpha, const int64_t *targets, const int64_t *frames,
                        const int64_t *lengths, double *scratch, real *out);

/* One optimizer step over `count` parameters, in place; no two arrays overlap. op is a MT_STEP row.
 * shapes[3 * i] is parameter i as {batch, rows, columns}; it and touched are read by the rules that
 * take whole parameters alone, and may be NULL for the others. states holds the state arrays parameter
 * by parameter (states[i * states_per_parameter + j], NULL where unused), numbers its plain numbers
 * likewise, of which the first counts its steps: they are advanced here, but for parameters without a
 * gradient (NULL), which are passed over. hyper is read afresh at each call, its layout stated at each
 * rule (optimizers*.inc); what stands after a bar there is the group's memory, advanced here too.
 * touched, where it is not NULL, has for each parameter NULL or the number of rows that have a gradient
 * and their indices. Returns -1 also where a state that hyper calls for is NULL, or a row index lies
 * outside its parameter. */
int FN(mt_step)(int op, int64_t count, const int64_t *sizes, const int64_t *shapes,
                real *const *parameters, const real *const *gradients, real *const *states,
                const int64_t *const *touched, double *numbers, double *hyper);

/* Normalize rows (rows, n): y = (x - mean) scale w + b with scale = 1 / sqrt(variance + eps), or, if not
 * centered, with mean 0 and the mean square for the variance. Element j of row i has weight and bias number
 * (i % groups) (n / inner) + j / inner; both may be NULL. mean and scale have one number a row; mean may be NULL
 * if not centered. */
int FN(mt_row_norm)(int64_t rows, int64_t n, int64_t groups, int64_t inner, int centered,
                    double eps, const real *x, const real *weight, const real *bias, real *mean,
                    real *scale, real *y);

/* Its gradients by x, weight and bias, each of which may be NULL. */
int FN(mt_row_norm_backward)(int64_t rows, int64_t n, int64_t groups, int64_t inner, int centered,
                             const real *g, const real *x, const real *weight, const real *mean,
                             const real *scale, real *out, real *weight_out, real *bias_out);

/* The mean and the variance (divided by their number) of each channel of x (outer, channels, inner). */
int FN(mt_channel_moments)(int64_t outer, int64_t channels, int64_t inner, const real *x,
                           real *variance, real *mean);

/* y = (x - mean) scale weight + bias, all four by channel; weight and bias may be NULL. */
int FN(mt_channel_norm)(int64_t outer, int64_t channels, int64_t inner, const real *x,
                        const real *weight, const real *bias, const real *mean, const real *scale,
                        real *y);

/* Its gradients by x (which may be NULL), weight and bias (which may not); training: mean and scale are
 * those of x, and have gradients too. */
int FN(mt_channel_norm_backward)(int64_t outer, int64_t channels, int64_t inner, int training,
                                 const real *g, const real *x, const real *weight, const real *mean,
                                 const real *scale, real *out, real *weight_out, real *bias_out);

/* One step of a cell: x and h (rows, gates n) the products with input and hidden state, before (rows, n) the
 * cell (LSTM) or hidden state (GRU) before. gates (rows, 4 n) is what the gradient needs. */
int FN(mt_lstm_cell)(int64_t rows, int64_t n, const real *x, const real *h, const real *before,
                     real *gates, real *cell, real *y);
int FN(mt_gru_cell)(int64_t rows, int64_t n, const real *x, const real *h, const real *before,
                    real *gates, real *y);

/* From the gradient g of y: out, by x and h alike, and cell_gradient, from that of cell to that of before. */
int FN(mt_lstm_cell_backward)(int64_t rows, int64_t n, const real *g, const real *gates,
                              const real *before, const real *cell, real *cell_gradient, real *out);
/* Likewise by x, by h, and by before but for what comes through h. */
int FN(mt_gru_cell_backward)(int64_t rows, int64_t n, const real *g, const real *gates,
                             const real *before, real *x_out, real *h_out, real *direct);

/* A recurrent layer over all steps, by the cells above. gates (rows, width) are the products with the input,
 * weight (width, n), bias (width) or NULL; state and memory (batch, n) go from the first to the last, in
 * place; output, before (the state before each step), cells and cells_before are (rows, n), kept (rows, 4 n). Modes
 * without memory, cells or kept get NULL. All arrays are apart. */
int FN(mt_recurrence)(const struct mt_recurrence *shape, const real *gates, const real *weight,
                      const real *bias, real *state, real *memory, real *output, real *before,
                      real *kept, real *cells, real *cells_before);
/* From the gradient g of the output, or NULL, and those of the last state and memory, to those of the first, in
 * place, of the gates, and of the products with the state, which are the same array but for a GRU. */
int FN(mt_recurrence_backward)(const struct mt_recurrence *shape, const real *g, const real *weight,
                               const real *output, const real *before, const real *kept,
                               const real *cells, const real *cells_before, real *state,
                               real *memory, real *by_input, real *by_product);

/* y[i] = weight[index[i]], rows of a table (rows, columns). Returns -1; or the first place whose number is
 * not in [0, rows), with nothing written; or -2 for what other entries call -1. */
int64_t FN(mt_embedding)(int64_t rows, int64_t columns, int64_t count, const int64_t *index,
                         const real *weight, real *y);

/* out = zeros, and out[index[i]] += g[i] but where index[i] is `padding`. Returns likewise. */
int64_t FN(mt_embedding_backward)(int64_t rows, int64_t columns, int64_t count, int64_t padding,
                                  const int64_t *index, const real *g, real *out);
/* Convolution, y = x * weight + bias, in the shapes of windows.h; bias may be NULL. Returns -1 too where
 * there is no BLAS, or nothing to multiply. */
int FN(mt_convolution)(const struct mt_convolution *c, const real *x, const real *weight,
                       const real *bias, real *y);

/* Its gradient with respect to x from that of y, plus a bias for each of x's channels: the transposed
 * convolution. */
int FN(mt_convolution_input)(const struct mt_convolution *c, const real *y, const real *weight,
                             const real *bias, real *x);

/* Its gradient with respect to the weight, from that of y. */
int FN(mt_convolution_weight)(const struct mt_convolution *c, const real *y, const real *x,
                              real *weight);

/* The columns of x: what every window sees (samples, channels * kernel, out); and their sums at the
 * places they are from. Of one group. */
int FN(mt_unfold)(const struct mt_convolution *c, const real *x, real *columns);
int FN(mt_fold)(const struct mt_convolution *c, const real *columns, real *x);

/* The largest element of each window of some planes, and its place in the plane: the first of equals; NaN
 * is larger than all, and the last NaN counts. A window of nothing but -inf has its first place. */
int FN(mt_max_windows)(int64_t planes, const struct mt_pool *c, const real *x, real *values,
                       int64_t *indices);

/* Windows' sums over the product of their divisors; and its transpose, which adds g / divisors to all that
 * a window sees. */
int FN(mt_average_windows)(int64_t planes, const struct mt_pool *c, const real *x, real *y);
int FN(mt_spread_windows)(int64_t planes, const struct mt_pool *c, const real *g, real *x);

/* x[i] of each plane goes to place indices[i] of a plane of `size` of y, 0 elsewhere: added, or, where not
 * `adds`, the last one stays. And its transpose: y[i] = x[indices[i]]. -1 where an index is none of y's. */
int FN(mt_place)(int64_t planes, int64_t n, int64_t size, int adds, const real *x,
                 const int64_t *indices, real *y);
int FN(mt_pick)(int64_t planes, int64_t n, int64_t size, const real *x, const int64_t *indices,
                real *y);

/* n numbers uniform in [0, 1), 24 (f32) or 53 (f64) bits each, from Philox4x32-10. state is
 * {seed, offset}; offset is advanced by the counters used, one for every four words. */
int FN(mt_random_uniform)(int64_t n, uint64_t *state, real *y);

/* Rectifying with slopes drawn from [lower, upper): slopes[i] is 1 where x > 0; y = x * slopes. Draws as
 * mt_random_uniform does. */
int FN(mt_rrelu)(int64_t n, double lower, double upper, uint64_t *state, const real *x,
                 real *slopes, real *y);

/* Inverted dropout: mask[i] is 0 with probability p, else 1/(1-p); y = x * mask. Draws as
 * mt_random_uniform does. */
int FN(mt_dropout)(int64_t n, double p, uint64_t *state, const real *x, real *mask, real *y);
