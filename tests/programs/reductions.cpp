// Reductions, and what goes along an axis.
#include "generator.hpp"

namespace programs {

namespace {

struct Reduction {
  const char* name;
  Tensor (*whole)(const In& x);
  Tensor (*axis)(const In& x, Size axis, bool keepdim);
  bool smooth, of_none, of_integers, grows;
};
const std::vector<Reduction> reductions{
    {"sum", [](const In& x) { return sum(x); }, [](const In& x, Size a, bool k) { return sum(x, a, k); }, true, true,
     true, true},
    {"mean", [](const In& x) { return mean(x); }, [](const In& x, Size a, bool k) { return mean(x, a, k); }, true,
     false, false, false},
    {"amax", [](const In& x) { return amax(x); }, [](const In& x, Size a, bool k) { return amax(x, a, k); }, false,
     false, true, false},
    {"amin", [](const In& x) { return amin(x); }, [](const In& x, Size a, bool k) { return amin(x, a, k); }, false,
     false, true, false},
};

Shape reduced(Shape shape, int axis, bool keepdim) {
  if (keepdim) shape[axis] = 1;
  else shape.erase(axis);
  return shape;
}

Tensor one_plus_norm(const Tensor& x) { return norm(concat({reshape(x, {-1}), ones({1}, x.dtype())})); }

}  // namespace

void Generator::reduce_all() {
  if (!p_.smooth && dice_.chance(0.15)) {
    const int x = find([&](int i) { return at(i).dtype == boolean; });
    if (x < 0) return;
    const bool every = dice_.chance(0.5);
    add(fmt::format("{}(%{})", every ? "all" : "any", x), {x}, boolean, {}, 1,
        [=](const Tensors& in) { return every ? all(in[0]) : any(in[0]); });
    return;
  }
  const Reduction& r = dice_.by_name(reductions);
  const int x = find([&](int i) {
    return (is_float(at(i).dtype) ||
            (!p_.smooth && r.of_integers && (at(i).dtype == i64 || (r.of_none && dice_.chance(0.2))))) &&
           (r.of_none || at(i).shape.numel() > 0);
  });
  if (x < 0 || (p_.smooth && !r.smooth)) return;
  const DType dtype = at(x).dtype;
  const double n = static_cast<double>(at(x).shape.numel());
  if (is_float(dtype) && dice_.chance(0.1)) {
    add(fmt::format("norm(concat(%{}, 1))", x), {x}, dtype, {}, bound(x) * n + 1,
        [](const Tensors& in) { return one_plus_norm(in[0]); });
  } else {
    add(fmt::format("{}(%{})", r.name, x), {x}, dtype == boolean ? i64 : dtype, {}, r.grows ? bound(x) * n : bound(x),
        [op = r.whole](const Tensors& in) { return op(in[0]); });
  }
}

void Generator::reduce_axis() {
  const int x = find([&](int i) { return !at(i).shape.empty() && is_float(at(i).dtype); });
  if (x < 0) return;
  const Shape shape = at(x).shape;
  const int axis = some_axis(shape);
  const bool keepdim = dice_.chance(0.5);
  const Size shown = dice_.chance(0.5) ? axis : axis - shape.rank();
  if (!p_.smooth && dice_.chance(0.15)) {
    if (shape[axis] == 0) return;
    const bool greatest = dice_.chance(0.5);
    add(fmt::format("arg{}(%{}, {}, {})", greatest ? "max" : "min", x, shown, keepdim), {x}, i64,
        reduced(shape, axis, keepdim), static_cast<double>(shape[axis]),
        [=](const Tensors& in) { return greatest ? argmax(in[0], shown, keepdim) : argmin(in[0], shown, keepdim); });
    return;
  }
  const Reduction& r = dice_.by_name(reductions);
  if ((p_.smooth && !r.smooth) || (!r.of_none && shape[axis] == 0)) return;
  add(fmt::format("{}(%{}, {}, {})", r.name, x, shown, keepdim), {x}, at(x).dtype, reduced(shape, axis, keepdim),
      r.grows ? bound(x) * static_cast<double>(shape[axis]) : bound(x),
      [=, op = r.axis](const Tensors& in) { return op(in[0], shown, keepdim); });
}

void Generator::reduce_axes() {
  const int x = find([&](int i) { return at(i).shape.rank() >= 2 && is_float(at(i).dtype); });
  if (x < 0) return;
  const Shape shape = at(x).shape;
  const int a = static_cast<int>(dice_.below(shape.rank()));
  const int b = (a + static_cast<int>(dice_.between(1, shape.rank() - 1))) % shape.rank();
  const Size n = shape[a] * shape[b];
  const bool keepdim = dice_.chance(0.5), average = n > 0 && dice_.chance(0.5);
  add(fmt::format("{}(%{}, {{{}, {}}}, {})", average ? "mean" : "sum", x, a, b, keepdim), {x}, at(x).dtype,
      reduced(reduced(shape, std::max(a, b), keepdim), std::min(a, b), keepdim),
      average ? bound(x) : bound(x) * static_cast<double>(n), [=](const Tensors& in) {
        return average ? mean(in[0], {a, b}, keepdim) : sum(in[0], {a, b}, keepdim);
      });
}

void Generator::along_axis() {
  int x = find([&](int i) { return !at(i).shape.empty() && is_float(at(i).dtype) && at(i).shape.numel() > 0; });
  if (x < 0) return;
  x = limited(x);
  const Shape shape = at(x).shape;
  const DType dtype = at(x).dtype;
  const int axis = some_axis(shape);
  const double n = static_cast<double>(shape[axis]), b = bound(x);
  const bool keepdim = dice_.chance(0.5);
  switch (dice_.below(6)) {
    case 0:
      add(fmt::format("softmax(%{}, {})", x, axis), {x}, dtype, shape, 1,
          [=](const Tensors& in) { return softmax(in[0], axis); });
      return;
    case 1:
      if (dice_.chance(0.5)) {
        const Shape lines = reduced(shape, axis, false);
        const int at = index(shape[axis], lines);
        add(fmt::format("log_softmax(%{}, {}, %{})", x, axis, at), {x, at}, dtype, lines, 2 * b + std::log(n),
            [=](const Tensors& in) { return log_softmax(in[0], axis, in[1]); });
        return;
      }
      add(fmt::format("log_softmax(%{}, {})", x, axis), {x}, dtype, shape, 2 * b + std::log(n),
          [=](const Tensors& in) { return log_softmax(in[0], axis); });
      return;
    case 2:
      add(fmt::format("logsumexp(%{}, {}, {})", x, axis, keepdim), {x}, dtype, reduced(shape, axis, keepdim),
          b + std::log(n), [=](const Tensors& in) { return logsumexp(in[0], axis, keepdim); });
      return;
    case 3:
      if (n < 2) return;
      add(fmt::format("var(%{}, {}, 1, {})", x, axis, keepdim), {x}, dtype, reduced(shape, axis, keepdim), 4 * b * b,
          [=](const Tensors& in) { return var(in[0], axis, 1, keepdim); });
      return;
    case 4:
      add(fmt::format("cumsum(%{}, {})", x, axis), {x}, dtype, shape, b * n,
          [=](const Tensors& in) { return cumsum(in[0], axis); });
      return;
    default: standardize_rows(x);
  }
}

void Generator::standardize_rows(int x) {
  const Shape shape = at(x).shape;
  const DType dtype = at(x).dtype;
  const int axes = static_cast<int>(dice_.between(1, shape.rank()));
  Shape row;
  for (int i = shape.rank() - axes; i < shape.rank(); ++i) row.push_back(shape[i]);
  double b = std::sqrt(static_cast<double>(row.numel()));
  std::vector<int> in{x};
  const bool centred = dice_.chance(0.6), weighted = dice_.chance(0.5), biased = centred && dice_.chance(0.5);
  if (weighted) in.push_back(limited(matrix(dtype, row))), b *= bound(in.back());
  if (biased) in.push_back(limited(matrix(dtype, row))), b += bound(in.back());
  std::string operands;
  for (const int i : in) operands += fmt::format("%{}, ", i);
  add(fmt::format("{}({}{} axes{})", centred ? "standardize" : "divide_by_rms", operands, axes,
                  biased && !weighted ? ", no weight" : ""),
      in, dtype, shape, b, [=](const Tensors& t) {
        const Tensor w = weighted ? t[1] : Tensor();
        return centred ? standardize(t[0], axes, 0.25, w, biased ? t[t.size() - 1] : Tensor())
                       : divide_by_rms(t[0], axes, 0.25, w);
      });
}

}  // namespace programs
