/* The kernel table: one row per operation. There is no include guard: whoever includes this file
 * first defines the macros of the kinds it wants and gets one expansion per row; kinds left
 * undefined vanish. The order of rows is the numbering of `op`, which Python asks for by name
 * (mt_kernel_name), so rows may be added anywhere.
 *
 *   MT_UNARY(name)         y = name(x, p, q), a body in activations*.inc or arithmetic.inc
 *   MT_BINARY(name)        y = name(a, b, p, q), likewise
 *   MT_ACTIVATION(name)    a unary row and the binary one of its gradient, name_backward
 *   MT_ACTIVATION_SCALED(name)
 *                          the same; its p is a scale that is 1 unless said otherwise
 *   MT_PERIODIC(name, frequency)
 *                          the same of sine and cosine of frequency * x, in activations_periodic.inc
 *   MT_GATED(name, gate, saved)
 *                          y = a * gate(b) over the halves of x, and its gradient, in gated.inc; the
 *                          gate's gradient reads its `input` or `output`
 *   MT_LEARNED(name, parameters, terms)
 *                          y = name(x, parameters), these one number or one per channel each, and its
 *                          gradients, in learned.inc; with `terms` a leading dimension is added up
 *   MT_ROWS(name)          row by row, in rows.inc
 *   MT_ROWS_BACKWARD(name) its gradient from g and the saved output, in rows.inc
 *   MT_REDUCE(name)        over one of three dimensions, in reduce.inc
 *
 * Optimizer steps, in optimizers*.inc, each with the number of state arrays and of plain numbers (the
 * first counts the steps) that it keeps for a parameter:
 *   MT_STEP(name, states, numbers)        one pass over the elements, whatever their shape
 *   MT_STEP_SUMS(name, states, numbers)   a pass that also sums over the parameter (or the group), and
 *                                         a second one that moves it by what the sums say
 *   MT_STEP_WHOLE(name, states, numbers)  one whole parameter at a time, whose shape matters
 * Whoever defines MT_STEP alone gets the rows of all three.
 */

