// The state of optimizers: kept whole where loading fails, gone on from where it succeeds; odd gradients.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>
#include <cstring>
#include <fstream>
#include <iterator>

#include <xgrad/autodiff.hpp>
#include "helpers.hpp"
#include <xgrad/optim.hpp>

using namespace xgrad;
using namespace helpers;

BOOST_AUTO_TEST_CASE(optimizer_state) {
  Parameter a = parameter(ones({5})), b = parameter(1.0);
  optim::Adam optimizer({a, b});
  const auto step = [&] {
    a.set_grad(ones({5}));
    b.set_grad(tensor(1.0));
    optimizer.step();
  };
  step();
  const NamedTensors early = optimizer.state();
  step();
  step();
  optimizer.set_lr(0.25);
  const NamedTensors now = optimizer.state();
  NamedTensors bad = early;
  bad.pop_back();
  BOOST_CHECK_THROW(optimizer.load_state(bad), Error);
  const NamedTensors after = optimizer.state();
  for (std::size_t i = 0; i < now.size(); ++i)
    BOOST_TEST(after[i].value.to_vector<double>() == now[i].value.to_vector<double>(),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_count_of_steps_that_cannot_be) {
  Parameter a = parameter(ones({5}));
  optim::Adam optimizer({a});
  a.set_grad(ones({5}));
  optimizer.step();
  const auto with = [&](Size steps) {
    NamedTensors state = optimizer.state();
    for (NamedTensor& entry : state)
      if (entry.name == "0.step") entry.value = reshape(tensor(std::vector<Size>{steps}), {});
    return state;
  };
  constexpr Size most = Size{1} << 53;
  for (const Size steps : {std::numeric_limits<Size>::max(), most + 1, Size{-1}, std::numeric_limits<Size>::min()})
    BOOST_CHECK_EXCEPTION(optimizer.load_state(with(steps)), Error, says(std::to_string(steps) + " steps"));
  for (const Size steps : {most, most - 1, Size{0}}) {
    optimizer.load_state(with(steps));
    BOOST_TEST(optimizer.state()[2].value.to_vector<Size>()[0] == steps);
  }
}

// A file with something in it that no Tensor holds is none of an optimizer's.
BOOST_AUTO_TEST_CASE(a_file_of_other_dtypes) {
  Parameter a = parameter(1.0);
  optim::SGD optimizer({a}, {.lr = 0.5});
  optimizer.save("plain");
  std::string bytes;
  {
    std::ifstream file("plain", std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  const std::size_t end = bytes.rfind('}', 8 + length - 1);
  const std::size_t numbers = bytes.size() - 8 - length;
  const std::string entry =
      fmt::format(R"(,"ids":{{"dtype":"U64","shape":[1],"data_offsets":[{},{}]}})", numbers, numbers + 8);
  bytes.insert(end, entry);
  bytes.append(8, 'x');
  length += entry.size();
  std::memcpy(bytes.data(), &length, 8);
  std::ofstream("odd", std::ios::binary) << bytes;
  optimizer.set_lr(0.25);
  BOOST_CHECK_EXCEPTION(optimizer.load("odd"), Error, says("odd: ids has the dtype U64"));
  BOOST_TEST(optimizer.lr() == 0.25);
  optimizer.load("plain");
  BOOST_TEST(optimizer.lr() == 0.5);
}

BOOST_AUTO_TEST_CASE(a_schedule_goes_on_from_a_loaded_rate) {
  Parameter a = parameter(0.0), b = parameter(0.0);
  optim::SGD first({a}, {.lr = 0.1}), second({b}, {.lr = 0.7});
  optim::StepLR of_first(first, {.every = 1, .gamma = 0.5}), of_second(second, {.every = 1, .gamma = 0.5});
  of_first.step();
  second.load_state(first.state());
  of_second.resume(1);
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(second.lr() == first.lr());
    of_first.step(), of_second.step();
  }
}

BOOST_AUTO_TEST_CASE(amsgrad_nan) {
  for (const DType d : {f32, f64}) {
    Parameter w = parameter(zeros({20}, d));
    optim::Adam optimizer({w}, {.amsgrad = true});
    w.set_grad(ones({20}, d));
    optimizer.step();
    w.set_grad(full({20}, std::nan(""), d));
    optimizer.step();
    w.set_grad(ones({20}, d));
    optimizer.step();
    for (const auto& e : optimizer.state())
      if (e.name.find("max_") != std::string::npos)
        for (double x : e.value.to_vector<double>()) BOOST_TEST(std::isnan(x));
  }
}

BOOST_AUTO_TEST_CASE(a_gradient_that_is_a_view) {
  const Tensor start = randn({7, 11}), g = randn({11, 7});
  for (const Tensor& view : {transpose(g), flip(contiguous(transpose(g)), 1),
                             expand(slice(transpose(g), 0, 0, 1), {7, 11}), full({7, 11}, 0.5f)}) {
    Parameter a = parameter(start), b = parameter(start);
    optim::SGD optimizer({a, b}, {.lr = 0.1});
    a.set_grad(view);
    b.set_grad(tensor(view.to_vector<float>(), {7, 11}));
    optimizer.step();
    BOOST_TEST(same_bits(a, b));
  }
}
