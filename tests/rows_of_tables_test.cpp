// Tables of rows beyond the sweep (layers_test.cpp): what is picked costs what is picked; bags; extents that stay.
#include <boost/test/unit_test.hpp>
#include <functional>

#include "autodiff/engine/variable.hpp"
#include "helpers.hpp"
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

using namespace xgrad;
using helpers::same_bits;
using helpers::says;

namespace {

// Those that are not 0.
std::vector<Size> rows_of_gradient(const Parameter& weight) {
  const Tensor touched = any(weight.grad() != 0, 1);
  std::vector<Size> rows;
  const auto each = touched.to_vector<bool>();
  for (std::size_t i = 0; i < each.size(); ++i)
    if (each[i]) rows.push_back(static_cast<Size>(i));
  return rows;
}

}  // namespace

// A step of a large table costs its rows: bytes of the backward pass and of the step stay far below those of the table.
BOOST_AUTO_TEST_CASE(rows_stay_rows) {
  manual_seed(9);
  constexpr Size count = 100'000, width = 16;
  nn::Embedding plain(count, width, {.padding_idx = 0, .max_norm = 3.0});
  nn::EmbeddingBag bag(count, width, {.mode = nn::BagMode::mean, .padding_idx = 0});
  nn::EmbeddingBag greatest(count, width, {.mode = nn::BagMode::max});
  const Tensor index = tensor({{5, 0, 7}, {99'999, 5, 0}});
  const auto check = [&](const char* which, const Parameter& weight, const std::function<Tensor()>& loss,
                         const std::vector<Size>& rows) {
    optim::SGD optimizer(Parameters{const_cast<Parameter&>(weight)}, {.lr = 0.1});
    const auto step = [&] {
      optimizer.zero_grad();
      loss().backward();
      optimizer.step();
    };
    step();
    const Tensor before = weight.detach() + 0.0;
    evaluate(before);
    step();
    const Counters c = helpers::during(step);
    BOOST_TEST(c.evaluated < 60u, which << ": " << c.evaluated << " nodes");
    const Tensor moved = any(weight.value() != before, 1);
    std::vector<Size> changed;
    const auto each = moved.to_vector<bool>();
    for (std::size_t i = 0; i < each.size(); ++i)
      if (each[i]) changed.push_back(static_cast<Size>(i));
    BOOST_TEST(changed == rows, boost::test_tools::per_element());
    loss().backward();
    BOOST_TEST(weight.variable()->rows.index.defined(), which << ": the gradient is not kept by rows");
    BOOST_TEST(rows_of_gradient(weight) == rows, boost::test_tools::per_element());
  };
  check("Embedding", plain.weight, [&] { return sum(square(plain(index))); }, {5, 7, 99'999});
  check("EmbeddingBag", bag.weight, [&] { return sum(square(bag(index))); }, {5, 7, 99'999});
  check("EmbeddingBag, max", greatest.weight, [&] { return sum(square(greatest(index) - 10.0f)); }, {0, 5, 7, 99'999});
}

BOOST_AUTO_TEST_CASE(max_norm_changes_the_rows_that_are_picked) {
  manual_seed(10);
  nn::Embedding layer(10, 4, {.max_norm = 0.5});
  const Tensor before = layer.weight.detach();
  const nn::Embedding copy = layer;
  const Tensor y = layer(tensor({3, 3, 8}));
  BOOST_TEST(amax(norm(y, 2, 1)).item() <= 0.5);
  for (Size i = 0; i < 10; ++i) {
    const bool picked = i == 3 || i == 8;
    BOOST_TEST(same_bits(layer.weight.value()[i], before[i]) == !picked);
    BOOST_TEST(same_bits(copy.weight.value()[i], before[i]));
  }
  BOOST_TEST(same_bits(y[0], layer.weight.value()[3]));
  const Tensor again = layer.weight.detach();
  BOOST_CHECK_EXCEPTION(layer(tensor({3, 10})), Error, says("[Embedding] index 10"));
  BOOST_TEST(same_bits(layer.weight.value(), again));
}

// The greatest of bags of any lengths, each by itself; the first of equals gets the gradient.
BOOST_AUTO_TEST_CASE(greatest_rows_of_bags) {
  manual_seed(17);
  for (const bool padded : {false, true}) {
    nn::EmbeddingBagOptions options{.mode = nn::BagMode::max};
    if (padded) options.padding_idx = 1;
    nn::EmbeddingBag layer(6, 3, options);
    layer.weight.assign(round(layer.weight * 2));  // with equals
    std::vector<Size> offsets{0}, index;
    for (const Size n : {1, 0, 40, 3, 2, 0, 7, 1, 1, 16, 17, 4, 0}) offsets.push_back(offsets.back() + n);
    const Tensor all = randint(0, 6, {offsets.back()});
    offsets.pop_back();
    const Tensor y = layer(all, {.offsets = tensor(offsets)}), c = randn(y.shape());
    const Tensor g = grad(sum(y * c), {layer.weight})[0];
    Tensor wanted_g = zeros({6, 3});
    for (std::size_t b = 0; b < offsets.size(); ++b) {
      const Size end = b + 1 < offsets.size() ? offsets[b + 1] : all.numel();
      const auto i = static_cast<Size>(b);
      const Tensor own = slice(all, 0, offsets[b], end);
      const Tensor one = layer(reshape(own, {1, -1})), g_one = grad(sum(one * c[i]), {layer.weight})[0];
      BOOST_TEST(same_bits(y[i], one[0]));
      wanted_g = wanted_g + g_one;
    }
    BOOST_TEST(allclose(g, wanted_g, 1e-6, 1e-6));
  }
}

// PyTorch copies along an axis that stays as long, whatever the factor; but by nearest and bicubic the factor counts.
BOOST_AUTO_TEST_CASE(factors_that_leave_an_extent) {
  using nn::Interpolation;
  const Tensor x = reshape(square(arange(10)) * 1.0, {1, 2, 5}), image = reshape(x, {1, 1, 2, 5});
  const auto by = [](const Tensor& t, const nn::Factors& factor, Interpolation mode, bool corners = false) {
    return nn::interpolate(t, {.scale_factor = factor, .mode = mode, .align_corners = corners});
  };
  for (const bool corners : {false, true}) {
    BOOST_TEST(same_bits(by(x, {1.1}, Interpolation::linear, corners), x));
    BOOST_TEST(same_bits(by(image, {2, 1.1}, Interpolation::linear, corners),
                         by(image, {2, 1}, Interpolation::linear, corners)));
  }
  const auto row = [&](Interpolation mode) { return by(x, {1.15}, mode)[0][0].to_vector<double>(); };
  BOOST_TEST(row(Interpolation::nearest) == (std::vector<double>{0, 0, 1, 4, 9}), boost::test_tools::per_element());
  BOOST_TEST(row(Interpolation::nearest_exact) == (std::vector<double>{0, 1, 4, 9, 9}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_row_of_the_padding_is_zero) {
  for (const Size at : {2, -3}) {
    const nn::Embedding layer(5, 3, {.padding_idx = at});
    BOOST_TEST(sum(abs(layer.weight.value()[2])).item() == 0);
    BOOST_TEST(sum(abs(layer.weight.value()[1])).item() > 0);
    const nn::EmbeddingBag bag(5, 3, {.padding_idx = at});
    BOOST_TEST(sum(abs(bag.weight.value()[2])).item() == 0);
  }
}
