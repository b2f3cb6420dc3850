// Convolutions: the op and its transposes in x and in the weight. Each is linear in both operands, and the cotangents of
// one are the two others.
#include "autodiff/ops/convolution.hpp"

#include <fmt/format.h>

#include <cstring>
#include <limits>

#include <xgrad/autodiff/convolution.hpp>

namespace xgrad::engine {

constexpr std::size_t before_window = 64;  // bytes, the first of which tells the size class

void* Window::operator new(std::size_t bytes, const char* op, Source source) {
  std::uint8_t pool = 0;
  char* memory = take_buffer(before_window + bytes, pool, op, source);
  std::memcpy(memory, &pool, sizeof pool);
  return memory + before_window;
}
void Window::operator delete(void* window) noexcept {
  char* memory = static_cast<char*>(window) - before_window;
  std::uint8_t pool;
  std::memcpy(&pool, memory, sizeof pool);
  give_buffer(memory, pool);
}

namespace {

// The convolution of which x, w and y are; y's channels are w's first axis.
kernels::Convolution convolution_of(const Node* n, const Shape& x, const Shape& w, const Shape& y) {
  const Window& window = told<Window>(n);
  kernels::Convolution c{x[0], window.groups, w[1], window.groups == 0 ? 0 : w[0] / window.groups, {}, {}, {}, {}, {},
                         {}};
  for (int i = 0; i < Window::most_axes; ++i) c.image[i] = c.kernel[i] = c.result[i] = 1;
  for (int axis = 0; axis < window.axes; ++axis) {
    const int i = window.place(axis);
    c.image[i] = x[axis + 2], c.kernel[i] = w[axis + 2], c.result[i] = y[axis + 2];
  }
  for (int i = 0; i < Window::most_axes; ++i) {
    c.padding[i] = window.padding[i];
    c.stride[i] =
        c.result[i] == 1 ? 1 : window.stride[i];  // of one window, or a kernel of one number, the user's number
    c.dilation[i] = c.kernel[i] == 1 ? 1 : window.dilation[i];  // says nothing, and may be too large for products
  }
  return c;
}

kernels::Convolution convolution_of(const Node* n) {
  const Shape &a = n->in[0]->shape, &b = n->in[1]->shape;
  if (n->op == Op::convolution) return convolution_of(n, a, b, n->shape);
  if (n->op == Op::convolution_transposed) return convolution_of(n, n->shape, b, a);
  return convolution_of(n, a, n->shape, b);
}
constexpr kernels::Convolved made_by(Op op) {
  return op == Op::convolution              ? kernels::Convolved::y
         : op == Op::convolution_transposed ? kernels::Convolved::x
                                            : kernels::Convolved::w;
}

// f(c, a, b, bias, out, memory)
template <class F>
void compute_convolved(Node* n, const F& f) {
  const kernels::Convolution c = convolution_of(n);
  const Tensor a = dense(n->in[0]), b = dense(n->in[1]), bias = n->inputs > 2 ? dense(n->in[2]) : Tensor();
  const Size bytes = kernels::convolution_memory(n->dtype, c, made_by(n->op));
  const Tensor memory = Tensor::adopt(new_node(Op::leaf, DType::boolean, Shape{bytes}, {n->file, n->line}));
  char* scratch = allocate(memory.node(), rule(n->op).name);
  char* out = allocate(n);
  f(c, a.node()->data, b.node()->data, bias.defined() ? static_cast<char*>(bias.node()->data) : nullptr, out, scratch);
  n->data = out;
}

Tensor again(Op op, const Step& s, const Tensor& a, const Tensor& b, const Shape& shape) {
  return record(op, s.n->dtype, shape, {a.node(), b.node()}, {{0, 0, 0, 0}, s.n->extra->told}, s.source());
}

}  // namespace

// y = x * w + b:   gx = the transpose in x, of g and w    gw = the transpose in w, of x and g    gb = g
void compute_convolution(Node* n) {
  compute_convolved(n, [n](const kernels::Convolution& c, const char* x, const char* w, const char* bias, char* y,
                           char* memory) { kernels::convolve(n->dtype, c, x, w, bias, y, memory); });
}
Tensors vjp_convolution(const Step& s) {
  return {s.wants(0) ? again(Op::convolution_transposed, s, s.g, s.x(1), s.n->in[0]->shape) : Tensor(),
          s.wants(1) ? again(Op::convolution_weight, s, s.x(0), s.g, s.n->in[1]->shape) : Tensor(), s.g};
}

// x from y and w, + b:   gy = g * w    gw = the transpose in w, of g and y    gb = g
void compute_convolution_transposed(Node* n) {
  compute_convolved(n, [n](const kernels::Convolution& c, const char* y, const char* w, const char* bias, char* x,
                           char* memory) { kernels::convolve_to_x(n->dtype, c, y, w, bias, x, memory); });
}
Tensors vjp_convolution_transposed(const Step& s) {
  return {s.wants(0) ? again(Op::convolution, s, s.g, s.x(1), s.n->in[0]->shape) : Tensor(),
          s.wants(1) ? again(Op::convolution_weight, s, s.g, s.x(0), s.n->in[1]->shape) : Tensor(), s.g};
}

// w from x and y:   gx = the transpose in x, of y and g    gy = x * g
void compute_convolution_weight(Node* n) {
  compute_convolved(n, [n](const kernels::Convolution& c, const char* x, const char* y, const char*, char* w,
                           char* memory) { kernels::convolve_to_w(n->dtype, c, x, y, w, memory); });
}
Tensors vjp_convolution_weight(const Step& s) {
  return {s.wants(0) ? again(Op::convolution_transposed, s, s.x(1), s.g, s.n->in[0]->shape) : Tensor(),
          s.wants(1) ? again(Op::convolution, s, s.x(0), s.g, s.n->in[1]->shape) : Tensor()};
}

void set_per_axis(Size (&to)[Window::most_axes], const Window& w, const Shape& numbers, Size least, const char* what,
                  const char* op, Source source) {
  if (numbers.rank() != 1 && numbers.rank() != w.axes)
    fail(source.named(op), "expected one {} for all axes, or one for each of {}, got {}", what, w.axes, numbers);
  for (int axis = 0; axis < w.axes; ++axis) {
    const Size number = numbers[numbers.rank() == 1 ? 0 : axis];
    if (number < least) fail(source.named(op), "expected a {} of {} or more, got {}", what, least, number);
    to[w.place(axis)] = number;
  }
}

Size windows_along(const Window& w, int axis, Size image, Size kernel, bool ceil_mode, const char* op, Source source) {
  using Wide = __int128;  // numbers of the user's, whose products may be too large
  const int i = w.place(axis);
  const Wide padded = image + 2 * Wide{w.padding[i]}, reach = Wide{w.dilation[i]} * (kernel - 1) + 1;
  if (padded > std::numeric_limits<Size>::max() / 4)
    fail(source.named(op), "a padding of {} makes the image too large", w.padding[i]);
  if (ceil_mode && reach > padded && reach - padded < w.stride[i]) return 1;  // the only window, cut off; of pools
  if (reach > padded)
    fail(source.named(op),
         "the kernel reaches over {} numbers, of which the padded image has {}: extent {}, padding {}, "
         "kernel {}, dilation {}",
         reach > padded + 1'000'000'000 ? "too many" : fmt::format("{}", static_cast<Size>(reach)),
         static_cast<Size>(padded), image, w.padding[i], kernel, w.dilation[i]);
  const Size left = static_cast<Size>(padded - reach), stride = w.stride[i];
  Size count = left / stride + 1;
  if (ceil_mode && left % stride != 0 && count * Wide{stride} < Wide{image} + w.padding[i])
    ++count;  // it begins in the image
  return count;
}

Images images_of(const Tensor& x, int axes, const char* op, Source source) {
  const Shape& shape = x.node()->shape;
  constexpr const char* names[] = {"length", "height, width", "depth, height, width"};
  if (shape.rank() != axes + 1 && shape.rank() != axes + 2)
    fail(source.named(op), "expected x [batch, channels, {}], or [channels, {}] of one example, got {}",
         names[axes - 1], names[axes - 1], shape);
  const bool single = shape.rank() == axes + 1;
  return {single ? unsqueeze(x, 0) : x, single};
}

Tensor convolved(Op op, const Tensor& a, const Tensor& b, const Tensor& bias, const Shape& shape,
                 const Ref<const Told>& window, const char* name, Source source) {
  checked_numel(shape, a.node()->dtype, name, source);
  Node* const in[] = {a.node(), b.node(), bias.node()};
  return record(op, a.node()->dtype, shape, in, bias.defined() ? 3 : 2, {{0, 0, 0, 0}, window}, source);
}

}  // namespace xgrad::engine

