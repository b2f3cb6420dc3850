// Tensors from shapes, from numbers, from memory.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include <xgrad/autodiff/memory.hpp>
#include "autodiff/ops/rules.hpp"

namespace xgrad {

using engine::source_of;

Literal::Literal(std::initializer_list<Literal> list) try : is_list_(true), list_(list) {
} catch (const std::bad_alloc&) {
  fail_no_memory({}, "numbers");
}

namespace {

// The extents and the widest dtype of nested lists, which must be alike.
struct Outline {
  Shape shape;
  bool any_float = false, any_f64 = false, any_integer = false, any = false;
};
void outline(const Literal& l, int depth, Outline& o, bool first, Source source) {
  if (!l.is_list()) {
    if (depth != o.shape.rank()) fail(source.named("tensor"), "a number beside a list; nest the braces alike");
    o.any = true;
    o.any_float |= is_float(l.dtype());
    o.any_f64 |= l.dtype() == f64;
    o.any_integer |= l.dtype() == i64;
    return;
  }
  const Size n = static_cast<Size>(l.list().size());
  if (first) o.shape.push_back(n);
  else if (depth >= o.shape.rank() || o.shape[depth] != n)
    fail(source.named("tensor"), "lists of different lengths: {} beside {}", n,
         depth < o.shape.rank() ? o.shape[depth] : 0);
  bool lead = first;
  for (const Literal& inner : l.list()) {
    outline(inner, depth + 1, o, lead, source);
    lead = false;
  }
}

DType dtype_of_outline(const Outline& o) {
  if (!o.any) return f64;
  if (o.any_float) return o.any_f64 ? f64 : f32;
  return o.any_integer ? i64 : boolean;
}

void write(const Literal& l, DType dtype, char*& at) {
  if (l.is_list()) {
    for (const Literal& inner : l.list()) write(inner, dtype, at);
    return;
  }
  if (dtype == i64)
    std::memcpy(at, std::array<Size, 1>{l.dtype() == i64 ? l.integer() : static_cast<Size>(l.number())}.data(), 8);
  else engine::write_number(dtype, at, l.number());
  at += item_size(dtype);
}

void require_number(const Literal& number, const char* op, Source source) {
  if (number.is_list()) fail(source.named(op), "expected a number, got a list; tensor({...}) takes lists");
}

Tensor uniform_tensor(const Shape& shape, DType dtype, double number, const char* op, Source source) {
  source = source_of(source);
  constexpr double past_i64 = 0x1p63;
  if (!is_float(dtype) && !(number == std::trunc(number) && std::abs(number) < past_i64))
    fail(source.named(op), "the number {} in a tensor of {}; expected a whole one, or cast a tensor of floats", number,
         name(dtype));
  engine::checked_numel(shape, dtype, op, source);
  return Tensor::adopt(engine::uniform_number(dtype, shape, number, source));
}
Tensor maker(const Shape& shape, const Literal& number, DType dtype, const char* op, Source source) {
  source = source_of(source);
  require_number(number, op, source);
  if (dtype != i64 || number.dtype() != i64) return uniform_tensor(shape, dtype, number.number(), op, source);
  engine::checked_numel(shape, dtype, op, source);
  const Size value = number.integer();  // not through a double
  return Tensor::adopt(engine::uniform_node(dtype, shape, &value, source));
}

}  // namespace

void engine::require_fills(std::size_t numbers, const Shape& shape, Source source) {
  source = source_of(source, "tensor");
  if (checked_numel(shape, f64, "tensor", source) != static_cast<Size>(numbers))
    fail(source, "{} numbers do not fill the shape {}", numbers, shape);
}

Tensor tensor(const Literal& numbers, Source source) try {
  source = source_of(source);
  Outline o;
  outline(numbers, 0, o, true, source);
  const DType dtype = dtype_of_outline(o);
  return filled(
      o.shape, dtype,
      [&](void* memory) {
        char* at = static_cast<char*>(memory);
        write(numbers, dtype, at);
      },
      source, "tensor");
} catch (const std::bad_alloc&) {
  fail_no_memory(source_of(source), "tensor");
}

Tensor zeros(const Shape& shape, DType dtype, Source source) {
  return uniform_tensor(shape, dtype, 0, "zeros", source);
}
Tensor ones(const Shape& shape, DType dtype, Source source) { return uniform_tensor(shape, dtype, 1, "ones", source); }
Tensor full(const Shape& shape, const Literal& number, Source source) {
  return full(shape, number, number.dtype(), source);
}
Tensor full(const Shape& shape, const Literal& number, DType dtype, Source source) {
  return maker(shape, number, dtype, "full", source);
}

namespace {
Tensor like(const In& x, const Literal& number, const char* op) {
  const Tensor t = engine::operand(x, op);
  return maker(t.node()->shape, number, t.node()->dtype, op, source_of(x));
}
}  // namespace

Tensor zeros_like(const In& x) { return like(x, 0, "zeros_like"); }
Tensor ones_like(const In& x) { return like(x, 1, "ones_like"); }
Tensor full_like(const In& x, const Literal& number) { return like(x, number, "full_like"); }

Tensor eye(At extent, DType dtype, Source source) {
  const Size n = extent;
  return filled(
      Shape{n, n}, dtype,
      [&](void* memory) {
        std::memset(memory, 0, static_cast<std::size_t>(n * n * item_size(dtype)));
        for (Size i = 0; i < n; ++i)
          engine::write_number(dtype, static_cast<char*>(memory) + (i * n + i) * item_size(dtype), 1);
      },
      source, "eye");
}

namespace {

[[noreturn]] void fail_range(const Literal& begin, const Literal& end, const Literal& step, Source source) {
  fail(source.named("arange"),
       "expected begin <= end where the step is above 0 (begin >= end below), and less than 2^63 "
       "numbers, got from {} to {} by {}",
       begin.number(), end.number(), step.number());
}
// How many steps before the end: ceil((end - begin) / step)
Tensor whole_range(const Literal& from, const Literal& to, const Literal& by, Source source) {
  const Size begin = from.integer(), end = to.integer(), step = by.integer();
  Size span;
  if (step == 0 || __builtin_sub_overflow(end, begin, &span) || (span != 0 && (span < 0) != (step < 0)))
    fail_range(from, to, by, source);
  const Size n = step == -1 ? -span : span / step + (span % step != 0);
  return filled(
      Shape{n}, i64,
      [&](void* memory) {
        for (Size i = 0; i < n; ++i) static_cast<Size*>(memory)[i] = begin + i * step;
      },
      source, "arange");
}
Tensor float_range(const Literal& from, const Literal& to, const Literal& by, DType dtype, Source source) {
  const double begin = from.number(), step = by.number(), count = std::ceil((to.number() - begin) / step);
  if (!(count >= 0 && count < 0x1p63)) fail_range(from, to, by, source);
  const Size n = static_cast<Size>(count);
  return filled(
      Shape{n}, dtype,
      [&](void* memory) {
        for (Size i = 0; i < n; ++i)
          engine::write_number(dtype, static_cast<char*>(memory) + i * item_size(dtype),
                               begin + static_cast<double>(i) * step);
      },
      source, "arange");
}

// f64 where one is a double, else f32 where one is a float, else `integers`.
DType dtype_of_numbers(std::initializer_list<const Literal*> list, DType integers) {
  DType dtype = integers;
  for (const Literal* l : list) {
    if (l->dtype() == f64) return f64;
    if (l->dtype() == f32) dtype = f32;
  }
  return dtype;
}

}  // namespace

Tensor arange(const Literal& end, Source source) { return arange(0, end, 1, source); }
Tensor arange(const Literal& begin, const Literal& end, Source source) { return arange(begin, end, 1, source); }
Tensor arange(const Literal& begin, const Literal& end, const Literal& step, Source source) {
  source = source_of(source);
  for (const Literal* l : {&begin, &end, &step}) require_number(*l, "arange", source);
  const DType dtype = dtype_of_numbers({&begin, &end, &step}, i64);
  return is_float(dtype) ? float_range(begin, end, step, dtype, source) : whole_range(begin, end, step, source);
}

Tensor linspace(const Literal& from, const Literal& to, At count, Source source) {
  return linspace(from, to, count, dtype_of_numbers({&from, &to}, f64), source);
}
// from + i w, or to - (n - 1 - i) w, from the nearer end; the ends are exact
Tensor linspace(const Literal& begin, const Literal& end, At points, DType dtype, Source source) {
  source = source_of(source, "linspace");
  const Size count = points;
  require_number(begin, "linspace", source);
  require_number(end, "linspace", source);
  if (count < 0 || !is_float(dtype))
    fail(source, "expected a count of 0 or more and floats, got {} and {}", count, name(dtype));
  const double from = begin.number(), to = end.number(), steps = static_cast<double>(std::max<Size>(1, count - 1));
  const double width = std::isfinite(to - from) ? (to - from) / steps : to / steps - from / steps;
  return filled(
      Shape{count}, dtype,
      [&](void* memory) {
        for (Size i = 0; i < count; ++i) {
          const Size left = count - 1 - i;
          const double x = i == 0      ? from
                           : left == 0 ? to
                           : i <= left ? from + static_cast<double>(i) * width
                                       : to - static_cast<double>(left) * width;
          engine::write_number(dtype, static_cast<char*>(memory) + i * item_size(dtype), x);
        }
      },
      source, "linspace");
}

Tensor from_memory(const void* bytes, const Shape& shape, DType dtype, Source source) {
  return filled(
      shape, dtype,
      [&](void* memory) {
        const auto n = static_cast<std::size_t>(shape.numel() * item_size(dtype));
        if (n && !bytes)
          fail(source_of(source, "from_memory"), "expected numbers for the shape {}, got a null pointer", shape);
        if (n) std::memcpy(memory, bytes, n);
      },
      source, "from_memory");
}

}  // namespace xgrad
