/* The kernels of one dtype and instruction set; kernels.h includes this once per dtype. Every
 * kernel works on the piece it is given, in one thread. */
struct FN(mt_kernels) {
    void (*unary[MT_UNARY_COUNT])(int64_t n, real p, real q, const real *x, real *y);
    void (*binary[MT_BINARY_COUNT])(int64_t n, real p, real q, const real *a, const real *b,
                                    real *y);
    void (*rows[MT_ROWS_COUNT])(int64_t rows, int64_t columns, const real *x, real *y);
    void (*rows_backward[MT_ROWS_BACKWARD_COUNT])(int64_t rows, int64_t columns, const real *g,
                                                  const real *y, real *out);
    /* The same along columns [first, last) of a matrix of n rows. */
    void (*columns[MT_ROWS_COUNT])(int64_t n, int64_t columns, int64_t first, int64_t last,
                                   const real *x, real *y);
    void (*columns_backward[MT_ROWS_BACKWARD_COUNT])(int64_t n, int64_t columns, int64_t first,
                                                     int64_t last, const real *g, const real *y,
                                                     real *out);
    /* From n elements, each with its own parameters or all with one: the activation; and its gradient, with
     * what adds up to the parameters' (learned.inc). */
    void (*learned[MT_LEARNED_COUNT])(int64_t n, int64_t terms, int64_t apart, const real *const *p,
                                      int each, const real *x, real *y);
    void (*learned_backward[MT_LEARNED_COUNT])(int64_t n, int64_t terms, int64_t apart,
                                               const real *const *p, int each, const real *g,
                                               const real *x, real *out, double *sums);
    /* The largest of `pieces` rows of `inner` numbers, and the gradient, shared by equal ones. */
    void (*maxout)(int64_t outer, int64_t pieces, int64_t inner, const real *x, real *y);
    void (*maxout_backward)(int64_t outer, int64_t pieces, int64_t inner, const real *g,
                            const real *x, real *out);
    /* From rows of two halves of `columns`, the first n of each, to rows of one; and back. */
    void (*gated[MT_GATED_COUNT])(int64_t rows, int64_t columns, int64_t n, const real *x, real *y);
    void (*gated_backward[MT_GATED_COUNT])(int64_t rows, int64_t columns, int64_t n, const real *g,
                                           const real *x, real *out);
    /* Each of some rows of n numbers to one number, and columns [first, last) of n rows to one row. */
    void (*reduce_rows[MT_REDUCE_COUNT])(int64_t rows, int64_t n, const real *x, real *y);
    void (*reduce_columns[MT_REDUCE_COUNT])(int64_t n, int64_t columns, int64_t first, int64_t last,
                                            const real *x, real *y);
    /* The same to moments, whose variance is squares / (count - correction). */
    struct mt_moments (*moments)(int64_t n, const real *x);
    void (*moments_columns)(int64_t n, int64_t columns, int64_t first, int64_t last,
                            double correction, const real *x, real *variance, real *mean);
    /* One step of the elements of one parameter: first what all its elements share (numbers[0] counts
     * this step too), then the pass. states[j] may be NULL where hyper makes no use of it. */
    void (*step_constants[MT_STEP_COUNT])(const double *numbers, const double *hyper,
                                          const double *totals, real *constants);
    void (*step[MT_STEP_COUNT])(int64_t n, const real *constants, real *parameter,
                                const real *gradient, real *const *states);
    /* Before it, for the rules with sums: the pass that adds to them. */
    void (*step_sums[MT_STEP_COUNT])(int64_t n, const real *constants, const real *parameter,
                                     const real *gradient, real *const *states, double *totals);
    /* One step of a whole parameter of shape {batch, rows, columns}. touched: the number of rows that
     * have a gradient, then their indices; NULL where that was not said. */
    void (*step_whole[MT_STEP_COUNT])(const int64_t *shape, const double *numbers,
                                      const double *hyper, const int64_t *touched, real *parameter,
                                      const real *gradient, real *const *states);
    /* Losses of some rows: their sum and the sum of their weights, or, unreduced, each loss. */
    void (*cross_entropy)(int64_t rows, const struct mt_cross_entropy *call, const real *x,
                          const int64_t *target, const real *weight, real *log_sum, double *sums,
                          real *losses);
    /* g_stride is 0 where one gradient serves all rows; divisor is mean's, otherwise 1. */
    void (*cross_entropy_backward)(int64_t rows, const struct mt_cross_entropy *call,
                                   int64_t g_stride, const real *g, double divisor, const real *x,
                                   const int64_t *target, const real *weight, const real *log_sum,
                                   real *out);
    /* Normalization of rows [first, last), of weights, of channels and of samples; scale is 1 / √(v + ε). */
    void (*row_norm)(int64_t first, int64_t last, const struct mt_row_norm *call, const real *x,
                     const real *weight, const real *bias, real *mean, real *scale, real *y);
    void (*row_norm_backward)(int64_t first, int64_t last, const struct mt_row_norm *call,
                              const real *g, const real *x, const real *weight, const real *mean,
                              const real *scale, double *channel_sums, real *out);
    void (*row_norm_weights)(int64_t first, int64_t last, const struct mt_row_norm *call,
                             const real *g, const real *x, const real *mean, const real *scale,
                             const double *channel_sums, real *weight_out, real *bias_out);
    void (*channel_moments)(int64_t first, int64_t last, const struct mt_channels *call,
                            const real *x, real *variance, real *mean);
    void (*channel_norm)(int64_t first, int64_t last, const struct mt_channels *call, const real *x,
                         const real *weight, const real *bias, const real *mean, const real *scale,
                         real *y);
    void (*channel_sums)(int64_t first, int64_t last, const struct mt_channels *call, const real *g,
                         const real *x, const real *mean, const real *scale, real *weight_out,
                         real *bias_out);
    void (*channel_norm_backward)(int64_t first, int64_t last, const struct mt_channels *call,
                                  const real *g, const real *x, const real *weight,
                                  const real *mean, const real *scale, const real *weight_sum,
                                  const real *bias_sum, real *out);
    /* The right factor of a product, packed into panels of so many columns, by which recurrent layers
     * multiply at each step: sequences [first, last) of a batch over all steps. */
    void (*pack_columns)(int64_t columns, int64_t depth, const real *x, int64_t step, int64_t pace,
                         real *packed);
    int64_t packed_panel;
    void (*recurrence)(const struct mt_recurrence *c, int64_t first, int64_t last,
                       const real *gates, const real *panels, const real *bias, real *state,
                       real *memory, real *output, real *before, real *kept, real *cells,
                       real *cells_before, real *work);
    void (*recurrence_backward)(const struct mt_recurrence *c, int64_t first, int64_t last,
                                const real *g, const real *panels, const real *output,
                                const real *before, const real *kept, const real *cells,
                                const real *cells_before, real *state, real *memory, real *by_input,
                                real *by_product, real *work);
    /* Recurrent cells of some sequences of n units. */
    void (*lstm_cell)(int64_t rows, int64_t n, const real *x, const real *h, const real *before,
                      real *gates, real *cell, real *y);
    void (*lstm_cell_backward)(int64_t rows, int64_t n, const real *g, const real *gates,
                               const real *before, const real *cell, real *cell_gradient,
                               real *out);
    void (*gru_cell)(int64_t rows, int64_t n, const real *x, const real *h, const real *before,
                     real *gates, real *y);
    void (*gru_cell_backward)(int64_t rows, int64_t n, const real *g, const real *gates,
                              const real *before, real *x_out, real *h_out, real *direct);
    /* Rows [first, last) of the result; columns [first, last) of the table. */
    void (*embedding)(int64_t first, int64_t last, int64_t columns, const int64_t *index,
                      const real *weight, real *y);
    void (*embedding_backward)(int64_t first, int64_t last, int64_t columns, int64_t count,
                               int64_t padding, const int64_t *index, const real *g, real *out);
    /* Samples [first, last) of a convolution's three forms; the columns of output rows [first, last) of a
     * sample and group, and their sums back. */
    void (*convolution)(const struct mt_convolution *c, int64_t first, int64_t last, const real *x,
                        const real *weight, const real *bias, real *y, real *work);
    void (*convolution_input)(const struct mt_convolution *c, int64_t first, int64_t last,
                              const real *y, const real *weight, const real *bias, real *x,
                              real *work);
    void (*convolution_weight)(const struct mt_convolution *c, int64_t first, int64_t last,
                               const real *x, const real *y, real *weight, real *work);
    void (*unfold)(const struct mt_convolution *c, int64_t first, int64_t last, const real *x,
                   int64_t width, real *columns);
    void (*fold)(const struct mt_convolution *c, int64_t first, int64_t last, const real *columns,
                 int64_t width, real *x);
    /* Pooling of some planes. */
    void (*max_windows)(const struct mt_pool *c, int64_t planes, const real *x, real *values,
                        int64_t *indices);
    void (*average_windows)(const struct mt_pool *c, int64_t planes, const real *x, real *y);
    void (*spread_windows)(const struct mt_pool *c, int64_t planes, const real *g, real *x);
    /* One head; mask may be NULL. */
    void (*attention)(const struct mt_attention *call, const real *q, const real *k, const real *v,
                      const real *mask, real *log_sum, real *out);
    void (*attention_backward)(const struct mt_attention *call, const real *q, const real *k,
                               const real *v, const real *mask, const real *g, const real *out,
                               const real *log_sum, real *dq, real *dk, real *dv);
    /* Columns [first, last) of a small product; start is NULL for 0. */
    void (*product)(const struct mt_product *call, int64_t first, int64_t last, const real *a,
                    const real *b, const real *start, real *c);
    void (*random_uniform)(int64_t n, uint64_t seed, uint64_t offset, real *y);
    void (*rrelu)(int64_t n, real lower, real upper, uint64_t seed, uint64_t offset, const real *x,
                  real *slopes, real *y);
    void (*dropout)(int64_t n, real p, uint64_t seed, uint64_t offset, const real *x, real *mask,
                    real *y);
};
