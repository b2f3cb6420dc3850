// Views, joins, picking by index, products; what stops derivatives; variables that change.
#include <numeric>

#include "generator.hpp"

namespace programs {

void Generator::reshape_it() {
  const int x = find([&](int) { return true; });
  const Shape from = at(x).shape;
  Shape to;
  std::string text;
  Run run;
  switch (dice_.below(4)) {
    case 0: {  // one extent more, or fewer
      const int axis = static_cast<int>(dice_.below(from.rank() + 1));
      to = from;
      to.insert(axis, 1);
      text = fmt::format("unsqueeze(%{}, {})", x, axis);
      run = [=](const Tensors& in) { return unsqueeze(in[0], axis); };
      for (int i = 0; i < from.rank(); ++i) {
        if (from[i] != 1 || dice_.chance(0.5)) continue;
        to = from;
        to.erase(i);
        text = fmt::format("squeeze(%{}, {})", x, i);
        run = [=](const Tensors& in) { return squeeze(in[0], i); };
      }
      break;
    }
    case 1:
      if (from.empty()) return;
      to = {from.numel()};
      text = fmt::format("flatten(%{})", x);
      run = [](const Tensors& in) { return flatten(in[0]); };
      break;
    default: {  // the prime factors dealt to new axes
      const int rank = static_cast<int>(dice_.between(1, 4));
      for (int i = 0; i < rank; ++i) to.push_back(1);
      Size rest = from.numel();
      if (rest == 0) to[dice_.below(rank)] = 0;
      for (Size f = 2; rest > 1; ++f)
        for (; rest % f == 0; rest /= f) to[dice_.below(rank)] *= f;
      text = fmt::format("reshape(%{}, {})", x, to_string(to));
      run = [=](const Tensors& in) { return reshape(in[0], to); };
    }
  }
  add(std::move(text), {x}, at(x).dtype, to, bound(x), std::move(run));
}

void Generator::turn() {
  const int x = find([&](int i) { return at(i).shape.rank() >= 2 || (!at(i).shape.empty() && dice_.chance(0.1)); });
  if (x < 0) return;
  const Shape from = at(x).shape;
  if (from.rank() < 2 || dice_.chance(0.25)) {
    const int axis = static_cast<int>(dice_.below(from.rank()));
    add(fmt::format("flip(%{}, {})", x, axis), {x}, at(x).dtype, from, bound(x),
        [=](const Tensors& in) { return flip(in[0], axis); });
    return;
  }
  Shape order, to;
  for (int i = 0; i < from.rank(); ++i) order.push_back(i);
  if (dice_.chance(0.5)) std::swap(order[from.rank() - 1], order[from.rank() - 2]);
  else
    for (int i = from.rank(); i-- > 1;) std::swap(order[i], order[dice_.below(i + 1)]);
  for (const Size a : order) to.push_back(from[a]);
  if (from.rank() == 2 && dice_.chance(0.7) && order[0] == 1)
    add(fmt::format("transpose(%{})", x), {x}, at(x).dtype, to, bound(x),
        [](const Tensors& in) { return transpose(in[0]); });
  else
    add(fmt::format("permute(%{}, {})", x, to_string(order)), {x}, at(x).dtype, to, bound(x),
        [=](const Tensors& in) { return permute(in[0], order); });
}

void Generator::repeat() {
  const int x = find([&](int) { return true; });
  Shape to = at(x).shape;
  for (Size& e : to)
    if (e == 1 && dice_.chance(0.7)) e = dice_.one_of(std::vector<Size>{0, 2, 3, 7, 65, 129, 513});
  if (dice_.chance(0.5)) to.insert(0, dice_.between(1, 9));
  if (!affordable(to)) return;
  add(fmt::format("expand(%{}, {})", x, to_string(to)), {x}, at(x).dtype, to, bound(x),
      [=](const Tensors& in) { return expand(in[0], to); });
}

void Generator::cut_out() {
  const int x = find([&](int i) { return !at(i).shape.empty(); });
  if (x < 0) return;
  const Shape from = at(x).shape;
  const int axis = some_axis(from);
  const Size n = from[axis];
  Shape to = from;
  if (from[0] > 0 && dice_.chance(0.25)) {
    const Size i = dice_.between(-from[0], from[0] - 1);
    to.erase(0);
    add(fmt::format("%{}[{}]", x, i), {x}, at(x).dtype, to, bound(x), [=](const Tensors& in) { return in[0][i]; });
    return;
  }
  const Size begin = dice_.between(0, n), end = dice_.chance(0.3) ? n : dice_.between(begin, n),
             step = dice_.chance(0.5) ? 1 : dice_.between(2, 5);
  to[axis] = (end - begin + step - 1) / step;
  add(fmt::format("slice(%{}, {}, {}, {}, {})", x, axis, begin, end, step), {x}, at(x).dtype, to, bound(x),
      [=](const Tensors& in) { return slice(in[0], axis, begin, end, step); });
}

void Generator::join() {
  const int x = find([&](int i) { return !at(i).shape.empty() || dice_.chance(0.1); });
  if (x < 0) return;
  const Shape from = at(x).shape;
  const DType dtype = at(x).dtype;
  Shape to = from;
  if (from.empty() || dice_.chance(0.2)) {  // stack
    const int axis = static_cast<int>(dice_.below(from.rank() + 1));
    const int y = find([&](int i) { return at(i).dtype == dtype && at(i).shape == from; });
    to.insert(axis, 3);
    if (!affordable(to)) return;
    add(fmt::format("stack({{%{}, %{}, %{}}}, {})", x, y, x, axis), {x, y}, dtype, to, std::max(bound(x), bound(y)),
        [=](const Tensors& in) {
          return stack({in[0], in[1], in[0]}, axis);
        });
    return;
  }
  const int axis = some_axis(from);
  if (dice_.chance(0.35)) {
    const Size before = dice_.below(4), after = dice_.below(4);
    to[axis] += before + after;
    if (!affordable(to)) return;
    add(fmt::format("pad(%{}, {}, {}, {})", x, axis, before, after), {x}, dtype, to, bound(x),
        [=](const Tensors& in) { return pad(in[0], axis, before, after); });
    return;
  }
  std::vector<int> parts{x};
  double b = bound(x);
  for (Size more = dice_.between(1, 4); more > 0; --more) {
    int y = find([&](int i) {
      Shape other = at(i).shape;
      if (at(i).dtype != dtype || other.rank() != from.rank()) return false;
      other[axis] = from[axis];
      return other == from;
    });
    if (dice_.chance(0.3)) {
      Shape other = from;
      other[axis] = dice_.between(0, 3);
      y = leaf(dtype, other);
    }
    to[axis] += at(y).shape[axis];
    if (!affordable(to)) return;
    parts.push_back(y);
    b = std::max(b, bound(y));
  }
  std::string list;
  for (const int part : parts) list += fmt::format("{}%{}", list.empty() ? "" : ", ", part);
  add(fmt::format("concat({{{}}}, {})", list, axis), parts, dtype, to, b,
      [=](const Tensors& in) { return concat(in, axis); });
}

// A slot of indices below `extent`: a constant, drawn, or worked out.
int Generator::index(Size extent, const Shape& shape) {
  const Size u = dice_.below(4);
  if (u == 0)
    return add(fmt::format("randint(0, {}, {})", extent, to_string(shape)), {}, i64, shape, static_cast<double>(extent),
               [=](const Tensors&) { return randint(0, extent, shape); });
  if (u == 1) {
    const int x =
        find([&](int i) { return at(i).dtype != boolean && at(i).shape == shape && !(p_.smooth && at(i).depends); });
    if (x >= 0)
      return add(fmt::format("clamp(cast(%{}, i64), 0, {})", x, extent - 1), {x}, i64, shape,
                 static_cast<double>(extent),
                 [=](const Tensors& in) { return clamp(cast(in[0], i64), 0, extent - 1); });
  }
  std::vector<Size> numbers(static_cast<std::size_t>(shape.numel()));
  for (Size& k : numbers) k = dice_.below(extent);
  const Tensor value = tensor(numbers, shape);
  return add("constant", {}, i64, shape, static_cast<double>(extent), [=](const Tensors&) { return value; });
}

void Generator::pick() {
  const int x = find([&](int i) {
    return !at(i).shape.empty() && at(i).shape.numel() > 0 && (at(i).dtype != boolean || dice_.chance(0.1));
  });
  if (x < 0) return;
  const Shape from = at(x).shape;
  const DType dtype = at(x).dtype;
  const int axis = some_axis(from);
  const Size n = from[axis], extent = dice_.between(1, std::max<Size>(1, std::min<Size>(2 * n, 40)));
  Shape to = from;
  to[axis] = dice_.chance(0.1) ? 0 : extent;
  const Size way = dice_.below(dtype == boolean ? 2 : 5);
  if (!affordable(to)) return;
  if (way == 0) {
    const int k = index(n, {to[axis]});
    add(fmt::format("index_select(%{}, {}, %{})", x, axis, k), {x, k}, dtype, to, bound(x),
        [=](const Tensors& in) { return index_select(in[0], axis, in[1]); });
  } else if (way == 1) {
    const int k = index(n, to);
    add(fmt::format("gather(%{}, {}, %{})", x, axis, k), {x, k}, dtype, to, bound(x),
        [=](const Tensors& in) { return gather(in[0], axis, in[1]); });
  } else if (way == 2) {
    const int k = index(extent, {n});
    to[axis] = extent;
    add(fmt::format("index_add(%{}, {}, %{}, {})", x, axis, k, extent), {x, k}, dtype, to,
        bound(x) * static_cast<double>(n), [=](const Tensors& in) { return index_add(in[0], axis, in[1], extent); });
  } else if (way == 3) {
    const int k = index(extent, from);
    to[axis] = extent;
    add(fmt::format("scatter_add(%{}, {}, %{}, {})", x, axis, k, extent), {x, k}, dtype, to,
        bound(x) * static_cast<double>(n), [=](const Tensors& in) { return scatter_add(in[0], axis, in[1], extent); });
  } else {
    const Size classes = dice_.between(1, 9);
    Shape shape = like(from);
    const int k = index(classes, shape);
    shape.push_back(classes);
    if (!affordable(shape) || !is_float(dtype)) return;
    add(fmt::format("one_hot(%{}, {}, {})", k, classes, name(dtype)), {k}, dtype, shape, 1,
        [=](const Tensors& in) { return one_hot(in[0], classes, dtype); });
  }
}

// A slot of that shape and dtype, or the transpose of one.
int Generator::matrix(DType dtype, const Shape& shape) {
  const int y = find([&](int i) { return at(i).dtype == dtype && at(i).shape == shape; });
  if (y >= 0 && dice_.chance(0.5)) return y;
  if (shape.rank() < 2 || dice_.chance(0.5)) return leaf(dtype, shape);
  Shape other = shape;
  std::swap(other[shape.rank() - 1], other[shape.rank() - 2]);
  int x = find([&](int i) { return at(i).dtype == dtype && at(i).shape == other; });
  if (x < 0) x = leaf(dtype, other);
  return add(fmt::format("transpose(%{})", x), {x}, dtype, shape, bound(x),
             [](const Tensors& in) { return transpose(in[0]); });
}

void Generator::product() {
  int x = find(
      [&](int i) { return is_float(at(i).dtype) && at(i).shape.rank() >= 1 && (!p_.smooth || at(i).dtype == f64); });
  if (x < 0) return;
  x = limited(x);
  const DType dtype = at(x).dtype;
  const Shape a = at(x).shape;
  const Size inner = a.back();
  if (a.rank() == 1 && dice_.chance(0.5)) {
    if (dice_.chance(0.5)) {
      const int y = limited(matrix(dtype, a));
      add(fmt::format("dot(%{}, %{})", x, y), {x, y}, dtype, {}, bound(x) * bound(y) * static_cast<double>(inner),
          [](const Tensors& in) { return dot(in[0], in[1]); });
      return;
    }
    const Size n = dice_.one_of(std::vector<Size>{1, 3, 17, 65});
    if (!affordable({inner, n})) return;
    const int y = limited(matrix(dtype, {n}));
    add(fmt::format("outer(%{}, %{})", x, y), {x, y}, dtype, {inner, n}, bound(x) * bound(y),
        [](const Tensors& in) { return outer(in[0], in[1]); });
    return;
  }
  Shape b{inner}, to = a;
  to.resize(a.rank() - 1);
  if (dice_.chance(0.8)) {
    const Size columns = dice_.one_of(std::vector<Size>{1, 2, 5, 8, 17, 33, 64, 65, 130});
    b.push_back(columns);
    if (a.rank() > 2 && dice_.chance(0.6)) {  // a batch of its own
      if (dice_.chance(0.3)) {
        b.insert(0, dice_.chance(0.5) ? 1 : a[a.rank() - 3]);
      } else {
        for (int i = a.rank() - 2; i-- > 0;) b.insert(0, dice_.chance(0.3) ? 1 : a[i]);
      }
    }
    to.push_back(columns);
  }
  double work = static_cast<double>(inner);
  for (const Size e : to) work *= static_cast<double>(e);
  if (work > 2e7 || !affordable(to) || !affordable(b)) return;
  budget_ -= work / 50;
  if (b.rank() == 2 && dice_.chance(0.25)) {
    const int w = limited(matrix(dtype, {b[1], inner})), plus = limited(matrix(dtype, {b[1]}));
    add(fmt::format("linear(%{}, %{}, %{})", x, w, plus), {x, w, plus}, dtype, to,
        bound(x) * bound(w) * static_cast<double>(inner) + bound(plus),
        [](const Tensors& in) { return linear(in[0], in[1], in[2]); });
    return;
  }
  const int y = limited(matrix(dtype, b));
  add(fmt::format("matmul(%{}, %{})", x, y), {x, y}, dtype, to, bound(x) * bound(y) * static_cast<double>(inner),
      [](const Tensors& in) { return matmul(in[0], in[1]); });
}

void Generator::stop() {
  const int x = some_float();
  const DType dtype = at(x).dtype;
  const Shape shape = at(x).shape;
  if (dice_.chance(0.6)) {
    add(
        fmt::format("detach(%{})", x), {x}, dtype, shape, bound(x), [](const Tensors& in) { return in[0].detach(); },
        true);
  } else if (dice_.chance(0.5)) {
    const bool no_grad = std::exchange(no_grad_, false);  // it watches there too
    add(fmt::format("watch(%{})", x), {x}, dtype, shape, bound(x), [](const Tensors& in) { return watch(in[0]); });
    no_grad_ = no_grad;
  } else if (dice_.chance(0.5)) {
    add(fmt::format("checkpoint(sin(%{0}) * %{0})", x), {x}, dtype, shape, bound(x),
        [](const Tensors& in) { return checkpoint([](const Tensor& v) { return sin(v) * v; }, in[0]); });
  } else {
    static const CustomOp twice(
        {.name = "twice",
         .forward = [](const Tensors& in) { return in[0] * 2; },
         .vjp = [](const Tensor& g, const Tensors&, const Tensor&) -> Tensors { return {g * 2}; }});
    add(fmt::format("twice(%{})", x), {x}, dtype, shape, 2 * bound(x), [](const Tensors& in) { return twice(in[0]); });
  }
}

// A gradient of what went before, as a value or as more of the record.
void Generator::differentiate() {
  if (no_grad_) return;
  const int y = find([&](int i) { return is_float(at(i).dtype) && at(i).depends; });
  const int x = find([&](int i) { return is_float(at(i).dtype) && at(i).depends && i <= y; });
  if (y < 0 || x < 0) return;
  const bool create = dice_.chance(0.6);
  // how large it is nobody knows
  add(
      fmt::format("grad(sum(%{}), {{%{}}}, create_graph = {})", y, x, create), {y, x}, at(x).dtype, at(x).shape,
      HUGE_VAL, [=](const Tensors& in) { return gradients_or_zeros(sum(in[0]), Tensors{in[1]}, create)[0]; }, !create);
}

void Generator::assign() {
  const int parameter = static_cast<int>(dice_.below(static_cast<Size>(p_.parameters.size())));
  const Tensor& first = p_.parameters[static_cast<std::size_t>(parameter)];
  int x = find([&](int i) { return at(i).dtype == first.dtype() && at(i).shape == first.shape(); });
  if (x < 0) return;
  x = limited(x);
  const int slot =
      add(fmt::format("parameter {} = %{}", parameter, x), {x}, first.dtype(), first.shape(), bound(x), nullptr);
  Step& s = p_.steps[static_cast<std::size_t>(slot)];
  s.role = Step::Role::assign;
  s.parameter = parameter;
  s.no_grad = false;
  s.cut = true;
  s.depends = true;
}

void Generator::backward() {
  if (no_grad_) return;
  const int x = find([&](int i) { return is_float(at(i).dtype) && at(i).depends; });
  if (x < 0) return;
  const int parameter = static_cast<int>(dice_.below(static_cast<Size>(p_.parameters.size())));
  const Tensor& first = p_.parameters[static_cast<std::size_t>(parameter)];
  const int times = dice_.chance(0.3) ? 2 : 1;
  const int slot =
      add(fmt::format("sum(%{}).backward() {}, parameter {}'s gradient", x, times == 2 ? "twice" : "once", parameter),
          {x}, first.dtype(), first.shape(), HUGE_VAL, nullptr, true);
  p_.steps[static_cast<std::size_t>(slot)].times = times;
  p_.steps[static_cast<std::size_t>(slot)].role = Step::Role::backward;
  p_.steps[static_cast<std::size_t>(slot)].parameter = parameter;
}

void Generator::draw() {
  const Shape shape = like(dice_.one_of(bases_));
  const DType dtype = p_.smooth || dice_.chance(0.3) ? f64 : f32;
  switch (dice_.below(6)) {
    case 0:
      add(fmt::format("rand({}, {})", to_string(shape), name(dtype)), {}, dtype, shape, 1,
          [=](const Tensors&) { return rand(shape, dtype); });
      return;
    case 1:
      add(fmt::format("randn({}, {})", to_string(shape), name(dtype)), {}, dtype, shape, 5,
          [=](const Tensors&) { return randn(shape, dtype); });
      return;
    case 2:
      add(fmt::format("randint(-4, 5, {})", to_string(shape)), {}, i64, shape, 5,
          [=](const Tensors&) { return randint(-4, 5, shape); });
      return;
    case 3: {
      const Size n = shape.empty() ? 3 : shape.back();
      add(fmt::format("randperm({})", n), {}, i64, {n}, static_cast<double>(n),
          [=](const Tensors&) { return randperm(n); });
      return;
    }
    case 4: {
      const Size n = dice_.between(0, 40);
      if (dice_.chance(0.5))
        add(fmt::format("arange({})", n), {}, i64, {n}, 40, [=](const Tensors&) { return arange(n); });
      else
        add(fmt::format("eye({}, {})", n, name(dtype)), {}, dtype, {n, n}, 1,
            [=](const Tensors&) { return eye(n, dtype); });
      return;
    }
    default: {
      const Size n = shape.empty() ? 5 : shape.back();
      add(fmt::format("linspace(-1, 2, {}, {})", n, name(dtype)), {}, dtype, {n}, 2,
          [=](const Tensors&) { return linspace(-1, 2, n, dtype); });
    }
  }
}

}  // namespace programs