namespace xgrad {

using engine::Op;
using engine::operand;
using engine::source_of;
using engine::Window;

namespace {

// Operands of one float dtype; x with a batch, the bias as [out, 1, ...].
struct Operands {
  engine::Images images;
  Tensor w, bias;
};
Operands operands_of(int axes, const char* op, const In& x_in, const In& w_in, const In* bias_in, Source source) {
  Tensor x = operand(x_in, op), w = operand(w_in, op), bias;
  const DType dtype = engine::meet(x, w, op, source);
  if (!is_float(dtype)) fail(source.named(op), "expected floats, got {}; cast first: cast(x, f32)", name(dtype));
  const engine::Images images = engine::images_of(engine::converted(x, dtype), axes, op, source);
  if (w.node()->shape.rank() != axes + 2)
    fail(source.named(op), "expected a weight of {} axes, got {}", axes + 2, w.node()->shape);
  if (bias_in && bias_in->node()) {
    bias = engine::converted(operand(*bias_in, op), dtype);
  } else if (bias_in && bias_in->is_number()) {
    fail(source.named(op), "expected a bias with a number for each channel, got a number");
  }
  return {images, engine::converted(w, dtype), bias};
}

// The bias so that it broadcasts: [out, 1, ...].
Tensor bias_of(const Tensor& bias, Size out, int axes, const char* op, Source source) {
  if (!bias.defined()) return bias;
  if (!(bias.node()->shape == Shape{out}))
    fail(source.named(op), "expected a bias [{}], got {}", out, bias.node()->shape);
  Shape shape{out};
  for (int i = 0; i < axes; ++i) shape.push_back(1);
  return engine::reshape_to(bias, shape, source);
}

// Stride, padding, dilation and groups; the channels that are given and made must fall into groups.
template <class Options>
Window* window_of(int axes, const Options& options, Size channels, const char* of_what, const char* op, Source source) {
  auto* w = new (op, source) Window;
  const engine::Ref<const engine::Told> held(w);
  w->axes = axes;
  w->groups = options.groups;
  engine::set_per_axis(w->stride, *w, options.stride, 1, "stride", op, source);
  engine::set_per_axis(w->padding, *w, options.padding, 0, "padding", op, source);
  engine::set_per_axis(w->dilation, *w, options.dilation, 1, "dilation", op, source);
  if (w->groups < 1 || channels % w->groups != 0)
    fail(source.named(op), "{} groups do not divide the {} {}", w->groups, channels, of_what);
  engine::retain(static_cast<const engine::Told*>(w));
  return w;
}

// Does each number of the image meet one tap of the kernel, at one position? Then it is a product of matrices.
bool meets_once(const Window& window, const Shape& image, const Shape& kernel) {
  bool once = window.groups == 1;
  for (int axis = 0; axis < window.axes; ++axis) {
    const int i = window.place(axis);
    once &= image[axis + 2] == kernel[axis + 2] && window.padding[i] == 0 &&
            (window.dilation[i] == 1 || kernel[axis + 2] == 1);
  }
  return once;
}
Tensor as_matrix(const Tensor& x, Source source) {
  const Shape& shape = x.node()->shape;
  Size columns = 1;
  for (int i = 1; i < shape.rank(); ++i) columns *= shape[i];
  return engine::reshape_to(x, {shape[0], columns}, source);
}

Tensor convolution(int axes, const char* op, const In& x, const In& weight, const In* bias,
                   const ConvolutionOptions& options) {
  const Source source = source_of(x);
  const Located at(source, op);
  const Operands in = operands_of(axes, op, x, weight, bias, source);
  const Shape &image = in.images.x.node()->shape, &w = in.w.node()->shape;
  const Window* window = window_of(axes, options, w[0], "channels of the weight", op, source);
  const engine::Ref<const engine::Told> told(window);
  if (image[1] % window->groups != 0 || image[1] / window->groups != w[1])
    fail(source.named(op), "x has {} channels, the weight is for {} in {} {}: {} and {}", image[1], w[1],
         window->groups, window->groups == 1 ? "group" : "groups", in.images.given(), w);
  Shape shape{image[0], w[0]};
  for (int axis = 0; axis < axes; ++axis) {
    if (w[axis + 2] == 0) fail(source.named(op), "the kernel has no numbers: {}", w);
    shape.push_back(engine::windows_along(*window, axis, image[axis + 2], w[axis + 2], false, op, source));
  }
  if (meets_once(*window, image, w)) {
    engine::checked_numel(shape, in.w.node()->dtype, op, source);
    if (in.bias.defined()) bias_of(in.bias, w[0], axes, op, source);
    const Tensor y = linear(as_matrix(in.images.x, source), as_matrix(in.w, source), in.bias);
    return in.images.result(engine::reshape_to(y, shape, source));
  }
  return in.images.result(engine::convolved(Op::convolution, in.images.x, in.w,
                                            bias_of(in.bias, w[0], axes, op, source), shape, told, op, source));
}

Tensor transposed_convolution(int axes, const char* op, const In& x, const In& weight, const In* bias,
                              const TransposedConvolutionOptions& options) {
  const Source source = source_of(x);
  const Located at(source, op);
  const Operands in = operands_of(axes, op, x, weight, bias, source);
  const Shape &image = in.images.x.node()->shape, &w = in.w.node()->shape;
  const Window* window = window_of(axes, options, w[0], "channels of the weight", op, source);
  const engine::Ref<const engine::Told> told(window);
  if (image[1] != w[0])
    fail(source.named(op), "x has {} channels, the weight is for {}: {} and {}", image[1], w[0], in.images.given(), w);
  Size more[Window::most_axes] = {0, 0, 0};
  engine::set_per_axis(more, *window, options.output_padding, 0, "output_padding", op, source);
  Shape shape{image[0], w[1]};
  if (__builtin_mul_overflow(w[1], window->groups, &shape[1])) fail(source.named(op), "too many channels");
  for (int axis = 0; axis < axes; ++axis) {
    const int i = window->place(axis);
    const Size kernel = w[axis + 2];
    if (kernel == 0) fail(source.named(op), "the kernel has no numbers: {}", w);
    if (more[i] >= std::max(window->stride[i], window->dilation[i]))
      fail(source.named(op), "expected an output_padding less than the stride or the dilation, got {} of {} and {}",
           more[i], window->stride[i], window->dilation[i]);
    using Wide = __int128;
    const Wide extent = Wide{window->stride[i]} * (image[axis + 2] - 1) - 2 * Wide{window->padding[i]} +
                        Wide{window->dilation[i]} * (kernel - 1) + more[i] + 1;
    if (extent < 1 || extent > std::numeric_limits<Size>::max() / 4)
      fail(source.named(op),
           "{} along axis {} of the image: nothing is left, or too much: extent {}, stride {}, padding {}, "
           "kernel {}, dilation {}",
           extent < 1 ? "less than 1" : "too many", axis, image[axis + 2], window->stride[i], window->padding[i],
           kernel, window->dilation[i]);
    shape.push_back(static_cast<Size>(extent));
  }
  bool one_place = meets_once(*window, shape, w);
  for (int axis = 0; axis < axes; ++axis) one_place &= image[axis + 2] == 1;
  if (one_place) {
    engine::checked_numel(shape, in.w.node()->dtype, op, source);
    const Tensor bias = bias_of(in.bias, shape[1], axes, op, source);
    const Tensor y = engine::reshape_to(matmul(as_matrix(in.images.x, source), as_matrix(in.w, source)), shape, source);
    return in.images.result(bias.defined() ? y + bias : y);
  }
  return in.images.result(engine::convolved(Op::convolution_transposed, in.images.x, in.w,
                                            bias_of(in.bias, shape[1], axes, op, source), shape, told, op, source));
}

}  // namespace

#define CONVOLUTION(name, axes, options_type, f)                                            \
  Tensor name(const In& x, const In& weight, const options_type& options) {                 \
    return f(axes, #name, x, weight, nullptr, options);                                     \
  }                                                                                         \
  Tensor name(const In& x, const In& weight, const In& bias, const options_type& options) { \
    return f(axes, #name, x, weight, &bias, options);                                       \
  }
CONVOLUTION(conv1d, 1, ConvolutionOptions, convolution)
CONVOLUTION(conv2d, 2, ConvolutionOptions, convolution)
CONVOLUTION(conv3d, 3, ConvolutionOptions, convolution)
CONVOLUTION(conv_transpose1d, 1, TransposedConvolutionOptions, transposed_convolution)
CONVOLUTION(conv_transpose2d, 2, TransposedConvolutionOptions, transposed_convolution)
CONVOLUTION(conv_transpose3d, 3, TransposedConvolutionOptions, transposed_convolution)
#undef CONVOLUTION

}  // namespace xgrad
