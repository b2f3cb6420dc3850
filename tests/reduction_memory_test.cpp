// A reduction reads its input where it lies, block by block: expanded, transposed or boolean, it takes no memory for each
// element.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <optional>
#include <vector>

#include "helpers.hpp"
#include "memory_hooks.hpp"

using namespace xgrad;

namespace {

constexpr Size rows = 3000, columns = 2000;  // 24 MB of floats, 48 MB of counts, 6 MB of booleans

struct Input {
  const char* name;
  Tensor x;
};
std::vector<Input> inputs() {
  manual_seed(1);
  const Tensor dense = evaluate(randn({rows, columns})), mask = evaluate(dense > 0);
  return {{"one row, repeated", evaluate(expand(randn({1, columns}), {rows, columns}))},
          {"one column, repeated", evaluate(expand(randn({rows, 1}), {rows, columns}))},
          {"a number, repeated", evaluate(expand(randn({}), {rows, columns}))},
          {"transposed", evaluate(transpose(contiguous(transpose(dense))))},
          {"flipped", evaluate(flip(dense, 1))},
          {"booleans", mask},
          {"booleans, transposed", evaluate(transpose(contiguous(transpose(mask))))},
          {"booleans of one row", evaluate(expand(slice(mask, 0, 0, 1), {rows, columns}))},
          {"integers of one row", evaluate(expand(randint(-9, 9, {1, columns}), {rows, columns}))}};
}

struct Reduction {
  const char* name;
  Tensor (*of)(const Tensor& x);
  bool of_booleans;
};
const std::vector<Reduction> reductions{{"sum", [](const Tensor& x) { return sum(x); }, true},
                                        {"sum of rows", [](const Tensor& x) { return sum(x, 1); }, true},
                                        {"sum of columns", [](const Tensor& x) { return sum(x, 0); }, true},
                                        {"amax", [](const Tensor& x) { return amax(x); }, false},
                                        {"amin of rows", [](const Tensor& x) { return amin(x, 1); }, false},
                                        {"amax of columns", [](const Tensor& x) { return amax(x, 0); }, false},
                                        {"argmax of rows", [](const Tensor& x) { return argmax(x, 1); }, false},
                                        {"argmin of columns", [](const Tensor& x) { return argmin(x, 0); }, false},
                                        {"all", [](const Tensor& x) { return all(x); }, true},
                                        {"any", [](const Tensor& x) { return any(x); }, true}};

}  // namespace

BOOST_AUTO_TEST_CASE(take_no_memory_for_each_element) {
  for (const Input& in : inputs()) {
    const Tensor copy = contiguous(in.x);  // held: a freed buffer of this size would serve the next who asks
    for (const Reduction& r : reductions) {
      if (in.x.dtype() == boolean && !r.of_booleans) continue;
      if (in.x.dtype() != boolean && (r.name == std::string("all") || r.name == std::string("any"))) continue;
      const Tensor expected = evaluate(r.of(copy));
      for (const bool eagerly : {false, true}) {
        std::optional<Eager> eager;
        if (eagerly) eager.emplace();
        Tensor y;
        memory_hooks::requests([&] { y = evaluate(r.of(in.x)); });
        BOOST_TEST(memory_hooks::bytes < 1'500'000u, r.name << " of " << in.name << (eagerly ? ", Eager" : ""));
        BOOST_TEST(helpers::same_bits(y, expected), r.name << " of " << in.name << (eagerly ? ", Eager" : ""));
      }
    }
  }
}

// The same bits as of a dense copy, whatever the sizes of blocks.
BOOST_AUTO_TEST_CASE(have_the_bits_of_a_dense_copy) {
  for (const Shape& shape :
       {Shape{3, 5, 7}, {2, 600, 3}, {700, 2, 2}, {1, 513, 512}, {5, 1030, 1}, {130, 600, 2}, {2, 40, 700}})
    for (const DType dtype : {f32, f64, i64, boolean}) {
      manual_seed(7);
      const Tensor x = is_float(dtype) ? randn({shape[2], shape[1], shape[0]}, dtype)
                                       : cast(randint(-3, 2, {shape[2], shape[1], shape[0]}), dtype);
      const Tensor view = evaluate(permute(evaluate(x), {2, 1, 0})), copy = contiguous(view);
      for (const int axis : {0, 1, 2}) {
        const auto what = [&] { return fmt::format("{} {} along {}", name(dtype), shape, axis); };
        BOOST_TEST(helpers::same_bits(sum(view, axis), sum(copy, axis)), "sum " << what());
        if (dtype == boolean) continue;
        BOOST_TEST(helpers::same_bits(amax(view, axis), amax(copy, axis)), "amax " << what());
        BOOST_TEST(helpers::same_bits(argmin(view, axis), argmin(copy, axis)), "argmin " << what());
      }
      BOOST_TEST(helpers::same_bits(sum(view), sum(copy)), "sum " << name(dtype) << " " << to_string(shape));
      BOOST_TEST(helpers::same_bits(sum(view, {0, 2}), sum(copy, {0, 2})), "sum over two " << name(dtype));
    }
}
