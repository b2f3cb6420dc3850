// One sweep over the table of layers (layers/): results, all gradients and buffers against PyTorch's (references/make_layers.py), in
// training and in evaluation, f32 and f64; derivatives against differences; files; copies; batches by vmap.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <set>

#include "helpers.hpp"
#include "layers/row.hpp"
#include "references/references.hpp"

using namespace xgrad;
using layers::But;
using layers::Row;
using layers::Subject;

namespace {

constexpr double times = 10;  // the references' tolerances: 1e-11 in f64, 1e-5 in f32

// Numbers that differ by orders are compared one by one: relative where they are above 1.
void check_near(const std::string& what, const Tensor& got, const Tensor& wanted, bool one_by_one) {
  if (!one_by_one) {
    const std::string off = references::difference(got, wanted, times);
    BOOST_TEST(off == "", what + ": " + off);
    return;
  }
  BOOST_TEST((got.shape() == wanted.shape()));
  const auto a = got.to_vector<double>(), b = wanted.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i)
    BOOST_TEST(std::abs(a[i] - b[i]) <= times * references::tolerance(got.dtype()) * std::max(1.0, std::abs(b[i])),
               fmt::format("{}, element {}: {} instead of {}", what, i, a[i], b[i]));
}

const references::File& file_of(const Row& row) {
  static const references::File images("layer_images"), rows("layer_rows");
  return images.has(std::string(row.name) + ".y") ? images : rows;
}

Tensor in(DType dtype, const Tensor& t) { return is_float(t.dtype()) ? cast(t, dtype) : t; }

// A row with its numbers, and its layer in the state that they were made from.
struct Case {
  const Row& row;
  DType dtype;
  std::string name;
  const references::File& file;
  NamedTensors state;
  Subject layer;
  std::vector<Parameter> variables;
  Tensors inputs, floats;

  Case(const Row& r, DType d) : row(r), dtype(d), name(r.name), file(file_of(r)), layer(r.make(d)) {
    for (const auto& [key, held] : layer.state()) state.push_back({key, numbers("state." + key)});
    layer.load_state(state);
    std::size_t count = 0;
    while (file.has(fmt::format("{}.in{}", name, count))) ++count;
    variables.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      const Tensor t = numbers(fmt::format("in{}", i));
      if (is_float(t.dtype())) {
        variables.push_back(Parameter(t));
        inputs.push_back(variables.back());
        floats.push_back(variables.back());
      } else {
        inputs.push_back(t);
      }
    }
  }
  bool has(const std::string& what) const { return file.has(name + "." + what); }
  Tensor numbers(const std::string& what) const { return in(dtype, file[name + "." + what]); }
  void near(const std::string& what, const Tensor& got, const Tensor& wanted) const {
    check_near(fmt::format("{} {}.{}", xgrad::name(dtype), name, what), got, wanted,
               name.find("_corners") != std::string::npos);
  }
  void starts_again() const { layer.load_state(state); }
};

void check_state(const Case& c, const std::string& when, const Subject& layer, bool changed) {
  for (const auto& [key, value] : layer.state()) {
    const std::string after = "after." + key;
    c.near(when + "." + key, value, changed && c.has(after) ? c.numbers(after) : c.numbers("state." + key));
  }
}

void check_values(const Case& c) {
  c.layer.train(false);
  c.near("eval", c.layer.call(c.inputs), c.numbers(c.has("eval") ? "eval" : "y"));
  c.starts_again();

  const Subject copy = c.layer.copy();
  c.layer.train(true);
  const Tensor y = c.layer.call(c.inputs);
  c.near("y", y, c.numbers("y"));
  Tensors wrt = c.floats;
  const Parameters parameters = c.layer.parameters();
  for (const auto& p : parameters) wrt.push_back(p);
  if (!wrt.empty()) {
    const Tensors g = grad(y, Wrt(wrt), c.numbers("c"), {.allow_unused = true});
    std::size_t at = 0;
    for (std::size_t i = 0; i < c.inputs.size(); ++i)
      if (c.has(fmt::format("gin{}", i))) c.near(fmt::format("gin{}", i), g[at++], c.numbers(fmt::format("gin{}", i)));
    BOOST_TEST(at == c.floats.size());
    for (const auto& p : parameters) c.near("g." + p.name, g[at++], c.numbers("g." + p.name));
    for (const auto& p : parameters) p.zero_grad();
    y.backward(c.numbers("c"));
    for (const auto& p : parameters) c.near("backward." + p.name, p.grad(), c.numbers("g." + p.name));
  }
  check_state(c, "after", c.layer, true);
  check_state(c, "copy", copy, false);  // a snapshot stays
  c.layer.assign(copy);                 // and restores
  check_state(c, "restored", c.layer, false);
}

// PyTorch's state dict has the names that the layer's has, and no others.
void check_names(const Case& c, const std::vector<std::string>& keys) {
  std::set<std::string> wanted, held;
  for (const std::string& key : keys) wanted.insert(key);
  for (const auto& [key, value] : c.layer.state()) held.insert(key);
  BOOST_TEST(held == wanted, boost::test_tools::per_element());
}