#ifndef MT_UNARY
#define MT_UNARY(name)
#endif
#ifndef MT_BINARY
#define MT_BINARY(name)
#endif
#ifndef MT_UNARY_SCALED
#define MT_UNARY_SCALED(name) MT_UNARY(name)
#endif
#define MT_ACTIVATION_SCALED(name)                                                                 \
    MT_UNARY_SCALED(name)                                                                          \
    MT_BINARY(name##_backward)
#define MT_ACTIVATION(name)                                                                        \
    MT_UNARY(name)                                                                                 \
    MT_BINARY(name##_backward)
#ifndef MT_PERIODIC
#define MT_PERIODIC(name, frequency) MT_ACTIVATION(name)
#endif
#ifndef MT_GATED
#define MT_GATED(name, gate, saved)
#endif
#ifndef MT_LEARNED
#define MT_LEARNED(name, parameters, terms)
#endif
#ifndef MT_ROWS
#define MT_ROWS(name)
#endif
#ifndef MT_ROWS_BACKWARD
#define MT_ROWS_BACKWARD(name)
#endif
#ifndef MT_REDUCE
#define MT_REDUCE(name)
#endif
#ifndef MT_STEP
#define MT_STEP(name, states, numbers)
#endif
#ifndef MT_STEP_SUMS
#define MT_STEP_SUMS(name, states, numbers) MT_STEP(name, states, numbers)
#endif
#ifndef MT_STEP_WHOLE
#define MT_STEP_WHOLE(name, states, numbers) MT_STEP(name, states, numbers)
#endif

MT_UNARY(exp)
MT_UNARY(expm1)
MT_UNARY(log)

MT_UNARY(unit_step)
MT_UNARY(signum)
MT_ACTIVATION(relu)
MT_ACTIVATION(leaky_relu)
MT_ACTIVATION(absolute)
MT_ACTIVATION(hardsigmoid)
MT_ACTIVATION(hardtanh)
MT_ACTIVATION(threshold)
MT_ACTIVATION(hardshrink)
MT_ACTIVATION(softshrink)
MT_ACTIVATION(hardswish)
MT_ACTIVATION(squared_relu)
MT_ACTIVATION(sigmoid)
MT_ACTIVATION(tanh)
MT_ACTIVATION(lecun_tanh)
MT_ACTIVATION(symmetrical_sigmoid)
MT_ACTIVATION(softsign)
MT_ACTIVATION(arctan)
MT_ACTIVATION(log_log)
MT_ACTIVATION(gaussian)
MT_ACTIVATION(bent_identity)
MT_ACTIVATION(elu)
MT_ACTIVATION(selu)
MT_ACTIVATION_SCALED(celu)
MT_ACTIVATION_SCALED(softplus)
MT_ACTIVATION(logsigmoid)
MT_ACTIVATION(tanhshrink)
MT_ACTIVATION(gelu)
MT_ACTIVATION(gelu_tanh)
MT_ACTIVATION(silu)
MT_ACTIVATION(mish)
MT_ACTIVATION(serf)
MT_ACTIVATION(elish)
MT_ACTIVATION(tanh_exp)

MT_PERIODIC(sinusoid, R(1.0))
MT_PERIODIC(cosine, R(1.0))
MT_PERIODIC(unnormalized_sinc, R(1.0))

MT_LEARNED(prelu, 1, 0)
MT_LEARNED(srelu, 4, 0)
MT_LEARNED(star_relu, 2, 0)
MT_LEARNED(soft_exponential, 1, 0)
MT_LEARNED(snake, 1, 0)
MT_LEARNED(apl, 2, 1)

MT_GATED(glu, sigmoid, output)
MT_GATED(reglu, relu, output)
MT_GATED(geglu, gelu, input)
MT_GATED(swiglu, silu, input)

MT_UNARY(neg)
MT_UNARY(abs)
MT_UNARY(square)
MT_UNARY(sqrt)
MT_UNARY(rsqrt)
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

MT_ROWS(softmax)
MT_ROWS(softmin)
MT_ROWS(log_softmax)

MT_ROWS_BACKWARD(softmax_backward)
MT_ROWS_BACKWARD(softmin_backward)
MT_ROWS_BACKWARD(log_softmax_backward)

MT_REDUCE(sum)
MT_REDUCE(mean)
MT_REDUCE(amax)
MT_REDUCE(amin)

MT_STEP(sgd, 1, 1)
MT_STEP(asgd, 1, 3)
MT_STEP(rprop, 2, 1)
MT_STEP(adagrad, 1, 1)
MT_STEP(adadelta, 2, 1)
MT_STEP(rmsprop, 3, 1)
MT_STEP(adam, 3, 1)
MT_STEP(adamax, 2, 1)
MT_STEP(nadam, 2, 2)
MT_STEP(radam, 2, 1)
MT_STEP(lion, 1, 1)
MT_STEP(adabelief, 2, 1)
MT_STEP(yogi, 2, 1)
MT_STEP(schedule_free_sgd, 1, 1)
MT_STEP(schedule_free_adamw, 2, 1)
MT_STEP(average, 1, 1)

MT_STEP_SUMS(lamb, 2, 1)
MT_STEP_SUMS(lars, 1, 1)
MT_STEP_SUMS(prodigy, 4, 1)

MT_STEP_WHOLE(sparse_adam, 2, 1)
MT_STEP_WHOLE(adafactor, 3, 1)
MT_STEP_WHOLE(muon, 5, 1)

#undef MT_UNARY
#undef MT_UNARY_SCALED
#undef MT_BINARY
#undef MT_ACTIVATION
#undef MT_ACTIVATION_SCALED
#undef MT_PERIODIC
#undef MT_GATED
#undef MT_LEARNED
#undef MT_ROWS
#undef MT_ROWS_BACKWARD
#undef MT_REDUCE
#undef MT_STEP
#undef MT_STEP_SUMS
#undef MT_STEP_WHOLE
