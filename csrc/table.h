/* The kernel table: one row per operation. There is no include guard: whoever includes this file
 * first defines the macros of the kinds it wants and gets one expansion per row; kinds left
 * undefined vanish. The order of rows is the numbering of `op`, which Python asks for by name
 * (mt_kernel_name), so rows may be added anywhere.
 *
 *   MT_UNARY(name)         y = name(x, p, q), a body in activations.inc or arithmetic.inc
 *   MT_BINARY(name)        y = name(a, b, p, q), likewise
 *   MT_ROWS(name)          row by row, in rows.inc
 *   MT_ROWS_BACKWARD(name) its gradient from g and the saved output, in rows.inc
 *   MT_STEP(name, states)  optimizer step with so many state arrays per parameter, in optimizers.inc
 */

#ifndef MT_UNARY
#define MT_UNARY(name)
#endif
#ifndef MT_BINARY
#define MT_BINARY(name)
#endif
#ifndef MT_ROWS
#define MT_ROWS(name)
#endif
#ifndef MT_ROWS_BACKWARD
#define MT_ROWS_BACKWARD(name)
#endif
#ifndef MT_STEP
#define MT_STEP(name, states)
#endif

MT_UNARY(exp)
MT_UNARY(log)
MT_UNARY(relu)
MT_UNARY(leaky_relu)
MT_UNARY(elu)
MT_UNARY(selu)
MT_UNARY(sigmoid)
MT_UNARY(tanh)
MT_UNARY(softplus)
MT_UNARY(softsign)
MT_UNARY(gelu)
MT_UNARY(gelu_tanh)
MT_UNARY(silu)

MT_UNARY(neg)
MT_UNARY(abs)
MT_UNARY(square)
MT_UNARY(sqrt)
MT_UNARY(reciprocal)
MT_UNARY(add_number)
MT_UNARY(sub_number)
MT_UNARY(number_sub)
MT_UNARY(mul_number)
MT_UNARY(div_number)
MT_UNARY(number_div)

MT_BINARY(add)
MT_BINARY(sub)
MT_BINARY(mul)
MT_BINARY(div)

MT_BINARY(relu_backward)
MT_BINARY(leaky_relu_backward)
MT_BINARY(elu_backward)
MT_BINARY(selu_backward)
MT_BINARY(sigmoid_backward)
MT_BINARY(tanh_backward)
MT_BINARY(softplus_backward)
MT_BINARY(softsign_backward)
MT_BINARY(gelu_backward)
MT_BINARY(gelu_tanh_backward)
MT_BINARY(silu_backward)

MT_ROWS(softmax)
MT_ROWS(log_softmax)

MT_ROWS_BACKWARD(softmax_backward)
MT_ROWS_BACKWARD(log_softmax_backward)

MT_STEP(sgd, 1)
MT_STEP(adagrad, 1)
MT_STEP(adadelta, 2)
MT_STEP(rmsprop, 3)
MT_STEP(adam, 3)

#undef MT_UNARY
#undef MT_BINARY
#undef MT_ROWS
#undef MT_ROWS_BACKWARD
#undef MT_STEP
