// Recurrent layers, attention and transformers: every row of sequence_rows.cpp against PyTorch's numbers, and what else they are
// all held to.
#include <boost/test/unit_test.hpp>

#include "helpers.hpp"
#include "references/references.hpp"
#include "sequence_rows.hpp"

using namespace xgrad;
using sequences::Called;
using sequences::Row;

namespace {

const references::File& file() {
  static const references::File f("sequences");
  return f;
}

Tensor as(const Tensor& x, DType dtype) { return is_float(x.dtype()) ? cast(x, dtype) : x; }

// The numbers of a row under one key, as many as there are: in.0, in.1, ...
Tensors numbers(const Row& row, const char* key, DType dtype) {
  Tensors list;
  for (Size i = 0;; ++i) {
    const std::string name = fmt::format("{}/{}.{}", row.name, key, i);
    if (!file().has(name)) return list;
    list.push_back(as(file()[name], dtype));
  }
}

// The row's model with PyTorch's weights, by their names.
Called loaded(const Row& row, DType dtype) {
  Called model = row.make(dtype);
  xgrad::NamedTensors state;
  for (const auto& [name, value] : model.state()) {
    const std::string key = fmt::format("{}/state.{}", row.name, name);
    BOOST_TEST_REQUIRE(file().has(key), key << " is no name of PyTorch's");
    state.push_back({name, as(file()[key], dtype)});
  }
  const nn::LoadReport report = model.load_state(state);
  BOOST_TEST_REQUIRE(report.complete(), to_string(report));
  return model;
}

// sum c y over the outputs
Tensor total(const Tensors& y, const Tensors& c) {
  Tensor sum_of = 0.0;
  for (std::size_t i = 0; i < y.size(); ++i) sum_of = sum_of + sum(y[i] * c[i]);
  return sum_of;
}

// Relative to the greatest number: 1e-5 of f32, 1e-10 of f64.
void check_near(const std::string& what, const Tensor& got, const Tensor& wanted) {
  BOOST_TEST_REQUIRE((got.shape() == wanted.shape()),
                     what << fmt::format(": {} instead of {}", got.shape(), wanted.shape()));
  BOOST_TEST((got.dtype() == wanted.dtype()), what);
  const auto a = got.to_vector<double>(), b = wanted.to_vector<double>();
  double greatest = 1e-3, off = 0;
  for (const double v : b) greatest = std::max(greatest, std::abs(v));
  for (std::size_t i = 0; i < a.size(); ++i) off = std::max(off, std::isnan(a[i]) ? 1e300 : std::abs(a[i] - b[i]));
  BOOST_TEST(off <= (got.dtype() == f64 ? 1e-10 : 1e-5) * greatest,
             what << " is off by " << off << ", where " << greatest << " is the greatest");
}

std::vector<Size> float_inputs(const Tensors& in) {
  std::vector<Size> list;
  for (std::size_t i = 0; i < in.size(); ++i)
    if (is_float(in[i].dtype())) list.push_back(static_cast<Size>(i));
  return list;
}

}  // namespace

BOOST_AUTO_TEST_CASE(outputs_and_gradients_are_pytorchs) {
  for (const Row& row : sequences::rows())
    for (const DType dtype : {f32, f64})
      BOOST_TEST_CONTEXT(row.name << " in " << name(dtype)) {
        Called model = loaded(row, dtype);
        Tensors in = numbers(row, "in", dtype);
        const Tensors wanted = numbers(row, "out", dtype), c = numbers(row, "c", dtype);
        const std::vector<Size> floats = float_inputs(in);
        for (const Size i : floats) in[i] = watch(in[i]);
        const Tensors y = model.call(in);
        BOOST_TEST_REQUIRE(y.size() == wanted.size());
        for (std::size_t i = 0; i < y.size(); ++i) check_near(fmt::format("output {}", i), y[i], wanted[i]);
        Tensors wrt;
        for (const Size i : floats) wrt.push_back(in[i]);
        const Parameters parameters = model.parameters();
        for (const auto& p : parameters) wrt.push_back(p.value());
        const Tensors g = grad(total(y, c), wrt, {.allow_unused = true});
        for (std::size_t i = 0; i < floats.size(); ++i)
          check_near(fmt::format("gradient of input {}", floats[i]), g[i],
                     as(file()[fmt::format("{}/gin.{}", row.name, floats[i])], dtype));
        for (std::size_t i = 0; i < parameters.size(); ++i)
          check_near("gradient of " + parameters[i].name, g[floats.size() + i],
                     as(file()[fmt::format("{}/gstate.{}", row.name, parameters[i].name)], dtype));
      }
}

