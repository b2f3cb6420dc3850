// Bits of a matrix product depend on shapes and on the program, not on when values are looked at: every layout of the
// operands, every kernel (our own, oneDNN, OpenBLAS, batches), values and gradients.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <functional>
#include <optional>
#include <vector>

#include "helpers.hpp"

using namespace xgrad;
using helpers::same_bits;

namespace {

// How an operand [rows, columns] is seen in a leaf's numbers.
struct Layout {
  const char* name;
  std::function<Shape(Size m, Size n)> leaf;
  std::function<Tensor(const Tensor& x, Size m, Size n)> view;
  bool like_dense;  // read row by row, or copied: the bits of its dense copy in any product
};
const auto same_shape = [](Size m, Size n) { return Shape{m, n}; };
const auto turned_shape = [](Size m, Size n) { return Shape{n, m}; };

// clang-format off
const std::vector<Layout> layouts{
    {"dense", same_shape, [](const Tensor& x, Size, Size) { return x; }, true},
    {"transposed", turned_shape, [](const Tensor& x, Size, Size) { return transpose(x); }, false},
    {"transposed twice", same_shape, [](const Tensor& x, Size, Size) { return transpose(transpose(x)); }, true},
    {"rows flipped", same_shape, [](const Tensor& x, Size, Size) { return flip(x, 0); }, true},
    {"columns flipped", same_shape, [](const Tensor& x, Size, Size) { return flip(x, 1); }, true},
    {"flipped, transposed", turned_shape, [](const Tensor& x, Size, Size) { return transpose(flip(x, 1)); }, false},
    {"transposed, flipped", turned_shape, [](const Tensor& x, Size, Size) { return flip(transpose(x), 0); }, false},
    {"every third row", [](Size m, Size n) { return Shape{3 * m, n}; },
     [](const Tensor& x, Size m, Size) { return slice(x, 0, 1, 3 * m, 3); }, false},
    {"every second column", [](Size m, Size n) { return Shape{m, 2 * n}; },
     [](const Tensor& x, Size, Size n) { return slice(x, 1, 0, 2 * n, 2); }, true},
    {"every second column, transposed", [](Size m, Size n) { return Shape{n, 2 * m}; },
     [](const Tensor& x, Size m, Size) { return transpose(slice(x, 1, 0, 2 * m, 2)); }, false},
    {"some columns", [](Size m, Size n) { return Shape{m, n + 7}; },
     [](const Tensor& x, Size, Size n) { return slice(x, 1, 3, n + 3); }, false},
    {"one row, repeated", [](Size, Size n) { return Shape{1, n}; },
     [](const Tensor& x, Size m, Size n) { return expand(x, {m, n}); }, true},
    {"one column, repeated", [](Size m, Size) { return Shape{m, 1}; },
     [](const Tensor& x, Size m, Size n) { return expand(x, {m, n}); }, true},
    {"one column, repeated and transposed", [](Size, Size n) { return Shape{n, 1}; },
     [](const Tensor& x, Size m, Size n) { return transpose(expand(x, {n, m})); }, false},
    {"one number, repeated", [](Size, Size) { return Shape{1, 1}; },
     [](const Tensor& x, Size m, Size n) { return expand(x, {m, n}); }, true},
    {"one number, repeated and transposed", [](Size, Size) { return Shape{1, 1}; },
     [](const Tensor& x, Size m, Size n) { return transpose(expand(x, {n, m}) * 2); }, false},
    {"a matrix of a permuted batch", [](Size m, Size n) { return Shape{n, 2, m}; },
     [](const Tensor& x, Size, Size) { return permute(x, {1, 2, 0})[1]; }, true},
    {"a detached transpose", turned_shape, [](const Tensor& x, Size, Size) { return transpose(x).detach() + x[0][0] * 0; },
     true},
};
// clang-format on

struct Sizes {
  const char* name;
  Size m, k, n;
};
const std::vector<Sizes> sizes{
    {"own kernel", 5, 6, 7},           {"own kernel, narrow", 40, 40, 3},   {"own kernel, large", 20, 20, 20},
    {"one row", 1, 300, 70},           {"one column", 70, 300, 1},          {"outer", 90, 1, 95},
    {"OpenBLAS", 33, 40, 37},          {"OpenBLAS, odd", 65, 31, 77},       {"oneDNN", 102, 110, 101},
    {"shared by rows", 150, 129, 130}, {"shared by columns", 129, 130, 300}};

Tensor numbers(const Shape& shape, DType dtype, unsigned seed) {
  manual_seed(seed);
  return evaluate(randn(shape, dtype));
}

enum class Manner { lazy, eager, looked_at, held };
const char* const names[] = {"lazily", "in Eager", "after a look", "with a handle held"};

// Values and gradients of one product; and its value where nothing is differentiated.
struct Result {
  Tensor z, plain;
  Tensors grads;
};

using Product = std::function<Tensor(const Tensor& x, const Tensor& y, const std::function<void(const Tensor&)>& look)>;

Result compute(Manner manner, const Tensor& leaf_x, const Tensor& leaf_y, const Product& product) {
  std::optional<Eager> eager;
  if (manner == Manner::eager) eager.emplace();
  std::vector<Tensor> kept;
  const auto look = [&](const Tensor& x) {
    if (manner == Manner::looked_at) evaluate(x);
    if (manner == Manner::held) kept.push_back(x);
  };
  const Tensor x = watch(leaf_x), y = watch(leaf_y);
  const Tensor z = product(x * 1.5, y + 0.25, look);
  const Tensor weights = reshape(cos(cast(arange(z.numel()), z.dtype())), z.shape());
  const Tensors g = grad(sum(z * weights), {x, y}, {.allow_unused = true});
  const Tensor plain = product(leaf_x * 1.5, leaf_y + 0.25, look);
  return {contiguous(z.detach()), contiguous(plain), {contiguous(g[0]), contiguous(g[1])}};
}

bool same(const Result& a, const Result& b) {
  return same_bits(a.z, b.z) && same_bits(a.z, a.plain) && same_bits(b.z, b.plain) &&
         same_bits(a.grads[0], b.grads[0]) && same_bits(a.grads[1], b.grads[1]);
}

void check_manners(const std::string& what, const Tensor& x, const Tensor& y, const Product& product) {
  const Result lazy = compute(Manner::lazy, x, y, product);
  for (const Manner m : {Manner::eager, Manner::looked_at, Manner::held})
    BOOST_TEST(same(compute(m, x, y, product), lazy), what << ": other bits " << names[static_cast<int>(m)]);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_look_changes_no_bits) {
  for (const DType dtype : {f32, f64})
    for (const Sizes& s : sizes)
      for (const Layout& a : layouts)
        for (const Layout& b : layouts) {
          if (&a != &layouts[0] && &b != &layouts[0] && (&a - &b) % 5 != 0) continue;  // some of the pairs
          const Tensor x = numbers(a.leaf(s.m, s.k), dtype, 1), y = numbers(b.leaf(s.k, s.n), dtype, 2);
          check_manners(fmt::format("{} {}, {} x {}", name(dtype), s.name, a.name, b.name), x, y,
                        [&](const Tensor& p, const Tensor& q, const auto& look) {
                          const Tensor u = a.view(p, s.m, s.k), v = b.view(q, s.k, s.n);
                          look(u);
                          look(v);
                          return matmul(u, v);
                        });
        }
}

BOOST_AUTO_TEST_CASE(a_look_changes_no_bits_of_a_product_with_a_transpose) {
  for (const DType dtype : {f32, f64})
    for (const Sizes& s : sizes)
      for (const Layout& a : layouts) {
        const Tensor x = numbers(a.leaf(s.m, s.k), dtype, 3), one = numbers({}, dtype, 4);
        check_manners(fmt::format("{} {}, x x^T of {}", name(dtype), s.name, a.name), x, one,
                      [&](const Tensor& p, const Tensor&, const auto& look) {
                        const Tensor u = a.view(p, s.m, s.k);
                        look(u);
                        return matmul(u, transpose(u));
                      });
        check_manners(fmt::format("{} {}, x^T x of {}", name(dtype), s.name, a.name), x, one,
                      [&](const Tensor& p, const Tensor&, const auto& look) {
                        const Tensor u = a.view(p, s.m, s.k), v = transpose(u);
                        look(v);
                        return matmul(v, u);
                      });
      }
}

BOOST_AUTO_TEST_CASE(a_look_changes_no_bits_of_batches) {
  struct Batch {
    const char* name;
    Shape x, y;
    std::function<Tensor(const Tensor&)> of_x, of_y;
  };
  const auto as_it_is = [](const Tensor& t) { return t; };
  // clang-format off
  const std::vector<Batch> batches{
      {"dense", {6, 20, 30}, {6, 30, 25}, as_it_is, as_it_is},
      {"heads", {20, 3, 64}, {25, 3, 64}, [](const Tensor& t) { return permute(t, {1, 0, 2}); },
       [](const Tensor& t) { return permute(t, {1, 2, 0}); }},
      {"heads, transposed after", {130, 3, 96}, {110, 3, 96}, [](const Tensor& t) { return permute(t, {1, 0, 2}); },
       [](const Tensor& t) { return transpose(permute(t, {1, 0, 2})); }},
      {"heads of attention", {33, 2, 3, 20}, {25, 2, 3, 20}, [](const Tensor& t) { return permute(t, {1, 2, 0, 3}); },
       [](const Tensor& t) { return transpose(permute(t, {1, 2, 0, 3})); }},
      {"values of attention", {2, 3, 33, 25}, {25, 2, 3, 20}, as_it_is,
       [](const Tensor& t) { return permute(t, {1, 2, 0, 3}); }},
      {"turned around and back", {3, 110, 105}, {3, 105, 104},
       [](const Tensor& t) { return permute(permute(t, {2, 0, 1}), {1, 2, 0}); },
       [](const Tensor& t) { return permute(permute(t, {1, 2, 0}), {2, 0, 1}); }},
      {"one matrix for all", {4, 33, 40}, {1, 40, 37}, as_it_is, [](const Tensor& t) { return expand(t, {4, 40, 37}); }},
      {"batch flipped", {4, 33, 40}, {4, 37, 40}, [](const Tensor& t) { return flip(t, 0); },
       [](const Tensor& t) { return transpose(flip(t, 0)); }},
      {"many rows by one matrix", {33, 4, 40}, {37, 40}, [](const Tensor& t) { return permute(t, {1, 0, 2}); },
       [](const Tensor& t) { return transpose(t); }}};
  // clang-format on
  for (const DType dtype : {f32, f64})
    for (const Batch& b : batches)
      check_manners(fmt::format("{} batch, {}", name(dtype), b.name), numbers(b.x, dtype, 5), numbers(b.y, dtype, 6),
                    [&](const Tensor& p, const Tensor& q, const auto& look) {
                      const Tensor u = b.of_x(p), v = b.of_y(q);
                      look(u);
                      look(v);
                      return matmul(u, v);
                    });
}

// A view has the bits of its dense copy where the product is our own kernel's, and where views are copied or read row by
// row. A transposed operand of a library's product may differ from a copy in the last bits: see matmul.
BOOST_AUTO_TEST_CASE(a_view_has_the_bits_of_its_dense_copy) {
  for (const DType dtype : {f32, f64})
    for (const Sizes& s : sizes)
      for (const Layout& a : layouts)
        for (const Layout& b : layouts) {
          const bool own = std::string(s.name).find("own") == 0;
          if (!own && !(a.like_dense && b.like_dense)) continue;
          const Tensor x = numbers(a.leaf(s.m, s.k), dtype, 7), y = numbers(b.leaf(s.k, s.n), dtype, 8);
          const Tensor u = a.view(x, s.m, s.k), v = b.view(y, s.k, s.n);
          BOOST_TEST(same_bits(matmul(u, v), matmul(contiguous(u), contiguous(v))),
                     name(dtype) << " " << s.name << ", " << a.name << " x " << b.name);
        }
}

// What an expanded tensor is stored as is nobody's business: pending or known, it is one program.
BOOST_AUTO_TEST_CASE(linear_layers_have_one_result) {
  for (const DType dtype : {f32, f64})
    for (const Sizes& s : sizes)
      for (const Layout& a : layouts)
        check_manners(fmt::format("{} {}, linear of {}", name(dtype), s.name, a.name),
                      numbers(a.leaf(s.m, s.k), dtype, 9), numbers({s.n, s.k}, dtype, 10),
                      [&](const Tensor& p, const Tensor& w, const auto& look) {
                        const Tensor u = a.view(p, s.m, s.k);
                        look(u);
                        const Tensor z = linear(u, w, reshape(slice(w, 1, 0, 1), {-1}));
                        look(z);
                        return matmul(tanh(z), w);
                      });
}

// A batch of products lies as its second operand does where that is a permuted view; its numbers are those of dense copies, whatever
// is made of it.
BOOST_AUTO_TEST_CASE(products_that_lie_as_an_operand_does) {
  struct Case {
    const char* name;
    Shape x, y;
    std::function<Tensor(const Tensor&)> of_y;
  };
  // clang-format off
  const std::vector<Case> cases{
      {"time first", {2, 3, 17, 9}, {9, 2, 3, 20}, [](const Tensor& t) { return permute(t, {1, 2, 0, 3}); }},
      {"batch first", {2, 3, 17, 9}, {2, 9, 3, 20}, [](const Tensor& t) { return permute(t, {0, 2, 1, 3}); }},
      {"of three", {2, 3, 17, 9}, {9, 2, 3, 3, 20}, [](const Tensor& t) { return permute(select(t, 2, 1), {1, 2, 0, 3}); }},
      {"columns not last", {5, 17, 9}, {9, 20, 5}, [](const Tensor& t) { return permute(t, {2, 0, 1}); }},
      {"one row", {4, 1, 9}, {9, 4, 20}, [](const Tensor& t) { return permute(t, {1, 0, 2}); }},
      {"one column", {4, 17, 9}, {9, 4, 1}, [](const Tensor& t) { return permute(t, {1, 0, 2}); }},
      {"few numbers", {2, 1, 9}, {9, 2, 3}, [](const Tensor& t) { return permute(t, {1, 0, 2}); }},
      {"one batch for all", {4, 17, 9}, {9, 1, 20}, [](const Tensor& t) { return permute(t, {1, 0, 2}); }}};
  // clang-format on
  for (const DType dtype : {f32, f64})
    for (const Case& c : cases) {
      const Tensor x = numbers(c.x, dtype, 11), y = c.of_y(numbers(c.y, dtype, 12));
      const Tensor z = evaluate(matmul(x, y)), dense = evaluate(matmul(x, contiguous(y)));
      const std::string what = fmt::format("{} {}", name(dtype), c.name);
      BOOST_TEST(same_bits(contiguous(z), dense), what);
      BOOST_TEST(same_bits(z.detach() * 2, dense * 2), what << ": twice");
      BOOST_TEST(same_bits(sum(z, -1), sum(dense, -1)), what << ": sums");
      BOOST_TEST(same_bits(contiguous(transpose(z, 0, -2)), contiguous(transpose(dense, 0, -2))), what << ": permuted");
      BOOST_TEST(same_bits(contiguous(reshape(z, {-1})), reshape(dense, {-1})), what << ": in a row");
      BOOST_TEST(same_bits(matmul(transpose(z), z), matmul(transpose(dense), dense)), what << ": again");
      const Parameter kept{z};
      BOOST_TEST(same_bits(kept.value(), dense), what << ": in a parameter");
    }
}

// A reshape of a view is a view where that can be said, and else a copy.
BOOST_AUTO_TEST_CASE(reshaped_views) {
  struct Case {
    const char* name;
    Shape leaf;
    std::function<Tensor(const Tensor&)> view;
    std::vector<Shape> to;
  };
  // clang-format off
  const std::vector<Case> cases{
      {"some columns", {6, 70}, [](const Tensor& x) { return slice(x, 1, 3, 67); },
       {{6, 2, 32}, {2, 3, 64}, {6, 1, 64}, {1, 6, 4, 1, 16}, {384}, {4, 96}, {12, 32}, {6, 64, 1}}},
      {"some rows", {9, 4, 24}, [](const Tensor& x) { return slice(x, 0, 1, 8, 2); },
       {{4, 96}, {2, 2, 4, 24}, {384}, {4, 4, 3, 8}, {16, 24}, {8, 48}}},
      {"permuted", {5, 2, 3, 20}, [](const Tensor& x) { return permute(x, {1, 2, 0, 3}); },
       {{2, 3, 5, 4, 5}, {6, 5, 20}, {2, 15, 20}, {2, 3, 1, 5, 20}, {6, 100}, {2, 3, 100}}},
      {"transposed", {32, 6}, [](const Tensor& x) { return transpose(x); }, {{192}, {6, 2, 16}, {2, 3, 32}}},
      {"flipped", {6, 32}, [](const Tensor& x) { return flip(x, 1); }, {{192}, {6, 2, 16}, {3, 2, 32}}},
      {"rows flipped", {6, 32}, [](const Tensor& x) { return flip(x, 0); }, {{192}, {6, 2, 16}, {3, 2, 32}}},
      {"repeated", {32}, [](const Tensor& x) { return expand(x, {6, 32}); }, {{192}, {6, 2, 16}, {3, 2, 32}}}};
  // clang-format on
  for (const DType dtype : {f32, f64})
    for (const Case& c : cases)
      for (const Shape& to : c.to) {
        const Tensor view = c.view(numbers(c.leaf, dtype, 13)), y = reshape(view, to),
                     dense = reshape(contiguous(view), to);
        const std::string what = fmt::format("{} {} as {}", name(dtype), c.name, to);
        BOOST_TEST(same_bits(contiguous(y), dense), what);
        BOOST_TEST(same_bits(y * 2 + 1, dense * 2 + 1), what << ": in a formula");
        BOOST_TEST(same_bits(sum(y, 0), sum(dense, 0)), what << ": sums");
      }
}

// Cotangents of slices, permuted or not, are put where they belong: in any order, with gaps, twice, in long pieces.
BOOST_AUTO_TEST_CASE(cotangents_of_slices) {
  struct Part {
    Size begin, end, step;
  };
  struct Case {
    const char* name;
    Size outer, inner;
    std::vector<Part> parts;
  };
  const std::vector<Case> cases{{"all in order", 33, 20, {{0, 2, 1}, {2, 3, 1}, {3, 6, 1}}},
                                {"the other way round", 33, 20, {{3, 6, 1}, {2, 3, 1}, {0, 2, 1}}},
                                {"any order", 33, 20, {{2, 3, 1}, {3, 6, 1}, {0, 2, 1}}},
                                {"a gap", 33, 20, {{0, 2, 1}, {3, 6, 1}}},
                                {"not the end", 33, 20, {{0, 2, 1}, {2, 5, 1}}},
                                {"twice", 33, 20, {{0, 4, 1}, {3, 6, 1}}},
                                {"twice, and a gap", 33, 20, {{0, 4, 1}, {3, 5, 1}}},
                                {"in steps", 33, 20, {{0, 6, 2}, {1, 6, 2}}},
                                {"long pieces", 3, 3000, {{0, 2, 1}, {2, 6, 1}}},
                                {"one each", 700, 1, {{0, 2, 1}, {2, 3, 1}, {3, 6, 1}}}};
  for (const DType dtype : {f32, f64})
    for (const Case& c : cases)
      for (const bool permuted : {false, true}) {
        const Tensor x = watch(numbers({c.outer, 6, c.inner}, dtype, 14));
        Tensor total = zeros({}, dtype), expected = zeros({c.outer, 6, c.inner}, dtype);
        for (std::size_t i = 0; i < c.parts.size(); ++i) {
          const Part p = c.parts[i];
          const Tensor y = slice(x, 1, p.begin, p.end, p.step), seen = permuted ? permute(y, {1, 2, 0}) : y;
          const Tensor w = numbers(seen.shape(), dtype, 15 + static_cast<unsigned>(i));
          total = total + sum(seen * w);
          const Tensor g = contiguous(permuted ? permute(w, {2, 0, 1}) : w);
          for (Size k = p.begin, at = 0; k < p.end; k += p.step, ++at)
            expected = evaluate(expected + pad(slice(g, 1, at, at + 1), 1, k, 5 - k));
        }
        BOOST_TEST(same_bits(contiguous(grad(total, {x})[0]), expected),
                   name(dtype) << " " << c.name << (permuted ? ", permuted" : ""));
      }
}
