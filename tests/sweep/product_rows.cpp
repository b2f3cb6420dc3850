// Products of vectors, matrices and batches; ops of one's own.
#include "autodiff/attention.hpp"
#include "sweep/refusals.hpp"

namespace sweep {

namespace {

struct Products {
  std::vector<Row> rows;
  void add(const char* name, Tensor (*f)(const Tensors&), std::vector<Shapes> shapes) {
    rows.push_back({name, f, {{}, {}}, std::move(shapes)});
  }
  void alone(const char* name, Tensor (*f)(const Tensors&), std::vector<Shapes> shapes) {
    rows.push_back({name, f, {{}}, std::move(shapes)});
  }
};

const std::vector<Shapes> matrices = {{{3, 4}, {4, 5}}, {{3, 3}, {3, 3}}, {{1, 4}, {4, 1}},
                                      {{3, 1}, {1, 5}}, {{1, 1}, {1, 1}}, {{0, 4}, {4, 3}},
                                      {{3, 0}, {0, 4}}, {{3, 4}, {4, 0}}, {{40, 30}, {30, 50}}};

// Rows of a few numbers, and of more than a vector; several jobs.
const std::vector<Shapes> rows_of_columns = {{{5}, {5}},    {{3, 4}, {4}},   {{1, 1}, {1}},   {{2, 3, 5}, {5}},
                                             {{0, 4}, {4}}, {{7, 33}, {33}}, {{70, 40}, {40}}};

void add_standardize(Products& p) {
  p.alone("standardize", [](const Tensors& in) { return standardize(in[0], 1, 0.25); },
          {{{5}}, {{1}}, {{3, 4}}, {{4, 4}}, {{2, 3, 5}}, {{0, 4}}, {{3, 0}}, {{2, 33}}, {{70, 40}}});
  p.alone("standardize of two axes", [](const Tensors& in) { return standardize(in[0], 2, 0.25); },
          {{{3, 4}}, {{2, 3, 5}}, {{3, 20, 40}}});
  p.alone("divide_by_rms", [](const Tensors& in) { return divide_by_rms(in[0], 1, 0.25); },
          {{{5}}, {{3, 4}}, {{0, 4}}, {{2, 33}}, {{70, 40}}});
  p.add(
      "standardize, weighted", [](const Tensors& in) { return standardize(in[0], 1, 0.25, in[1]); }, rows_of_columns);
  p.add(
      "standardize, biased", [](const Tensors& in) { return standardize(in[0], 1, 0.25, Tensor(), in[1]); },
      rows_of_columns);
  p.add(
      "divide_by_rms, weighted", [](const Tensors& in) { return divide_by_rms(in[0], 1, 0.25, in[1]); },
      rows_of_columns);
  std::vector<Shapes> of_three = {{{2, 2, 3}, {2, 3}, {2, 3}}, {{2, 3, 3}, {3, 3}, {3, 3}}};
  p.rows.push_back({"standardize of two axes, weighted and biased",
                    [](const Tensors& in) { return standardize(in[0], 2, 0.25, in[1], in[2]); },
                    {{}, {}, {}},
                    of_three});
  for (Shapes shapes : rows_of_columns) shapes.push_back(shapes[1]), of_three.push_back(shapes);
  of_three.erase(of_three.begin(), of_three.begin() + 2);
  p.rows.push_back({"standardize, weighted and biased",
                    [](const Tensors& in) { return standardize(in[0], 1, 0.25, in[1], in[2]); },
                    {{}, {}, {}},
                    of_three});
}

// A query, a key and a value; of more queries than a block has, too.
void add_attention(Products& p) {
  const auto of = [](Shape lead, Size queries, Size keys, Size width) {
    Shape q = lead, k = lead;
    q.push_back(queries), q.push_back(width), k.push_back(keys), k.push_back(width);
    return Shapes{q, k, k};
  };
  const std::vector<Shapes> shapes = {of({}, 3, 5, 4),     of({}, 5, 3, 4),     of({}, 3, 3, 3),      of({2}, 3, 3, 4),
                                      of({2, 3}, 3, 3, 2), of({}, 1, 1, 1),     of({1}, 1, 4, 2),     of({3}, 4, 1, 2),
                                      of({}, 130, 4, 2),   of({2}, 17, 131, 2), of({3, 2}, 33, 34, 7)};
  for (const bool causal : {false, true})
    p.rows.push_back(
        {causal ? "attention, causal" : "attention",
         [causal](const Tensors& in) { return attention(in[0], in[1], in[2], 0.6, causal, Source::here()); },
         {{}, {}, {}},
         shapes});
  const auto by_heads = [](const Tensor& x) {
    return permute(x, {0, 2, 1, 3});
  };  // [batch, time, heads, width], a view
  p.rows.push_back({"attention of heads",
                    [by_heads](const Tensors& in) {
                      return by_heads(
                          attention(by_heads(in[0]), by_heads(in[1]), by_heads(in[2]), 0.6, false, Source::here()));
                    },
                    {{}, {}, {}},
                    {{{2, 5, 3, 4}, {2, 5, 3, 4}, {2, 5, 3, 4}}, {{2, 5, 2, 3}, {2, 4, 2, 3}, {2, 4, 2, 3}}}});
}

}  // namespace

std::vector<Row> product_rows() {
  Products p;
  add_standardize(p);
  add_attention(p);
  p.add(
      "matmul", [](const Tensors& in) { return matmul(in[0], in[1]); }, matrices);
  p.add("matmul of vectors", [](const Tensors& in) { return matmul(in[0], in[1]); },
        {{{4}, {4}}, {{1}, {1}}, {{0}, {0}}, {{1531}, {1531}}});
  p.add("matmul by a vector", [](const Tensors& in) { return matmul(in[0], in[1]); },
        {{{3, 4}, {4}}, {{4, 4}, {4}}, {{2, 3, 4}, {4}}, {{0, 4}, {4}}, {{3, 0}, {0}}, {{40, 45}, {45}}});
  p.add("matmul of a vector", [](const Tensors& in) { return matmul(in[0], in[1]); },
        {{{4}, {4, 3}}, {{4}, {4, 4}}, {{4}, {2, 4, 3}}, {{4}, {4, 0}}, {{40}, {40, 45}}});
  p.add("matmul of batches", [](const Tensors& in) { return matmul(in[0], in[1]); },
        {{{2, 3, 4}, {2, 4, 5}},
         {{2, 3, 3}, {2, 3, 3}},
         {{2, 3, 4}, {4, 5}},
         {{3, 4}, {2, 4, 5}},
         {{2, 1, 3, 4}, {3, 4, 2}},
         {{1, 3, 4}, {2, 4, 2}},
         {{3, 1, 2, 2}, {1, 2, 2, 2}},
         {{2, 0, 4}, {2, 4, 3}},
         {{2, 3, 0}, {2, 0, 4}},
         {{0, 3, 4}, {4, 2}},
         {{0, 3, 4}, {0, 4, 2}},
         {{6, 12, 13}, {6, 13, 11}},
         {{6, 12, 13}, {13, 20}}});
  p.add("matmul, x transposed", [](const Tensors& in) { return matmul(transpose(in[0]), in[1]); },
        {{{4, 3}, {4, 5}}, {{3, 3}, {3, 3}}, {{2, 4, 3}, {2, 4, 5}}, {{2, 4, 3}, {4, 5}}, {{30, 40}, {30, 50}}});
  p.add("matmul, y transposed", [](const Tensors& in) { return matmul(in[0], transpose(in[1])); },
        {{{3, 4}, {5, 4}}, {{3, 3}, {3, 3}}, {{2, 3, 4}, {2, 5, 4}}, {{2, 3, 4}, {5, 4}}, {{40, 30}, {50, 30}}});
  p.add("matmul, both transposed", [](const Tensors& in) { return matmul(transpose(in[0]), transpose(in[1])); },
        {{{4, 3}, {5, 4}}, {{3, 3}, {3, 3}}, {{2, 4, 3}, {5, 4}}, {{30, 40}, {50, 30}}});
  p.add("matmul, the result transposed", [](const Tensors& in) { return transpose(matmul(in[0], in[1])); },
        {{{3, 4}, {4, 5}}, {{3, 3}, {3, 3}}, {{2, 3, 4}, {2, 4, 2}}});
  p.add("matmul of axes that were moved",
        [](const Tensors& in) {
          return matmul(permute(in[0], {1, 0, 2}), permute(in[1], {2, 1, 0}));
        },
        {{{3, 2, 4}, {5, 4, 2}}, {{2, 2, 2}, {2, 2, 2}}});
  p.add("matmul of slices", [](const Tensors& in) { return matmul(slice(in[0], 1, 1), slice(in[1], 0, 0, 4, 2)); },
        {{{3, 3}, {4, 2}}, {{30, 3}, {4, 50}}});
  p.add(
      "two products", [](const Tensors& in) { return matmul(tanh(matmul(in[0], in[1]) / 16), transpose(in[1])); },
      matrices);
  p.add(
      "linear", [](const Tensors& in) { return linear(in[0], in[1]); },
      {{{3, 4}, {5, 4}}, {{4}, {5, 4}}, {{2, 3, 4}, {5, 4}}, {{1, 1}, {1, 1}}, {{0, 4}, {3, 4}}, {{40, 30}, {50, 30}}});
  p.rows.push_back({"linear with a bias",
                    [](const Tensors& in) { return linear(in[0], in[1], in[2]); },
                    {{}, {}, {}},
                    {{{3, 4}, {5, 4}, {5}},
                     {{3, 4}, {3, 4}, {3}},
                     {{4}, {5, 4}, {5}},
                     {{2, 3, 4}, {5, 4}, {5}},
                     {{3, 1}, {1, 1}, {1}},
                     {{3, 0}, {2, 0}, {2}},
                     {{0, 4}, {3, 4}, {3}},
                     {{4, 300}, {2, 300}, {2}},
                     {{2, 3}, {40, 3}, {40}},
                     {{40, 30}, {50, 30}, {50}}}});
  p.alone("matmul with itself", [](const Tensors& in) { return matmul(in[0], in[0]); },
          {{{3, 3}}, {{2, 3, 3}}, {{40, 40}}});
  p.alone("matmul of x^T x", [](const Tensors& in) { return matmul(transpose(in[0]), in[0]); },
          {{{3, 4}}, {{2, 3, 4}}, {{40, 45}}});
  p.alone("matmul with numbers", [](const Tensors& in) { return matmul(in[0], cast(eye(4), in[0].dtype())); },
          {{{3, 4}}, {{2, 3, 4}}});
  p.add("dot", [](const Tensors& in) { return dot(in[0], in[1]); },
        {{{4}, {4}}, {{1}, {1}}, {{0}, {0}}, {{1531}, {1531}}});
  p.add("outer", [](const Tensors& in) { return outer(in[0], in[1]); },
        {{{3}, {4}}, {{1}, {3}}, {{0}, {3}}, {{40}, {45}}});
  return std::move(p.rows);
}

std::vector<Row> custom_rows() {
  static const CustomOp square_times({.name = "square_times",
                                      .forward = [](const Tensors& in) { return square(in[0]) * in[1]; },
                                      .vjp = [](const Tensor& g, const Tensors& in, const Tensor&) -> Tensors {
                                        return {2 * g * in[0] * in[1], g * square(in[0])};
                                      }});
  static const CustomOp exponential(
      {.name = "exponential",
       .forward = [](const Tensors& in) { return exp(in[0]); },
       .vjp = [](const Tensor& g, const Tensors&, const Tensor& out) -> Tensors { return {g * out}; }});
  static const CustomOp turned(
      {.name = "turned",
       .forward = [](const Tensors& in) { return transpose(in[0]); },
       .vjp = [](const Tensor& g, const Tensors&, const Tensor&) -> Tensors { return {transpose(g)}; }});
  static const CustomOp of_four({.name = "of_four",
                                 .forward = [](const Tensors& in) { return in[0] * in[1] + sin(in[3]); },
                                 .vjp = [](const Tensor& g, const Tensors& in, const Tensor&) -> Tensors {
                                   return {g * in[1], g * in[0], Tensor(), g * cos(in[3])};
                                 }});
  std::vector<Shapes> single, pairs, fours;
  for (const Shape& s : standard_shapes()) {
    single.push_back({s});
    pairs.push_back({s, s});
    fours.push_back({s, s, {2}, s});
  }
  return {{"watch", [](const Tensors& in) { return square(watch(in[0])) * in[0]; }, {{}}, single},
          {"CustomOp", [](const Tensors& in) { return exponential(in[0]); }, {{}}, single},
          {"CustomOp of two", [](const Tensors& in) { return square_times(in[0], in[1]); }, {{}, {}}, pairs},
          {"CustomOp that transposes", [](const Tensors& in) { return turned(in[0]) * 2; }, {{}}, single},
          {"CustomOp of four", [](const Tensors& in) { return of_four(in); }, {{}, {}, {}, {}}, fours},
          {"checkpoint",
           [](const Tensors& in) { return checkpoint([](const Tensor& x) { return sin(x) * x; }, in[0]); },
           {{}},
           single},
          {"checkpoint of two, and one that it captures",
           [](const Tensors& in) {
             return checkpoint([captured = in[3]](const Tensors& x) { return sin(x[0]) * x[1] * captured; },
                               {in[0], in[1]});
           },
           {{}, {}, {}, {}},
           fours}};
}

}  // namespace sweep