BOOST_AUTO_TEST_CASE(every_name_of_pytorchs_is_there) {
  std::size_t seen = 0, wanted = 0;
  for (const Row& row : sequences::rows()) seen += row.make(f64).state().size();
  for (const auto& [key, value] : read_safetensors(references::path("sequences")).tensors)
    wanted += key.find("/state.") != std::string::npos;
  BOOST_TEST(seen == wanted);
}

BOOST_AUTO_TEST_CASE(derivatives_to_second_order) {
  for (const Row& row : sequences::rows())
    BOOST_TEST_CONTEXT(row.name) {
      const Called model = loaded(row, f64);
      const Tensors in = numbers(row, "in", f64), c = numbers(row, "c", f64);
      for (const Size i : float_inputs(in)) {
        const auto f = [&](const Tensor& x) {
          Tensors with = in;
          with[i] = x;
          return total(model.call(with), c);
        };
        // ReLU has kinks, and -infinity in a mask no differences
        const bool smooth = std::string(row.name).find("added") == std::string::npos || i < 2;
        if (!smooth) continue;
        const GradCheck check = gradcheck(f, in[i], {.order = in[i].numel() <= 30 ? 2 : 1});
        BOOST_TEST(check.passed, fmt::format("input {}: {}", i, check));
      }
    }
}

BOOST_AUTO_TEST_CASE(saved_and_loaded_gives_the_same_bits) {
  for (const Row& row : sequences::rows())
    for (const DType dtype : {f32, f64})
      BOOST_TEST_CONTEXT(row.name << " in " << name(dtype)) {
        const Called model = loaded(row, dtype);
        if (model.state().empty()) continue;
        model.save("sequence.safetensors");
        const Called other = row.make(dtype);
        other.load("sequence.safetensors");
        const Tensors in = numbers(row, "in", dtype), y = model.call(in), z = other.call(in);
        for (std::size_t i = 0; i < y.size(); ++i) BOOST_TEST(helpers::same_bits(y[i], z[i]));
      }
}

BOOST_AUTO_TEST_CASE(a_copy_is_a_model_of_its_own) {
  for (const Row& row : sequences::rows())
    BOOST_TEST_CONTEXT(row.name) {
      const Called model = loaded(row, f64);
      if (model.state().empty()) continue;
      const Tensors in = numbers(row, "in", f64), before = model.call(in);
      const Called copy = model.copy();
      for (const auto& p : copy.parameters()) p.assign(p.value() + 0.25);
      const Tensors after = model.call(in), other = copy.call(in);
      BOOST_TEST(helpers::same_bits(before[0], after[0]));
      BOOST_TEST(!allclose(before[0], other[0]));
    }
}

// Three examples side by side, in one run of the function of one.
BOOST_AUTO_TEST_CASE(through_vmap) {
  for (const Row& row : sequences::rows())
    BOOST_TEST_CONTEXT(row.name) {
      const Called model = loaded(row, f64);
      const Tensors in = numbers(row, "in", f64);
      Tensors many;
      std::vector<Tensors> each(3);
      for (std::size_t i = 0; i < in.size(); ++i) {
        for (Size k = 0; k < 3; ++k)
          each[static_cast<std::size_t>(k)].push_back(is_float(in[i].dtype())
                                                          ? in[i] * (1 + 0.5 * static_cast<double>(k))
                                                      : k ? flip(in[i], -1)
                                                          : in[i]);
        many.push_back(stack({each[0][i], each[1][i], each[2][i]}));
      }
      const Tensors y = vmap(FunctionToMany([&](const Tensors& x) { return model.call(x); }), many);
      for (std::size_t k = 0; k < 3; ++k) {
        const Tensors wanted = model.call(each[k]);
        for (std::size_t i = 0; i < wanted.size(); ++i)
          check_near(fmt::format("example {}, output {}", k, i), y[i][k], wanted[i]);
      }
    }
}

BOOST_AUTO_TEST_CASE(the_other_dtype_comes_in_cast) {
  for (const Row& row : sequences::rows())
    BOOST_TEST_CONTEXT(row.name) {
      const Called model = loaded(row, f64);
      if (model.state().empty()) continue;
      const Tensors y = model.call(numbers(row, "in", f32)), wanted = model.call(numbers(row, "in", f64));
      for (std::size_t i = 0; i < y.size(); ++i) check_near("", y[i], wanted[i]);
    }
}

BOOST_AUTO_TEST_CASE(sinusoids_are_those_of_the_paper) {
  for (const Size width : {6, 5})
    for (const DType dtype : {f32, f64})
      check_near("", nn::sinusoidal_positions(7, width, dtype), as(file()[fmt::format("sinusoidal {}", width)], dtype));
}
