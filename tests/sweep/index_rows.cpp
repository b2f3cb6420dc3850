// Picking by index.
#include <fmt/format.h>

#include <functional>

#include "sweep/refusals.hpp"

namespace sweep {

namespace {

// Whole numbers 0 ... extent - 1 in no order, with repetitions and gaps.
Tensor places(const Shape& shape, Size extent) {
  std::vector<Size> list(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < list.size(); ++i) list[i] = static_cast<Size>(i * i * 7 + i / 3) % extent;
  return tensor(list, shape);
}

Shape with(Shape shape, Size axis, Size extent) {
  shape[axis < 0 ? axis + shape.rank() : axis] = extent;
  return shape;
}

// index_select(x, axis, ..) of `count` indices; and so the others.
struct Picks {
  std::vector<Row> rows;
  void add(const std::string& name, std::function<Tensor(const Tensor&)> f, std::vector<Shapes> shapes) {
    rows.push_back({name, [f = std::move(f)](const Tensors& in) { return f(in[0]); }, {{}}, std::move(shapes)});
  }
};

}  // namespace

std::vector<Row> index_rows() {
  Picks p;
  for (const Size axis : {0, 1, -1}) {
    const std::string along = fmt::format(" {}", axis);
    const std::vector<Shapes> shapes = {{{3, 4}}, {{4, 4}}, {{2, 3, 4}}, {{2, 3, 2, 2}}, {{40, 45}}, {{7, 6, 50}}};
    const auto extent = [axis](const Tensor& x) { return x.size(axis); };
    p.add(
        "index_select" + along, [=](const Tensor& x) { return index_select(x, axis, places({5}, extent(x))); }, shapes);
    p.add(
        "index_select" + along + ", none", [=](const Tensor& x) { return index_select(x, axis, places({0}, 1)); },
        shapes);
    p.add(
        "index_add" + along, [=](const Tensor& x) { return index_add(square(x), axis, places({extent(x)}, 3), 4); },
        shapes);
    p.add(
        "gather" + along,
        [=](const Tensor& x) { return gather(square(x), axis, places(with(x.shape(), axis, 3), extent(x))); }, shapes);
    p.add("log_softmax at" + along,
          [=](const Tensor& x) {
            const Shape lines = sum(x, axis).shape();
            return log_softmax(3 * x, axis, places(lines, extent(x)));
          },
          {{{3, 4}},
           {{3, 40}},
           {{2, 5, 9}},
           {{4, 4}},
           {{1, 1}},
           {{3, 3, 4}},
           {{2, 3, 3}},
           {{9, 17}},
           {{70, 40}},
           {{300, 5}},
           {{40, 45}},
           {{7, 6, 50}}});
    p.add(
        "scatter_add" + along, [=](const Tensor& x) { return scatter_add(x, axis, places(x.shape(), 3), 5); }, shapes);
  }
  p.add("index_select of a vector",
        [](const Tensor& x) {
          return index_select(x, 0, tensor({1, 1, 0, 2}));
        },
        {{{3}}, {{5}}, {{1531}}});
  p.add("index_select of none", [](const Tensor& x) { return index_select(x, 0, tensor({1, 0})); }, {{{2, 0}}});
  p.add("index_select of more", [](const Tensor& x) { return index_select(x, 0, places({700}, 4)) * x[1]; },
        {{{4, 3}}, {{4}}});
  p.add("index by a strided vector",
        [](const Tensor& x) {
          return index_select(x, 0, slice(tensor({2, 9, 0, 9, 1}), 0, 0, 5, 2));
        },
        {{{3}}, {{3, 2}}});
  p.add("index_add into none", [](const Tensor& x) { return index_add(x, 0, places({0}, 1), 3); }, {{{0}}, {{0, 2}}});
  p.add("gather of a vector", [](const Tensor& x) { return gather(x, 0, tensor({2, 2, 0})); }, {{{3}}, {{1531}}});
  p.add("log_softmax at one place", [](const Tensor& x) { return log_softmax(x, 0, tensor(2)); }, {{{3}}, {{1531}}});
  p.add("log_softmax at none", [](const Tensor& x) { return log_softmax(x, 1, places({0}, 1)); }, {{{0, 4}}, {{0, 0}}});
  p.add("gather of none", [](const Tensor& x) { return gather(x, 1, places({2, 0}, 1)); }, {{{2, 3}}});
  p.add("gather by a transposed index",
        [](const Tensor& x) {
          return gather(x, 1, transpose(places({3, 2}, 4)));
        },
        {{{2, 4}}});
  p.add("scatter_add of a vector", [](const Tensor& x) { return square(scatter_add(x, 0, places(x.shape(), 2), 2)); },
        {{{3}}, {{1531}}});
  const auto ordered = [&](const char* name, Tensor (*f)(const Tensors&)) {
    p.rows.push_back({name,
                      f,
                      {{-2, 2, true}},
                      {{{3}}, {{1}}, {{0}}, {{3, 4}}, {{4, 4}}, {{0, 3}}, {{3, 0}}, {{2, 3, 2}}, {{40, 30}}},
                      {},
                      "equal elements change places under a difference: sorting_test has ties"});
  };
  ordered("sort", [](const Tensors& in) { return sort(in[0])[0]; });
  ordered("sort 0, descending", [](const Tensors& in) { return sort(in[0], 0, true)[0]; });
  ordered("topk", [](const Tensors& in) { return topk(in[0], std::min<Size>(2, in[0].size(0)), 0)[0]; });
  ordered("topk, smallest", [](const Tensors& in) { return topk(in[0], in[0].size(-1) / 2, -1, false)[0]; });
  return std::move(p.rows);
}

}  // namespace sweep