void check_files(const Case& c) {
  if (c.state.empty()) return;
  const std::string path = "layer.safetensors";
  c.layer.save(path);
  const Subject other = c.row.make(c.dtype);
  other.load(path);
  std::filesystem::remove(path);
  c.layer.train(false), other.train(false);
  BOOST_TEST(helpers::same_bits(c.layer.call(c.inputs), other.call(c.inputs)), c.name << ": a loaded layer differs");
  c.starts_again();
}

// Of all float inputs and parameters, one by one.
void check_differences(const Case& c) {
  const Tensor cotangent = c.numbers("c");
  for (const bool training : {false, true}) {
    if (training && c.row.but == But::changes_weights) continue;
    c.layer.train(training);
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      if (!is_float(c.inputs[i].dtype())) continue;
      const Function f = [&](const Tensor& x) {
        Tensors moved = c.inputs;
        moved[i] = x;
        return sum(c.layer.call(moved) * cotangent);
      };
      if (c.name.find("_corners") != std::string::npos) continue;  // there they have two slopes
      const GradCheck check = gradcheck(f, c.inputs[i].detach(), {.order = c.inputs[i].numel() <= 30 ? 2 : 1});
      BOOST_TEST(check.passed, c.name << (training ? ", training: " : ": ") << to_string(check));
    }
    c.starts_again();
  }
}

bool has_buffers(const Case& c) {
  const std::size_t all = c.layer.state().size();
  return all > c.layer.parameters().size();
}

// Three examples at once, and one by one.
void check_batches(const Case& c) {
  if (c.row.but == But::reads_numbers) {
    const auto f = [&](const Tensors& x) { return c.layer.call(x); };
    Tensors twice;
    for (const Tensor& x : c.inputs) twice.push_back(stack({x.detach(), x.detach()}));
    BOOST_TEST_CONTEXT(c.name) BOOST_CHECK_THROW(vmap(f, twice), Error);
    return;
  }
  for (const bool training : {false, true}) {
    if (training && has_buffers(c)) continue;
    c.layer.train(training);
    Tensors all;
    for (const Tensor& x : c.inputs) {
      const Tensor one = x.detach();
      all.push_back(is_float(x.dtype()) ? stack({one, 0.5 * one, one - 0.25}) : stack({one, one, one}));
    }
    const Tensors together = vmap(
        [&](const Tensors& x) {
          const Tensor y = c.layer.call(x);
          Tensors out{y};
          const Parameters p = c.layer.parameters();
          if (!p.empty())
            for (const Tensor& g : grad(sum(square(y)), p, {.allow_unused = true})) out.push_back(g);
          return out;
        },
        all);
    for (Size i = 0; i < 3; ++i) {
      Tensors one;
      for (const Tensor& x : all) one.push_back(x[i]);
      const Tensor y = c.layer.call(one);
      c.near(fmt::format("example {}", i), together[0][i], y);
      const Parameters p = c.layer.parameters();
      if (p.empty()) continue;
      const Tensors g = grad(sum(square(y)), p, {.allow_unused = true});
      for (std::size_t k = 0; k < g.size(); ++k)
        c.near(fmt::format("gradient of example {}", i), together[k + 1][i], g[k]);
    }
  }
  c.starts_again();
}

std::vector<std::string> keys_of(const std::string& file, const std::string& name) {
  std::vector<std::string> keys;
  const std::string prefix = name + ".state.";
  for (const auto& [key, value] : read_safetensors(references::path(file)).tensors)
    if (key.compare(0, prefix.size(), prefix) == 0) keys.push_back(key.substr(prefix.size()));
  return keys;
}

void sweep(const std::string& file, const std::vector<Row>& rows) {
  for (const Row& row : rows)
    BOOST_TEST_CONTEXT(row.name) {
      try {
        for (const DType dtype : {f64, f32}) {
          const Case c(row, dtype);
          BOOST_TEST(c.layer.names_lines);
          check_names(c, keys_of(file, row.name));
          check_values(c);
          check_files(c);
          if (dtype == f64) check_differences(c), check_batches(c);
        }
      } catch (const std::exception& error) {
        BOOST_ERROR(row.name << ": " << error.what());
      }
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(convolutions) { sweep("layer_images", layers::convolution_rows()); }
BOOST_AUTO_TEST_CASE(shapes) { sweep("layer_images", layers::shape_rows()); }
BOOST_AUTO_TEST_CASE(norms) { sweep("layer_rows", layers::norm_rows()); }
BOOST_AUTO_TEST_CASE(activations) { sweep("layer_rows", layers::activation_rows()); }
BOOST_AUTO_TEST_CASE(dense) { sweep("layer_rows", layers::dense_rows()); }

// Each case of the files is a row of the table.
BOOST_AUTO_TEST_CASE(the_table_is_complete) {
  std::set<std::string> rows, cases;
  for (const auto& part : {layers::convolution_rows(), layers::shape_rows(), layers::norm_rows(),
                           layers::activation_rows(), layers::dense_rows()})
    for (const Row& row : part) rows.insert(row.name);
  for (const char* file : {"layer_images", "layer_rows"})
    for (const auto& [key, value] : read_safetensors(references::path(file)).tensors)
      cases.insert(key.substr(0, key.find('.')));
  BOOST_TEST(rows == cases, boost::test_tools::per_element());
}
