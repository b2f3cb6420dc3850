// Bits of a matrix product depend on shapes and on the program, not on when values are looked at: every layout of the
// operands, every kernel (our own, oneDNN, OpenBLAS, batches), values and gradients.
#define BOOST_TEST_MODULE layouts
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
