// State dicts and files of models: both ways with PyTorch, and an Error that changes nothing where they do not fit.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <functional>
#include <iterator>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include "references/references.hpp"

using namespace xgrad;

namespace {

// As in make.py: Sequential(Linear(3, 5), Tanh(), Linear(5, 2, bias=False))
nn::Sequential network(DType dtype) {
  return nn::Sequential{nn::Linear(3, 5, {.dtype = dtype}), nn::Tanh{},
                        nn::Linear(5, 2, {.bias = false, .dtype = dtype})};
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<double> numbers(const nn::Sequential& net) {
  std::vector<double> all;
  for (const NamedTensor& t : nn::state_dict(net))
    for (const double v : t.value.to_vector<double>()) all.push_back(v);
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(from_pytorch) {
  for (const DType dtype : {f32, f64}) {
    const references::File file(fmt::format("network_{}", name(dtype)));
    nn::Sequential net = network(dtype);
    nn::load(net, references::path(fmt::format("from_torch_{}", name(dtype))));
    CHECK_NEAR(name(dtype), net(file["x"]), file["from_torch"]);
  }
}

// The file was written by this library, loaded (strictly) by PyTorch, and its outputs recorded by make.py.
BOOST_AUTO_TEST_CASE(to_pytorch) {
  for (const DType dtype : {f32, f64}) {
    const references::File file(fmt::format("network_{}", name(dtype)));
    const std::string written = references::path(fmt::format("from_xgrad_{}", name(dtype))), again = "again";
    nn::Sequential net = network(dtype);
    nn::load(net, written);
    CHECK_NEAR(name(dtype), net(file["x"]), file["from_xgrad"]);
    nn::save(net, again);
    BOOST_TEST((bytes_of(again) == bytes_of(written)));
  }
}

BOOST_AUTO_TEST_CASE(saved_and_loaded) {
  struct Net {
    nn::Linear layer{3, 2};
    Tensor buffer = tensor({1.0, 2.0}), counts = tensor({1, 2, 3}), flags = tensor({1, 0}) > 0;
    XGRAD_FIELDS(layer, buffer, counts, flags)
  };
  const std::string path = "net.safetensors";
  const Net net;
  nn::save(net, path);
  Net other;
  other.buffer = zeros({2}, f64);
  other.flags = tensor({0, 0}) > 0;
  nn::load(other, path);
  const NamedTensors a = nn::state_dict(net), b = nn::state_dict(other);
  BOOST_TEST_REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    BOOST_TEST(a[i].name == b[i].name);
    BOOST_TEST(a[i].value.to_vector<double>() == b[i].value.to_vector<double>(), boost::test_tools::per_element());
    BOOST_TEST((a[i].value.dtype() == b[i].value.dtype()));
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_changes_nothing) {
  nn::Sequential net = network(f32);
  const std::vector<double> before = numbers(net);
  const NamedTensors good = nn::state_dict(network(f32));
  struct Row {
    const char* what;
    std::function<void(NamedTensors&)> spoil;
    const char* message;
  };
  const Row rows[] = {
      {"missing", [](NamedTensors& s) { s.pop_back(); }, "the names differ: missing 2.weight; load with"},
      {"left over",
       [](NamedTensors& s) {
         s.push_back({"3.bias", ones({1})});
       },
       "not in the model 3.bias"},
      {"shape",
       [](NamedTensors& s) {
         s[2].value = ones({5, 2});
       },
       "expected f32 (2, 5) for 2.weight, got f32 (5, 2)"},
      {"dtype",
       [](NamedTensors& s) {
         s[2].value = ones({2, 5}, f64);
       },
       "got f64 (2, 5)"},
      {"twice", [](NamedTensors& s) { s.push_back(s[0]); }, "0.weight appears twice"},
      {"empty", [](NamedTensors& s) { s[2].value = Tensor(); }, "empty tensor"},
  };
  for (const Row& row : rows) {
    NamedTensors state = good;
    row.spoil(state);
    CHECK_ERROR(nn::load_state_dict(net, state), row.message);
    BOOST_TEST(numbers(net) == before, boost::test_tools::per_element());
  }
  CHECK_ERROR(nn::load(net, "/nowhere/at/all"), "/nowhere/at/all: cannot open");
  BOOST_TEST(numbers(net) == before, boost::test_tools::per_element());

  NamedTensors some{good[0], {"3.bias", ones({1})}};
  (void)nn::load_state_dict(net, some, {.strict = false});
  BOOST_TEST(numbers(net) != before);
  BOOST_TEST(all(net.at<nn::Linear>(0).weight == good[0].value).item() == 1);
}

// What is passed over is named, by how it does not fit.
BOOST_AUTO_TEST_CASE(a_report_of_what_was_passed_over) {
  using Names = std::vector<std::string>;
  // clang-format off
  const struct {
    const char* what;
    std::function<void(NamedTensors&)> spoil;
    Names missing, left_over, misshapen;
  } table[] = {
      {"nothing", [](NamedTensors&) {}, {}, {}, {}},
      {"missing", [](NamedTensors& s) { s.erase(s.begin()); }, {"0.weight"}, {}, {}},
      {"left over", [](NamedTensors& s) { s.push_back({"3.bias", ones({1})}); }, {}, {"3.bias"}, {}},
      {"a shape", [](NamedTensors& s) { s[2].value = ones({5, 2}); }, {}, {}, {"2.weight"}},
      {"a dtype", [](NamedTensors& s) { s[2].value = ones({2, 5}, f64); }, {}, {}, {"2.weight"}},
      {"integers", [](NamedTensors& s) { s[2].value = ones({2, 5}, i64); }, {}, {}, {"2.weight"}},
      {"renamed", [](NamedTensors& s) { s[0].name = "first.weight"; }, {"0.weight"}, {"first.weight"}, {}},
      {"all", [](NamedTensors& s) { s = {{"0.bias", ones({7})}, {"x", ones({})}}; }, {"0.weight", "2.weight"}, {"x"}, {"0.bias"}},
  };
  // clang-format on
  for (const auto& row : table) {
    nn::Sequential net = network(f32);
    const NamedTensors own = nn::state_dict(net);
    NamedTensors state = nn::state_dict(network(f32));
    row.spoil(state);
    const nn::LoadReport report = nn::load_state_dict(net, state, {.strict = false});
    BOOST_TEST_CONTEXT(row.what) {
      BOOST_TEST(report.missing == row.missing, boost::test_tools::per_element());
      BOOST_TEST(report.left_over == row.left_over, boost::test_tools::per_element());
      BOOST_TEST(report.misshapen == row.misshapen, boost::test_tools::per_element());
      BOOST_TEST(report.complete() == (row.what == std::string("nothing")));
      for (const std::string& name : row.misshapen)
        BOOST_TEST(fmt::format("{}", report).find(name) != std::string::npos);
    }
    for (const NamedTensor& now : nn::state_dict(net)) {  // what was passed over is as it was, the rest is the state's
      const auto in = [&](const Names& names) {
        return std::find(names.begin(), names.end(), now.name) != names.end();
      };
      const NamedTensors& source = in(row.missing) || in(row.misshapen) ? own : state;
      for (const NamedTensor& t : source)
        if (t.name == now.name) BOOST_TEST(all(t.value == now.value).item() == 1, row.what << ": " << now.name);
    }
  }
  nn::Sequential net = network(f32);
  BOOST_TEST(fmt::format("{}", nn::load_state_dict(net, nn::state_dict(net))) == "nothing was passed over");
}

BOOST_AUTO_TEST_CASE(floats_go_into_wider_ones) {
  nn::Sequential wide = network(f64);
  const NamedTensors state = nn::state_dict(network(f32));
  (void)nn::load_state_dict(wide, state);
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Tensor now = nn::state_dict(wide)[i].value;
    BOOST_TEST((now.dtype() == f64));
    BOOST_TEST(all(now == cast(state[i].value, f64)).item() == 1);
  }
}

// A tensor of a dtype that no Tensor holds is in nobody's way until the model asks for it by name.
BOOST_AUTO_TEST_CASE(dtypes_that_nobody_wants) {
  const std::string header = R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                             R"("ids":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[4,8]}})";
  const std::uint64_t length = header.size();
  std::ofstream("odd", std::ios::binary) << std::string(reinterpret_cast<const char*>(&length), 8) << header
                                         << std::string(
                                                "\0\0\x80\x3f"
                                                "abcd",
                                                8);
  struct One {
    Parameter x = parameter(tensor({5.0f}));
    XGRAD_FIELDS(x)
  } one;
  CHECK_ERROR(nn::load(one, "odd"), "not in the model ids");
  BOOST_TEST(nn::load(one, "odd", {.strict = false}).left_over == (std::vector<std::string>{"ids"}),
             boost::test_tools::per_element());
  BOOST_TEST(one.x.value()[0].item() == 1);
  struct Both {
    Parameter x = parameter(tensor({5.0f}));
    Tensor ids = zeros({4}, i64);
    XGRAD_FIELDS(x, ids)
  } both;
  CHECK_ERROR(nn::load(both, "odd"), "odd: ids has the dtype F8_E4M3, which no Tensor holds; convert it");
  BOOST_TEST(both.x.value()[0].item() == 5);
  BOOST_TEST(nn::load(both, "odd", {.strict = false}).misshapen == (std::vector<std::string>{"ids"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_model_without_tensors_is_not_saved) {
  const std::string path = "moved";
  nn::Linear layer(2, 2);
  nn::save(layer, path);
  const std::string before = bytes_of(path);
  const nn::Linear own = std::move(layer);
  CHECK_ERROR(nn::save(layer, path), "moved: the model holds no tensors; it was moved from");
  BOOST_TEST((bytes_of(path) == before));
}

BOOST_AUTO_TEST_CASE(a_state_dict_is_a_snapshot) {
  nn::Linear layer(2, 2);
  const NamedTensors state = nn::state_dict(layer);
  const double before = sum(state[0].value).item();
  layer.weight += 1;
  BOOST_TEST(sum(state[0].value).item() == before);
  BOOST_TEST(!state[0].value.requires_grad());
}
