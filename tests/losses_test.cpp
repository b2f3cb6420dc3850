// Losses against PyTorch's numbers (tests/references/make_losses.py), and what all of them are held to: derivatives, examples
// one by one and through vmap, few rows, scores far out, bad input. A new loss is a row.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <sstream>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include "helpers.hpp"
#include "losses_rows.hpp"
#include "references/references.hpp"

using namespace xgrad;
using namespace losses;
using helpers::says;

namespace {

const references::File& file() {
  static const references::File f("losses_more");
  return f;
}

std::vector<std::string> names_of(const Row& row) {
  std::istringstream in(row.operands);
  std::vector<std::string> names;
  for (std::string name; in >> name;) names.push_back(name);
  return names;
}
Tensors operands_of(const Row& row, DType dtype) {
  Tensors list;
  for (const std::string& name : names_of(row)) {
    const Tensor& t = file()["in." + name];
    list.push_back(is_float(t.dtype()) ? cast(t, dtype) : t);
  }
  return list;
}
bool differentiable(const Row& row, const std::string& operand) {
  return file().has(std::string("f64.") + row.name + ".sum.g." + operand);
}

// As make_losses.py has it.
Tensor cotangent(const Shape& shape, DType dtype) {
  return reshape(cast(remainder(arange(shape.numel()) * 7, 11) - 5, dtype) / 4, shape);
}

}  // namespace

BOOST_AUTO_TEST_CASE(values_and_gradients_are_pytorchs) {
  for (const auto& [kind, dtype] : {std::pair("f32", f32), std::pair("f64", f64)})
    for (const Row& row : rows)
      for (int r = 0; r < 3; ++r) {
        const std::string key = fmt::format("{}.{}.{}", kind, row.name, reduction_names[r]);
        const std::vector<std::string> names = names_of(row);
        Tensors operands = operands_of(row, dtype), watched;
        std::vector<std::string> watched_names;
        for (std::size_t i = 0; i < names.size(); ++i)
          if (differentiable(row, names[i])) {
            operands[i] = watch(operands[i]);
            watched.push_back(operands[i]);
            watched_names.push_back(names[i]);
          }
        const Tensor y = row.loss(operands, reductions[r]);
        const double times = dtype == f64 ? 50 : 4;  // 5e-11, 4e-6
        const auto check = [&](const std::string& what, const Tensor& got) {
          const std::string off = references::difference(got, file()[what], times);
          BOOST_TEST(off == "", what + ": " + off);
        };
        check(key, y);
        const Tensors g = grad(y, watched, r == 2 ? cotangent(y.shape(), dtype) : ones_like(y));
        for (std::size_t i = 0; i < watched.size(); ++i) check(key + ".g." + watched_names[i], g[i]);
      }
}

BOOST_AUTO_TEST_CASE(derivatives_are_those_of_the_value) {
  for (const Row& row : rows) {
    const std::vector<std::string> names = names_of(row);
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!differentiable(row, names[i]) || (row.properties & smooth_nowhere && i == 2)) continue;
      const Tensors operands = operands_of(row, f64);
      const auto f = [&](const Tensor& x) {
        Tensors all = operands;
        all[i] = x;
        return row.loss(all, Reduction::mean);
      };
      const GradCheck check = gradcheck(f, operands[i], {.order = 2});
      BOOST_TEST(check.passed, row.name << ", " << names[i] << ": " << to_string(check));
    }
  }
}

BOOST_AUTO_TEST_CASE(examples_one_by_one_and_through_vmap) {
  for (const Row& row : rows) {
    if (row.properties & by_numbers) continue;
    const std::vector<std::string> names = names_of(row);
    const Tensors operands = operands_of(row, f64);
    for (const Reduction r : reductions) {
      const auto loss = [&](const Tensors& v) { return row.loss(v, r); };
      Tensors batches, each;
      for (std::size_t i = 0; i < names.size(); ++i) {
        const double step = differentiable(row, names[i]) ? 0.1 : 0;
        const Tensor& x = operands[i];
        batches.push_back(is_float(x.dtype()) ? stack({x, (1 - step) * x, (1 - 2 * step) * x}) : stack({x, x, x}));
      }
      for (Size k = 0; k < 3; ++k) {
        Tensors one;
        for (const Tensor& b : batches) one.push_back(b[k]);
        each.push_back(loss(one));
      }
      BOOST_TEST(apart(vmap(loss, batches), stack(each)) < 1e-12, row.name);
    }
  }
}

namespace {

// The first n rows of all operands that have rows.
Tensors first_rows(const Row& row, Size n) {
  const std::vector<std::string> names = names_of(row);
  Tensors list = operands_of(row, f64);
  for (std::size_t i = 0; i < list.size(); ++i)
    if (names[i] != "class_weight") list[i] = slice(list[i], i == 0 && row.properties & by_columns ? 1 : 0, 0, n);
  return list;
}

}  // namespace

BOOST_AUTO_TEST_CASE(no_rows_and_one) {
  for (const Row& row : rows) {
    if (row.properties & (single | by_numbers)) continue;
    const Tensors none = first_rows(row, 0), one = first_rows(row, 1);
    BOOST_TEST(row.loss(none, Reduction::sum).item() == 0, row.name);
    BOOST_TEST(row.loss(none, Reduction::none).numel() == 0, row.name);
    BOOST_CHECK_EXCEPTION(row.loss(none, Reduction::mean), Error,
                          says(fmt::format("[{}] the mean of no losses has no value", row.function())));
    const Tensor alone = row.loss(one, Reduction::none);
    BOOST_TEST(alone.size(0) == 1, row.name);
    if (row.properties & together) {
      BOOST_TEST(std::abs(alone.item()) < 1e-15, row.name);  // nothing to be told from
    } else {
      const Tensor all = row.loss(operands_of(row, f64), Reduction::none);
      BOOST_TEST(apart(alone, slice(all, 0, 0, 1)) < 1e-14, row.name);
    }
  }
}

// Scores of +-1e4: what f32 makes of them is what f64 does, and no slope is NaN.
BOOST_AUTO_TEST_CASE(scores_far_out) {
  std::vector<Row> all(std::begin(rows), std::end(rows));
  const auto add = [&](const char* name, const char* operands, auto loss) { all.push_back({name, operands, loss}); };
  add("cross_entropy", "x index", [](V v, R r) { return nn::cross_entropy(v[0], v[1], {.reduction = r}); });
  add("cross_entropy smoothed", "x index",
      [](V v, R r) { return nn::cross_entropy(v[0], v[1], {.reduction = r, .label_smoothing = 0.1}); });
  add("nll_loss", "x index", [](V v, R r) { return nn::nll_loss(log_softmax(v[0], 1), v[1], {r}); });
  add("binary_cross_entropy_with_logits", "x bits",
      [](V v, R r) { return nn::binary_cross_entropy_with_logits(v[0], v[1], {r}); });
  add("binary_cross_entropy", "x bits", [](V v, R r) { return nn::binary_cross_entropy(sigmoid(v[0]), v[1], {r}); });
  add("mse_loss", "x y", [](V v, R r) { return nn::mse_loss(v[0], v[1], {r}); });
  add("l1_loss", "x y", [](V v, R r) { return nn::l1_loss(v[0], v[1], {r}); });
  add("huber_loss", "x y", [](V v, R r) { return nn::huber_loss(v[0], v[1], {r}); });
  add("smooth_l1_loss", "x y", [](V v, R r) { return nn::smooth_l1_loss(v[0], v[1], {r}); });
  int seen = 0;
  for (const Row& row : all) {
    const std::string first = names_of(row)[0];
    if ((first != "x" && first != "row_x" && first.rfind("spoken", 0) != 0) || row.properties & overflows) continue;
    ++seen;
    Tensor values[2], slopes[2];
    for (const DType dtype : {f32, f64}) {
      Tensors v = operands_of(row, dtype);
      v[0] = watch(1e4 * sign(v[0]));
      values[dtype == f64] = cast(row.loss(v, Reduction::mean), f64);
      slopes[dtype == f64] = cast(grad(row.loss(v, Reduction::mean), v[0])[0], f64);
      BOOST_TEST(all_finite(slopes[dtype == f64]), row.name);
    }
    const double allowed = row.properties & cancels ? 2e-2 : 1e-5;
    BOOST_TEST(apart(values[0], values[1]) < allowed, row.name);
    BOOST_TEST(apart(slopes[0], slopes[1]) < allowed, row.name);
  }
  BOOST_TEST(seen > 40);
}

BOOST_AUTO_TEST_CASE(ctc_beyond_the_lengths) {
  const Row& row =
      *std::find_if(std::begin(rows), std::end(rows), [](const Row& r) { return std::string(r.name) == "ctc_loss"; });
  Tensors v = operands_of(row, f64);
  const Tensor steps = v[2], beyond = reshape(arange(7), {7, 1, 1}) >= reshape(steps, {4, 1});
  const Tensor wanted = row.loss(v, Reduction::none);
  v[0] = log_softmax(v[0], -1);
  const Tensor spoiled = watch(where(beyond, std::numeric_limits<double>::quiet_NaN(), v[0]));
  const Tensor labels = where(arange(3) < reshape(v[3], {4, 1}), v[1], 77);
  const Tensor loss = nn::ctc_loss(spoiled, labels, v[2], v[3], {.reduction = Reduction::none});
  BOOST_TEST(apart(loss, wanted) < 1e-14);
  const Tensor g = grad(sum(loss), spoiled)[0];
  BOOST_TEST(all_finite(g));
  BOOST_TEST(sum(abs(where(beyond, g, 0.0))).item() == 0);
  // A target that does not fit, repeats need a blank between: no way leads there.
  const Tensor few = watch(log_softmax(randn({2, 4}, f64), -1));
  const Tensor none = nn::ctc_loss(few, tensor({1, 1}), 2, 2);
  BOOST_TEST(none.item() == inf);
  BOOST_TEST(all_finite(grad(none, few)[0]));
  BOOST_TEST(nn::ctc_loss(few, tensor({1, 1}), 2, 2, {.zero_infinity = true}).item() == 0);
  BOOST_TEST(nn::ctc_loss(few, tensor({1, 2}), 2, 2).item() ==
             -(few.to_vector<double>()[1] + few.to_vector<double>()[6]) / 2);
  // no input
  BOOST_TEST(nn::ctc_loss(zeros({0, 4}, f64), tensor({1}), 0, 0).item() == 0);
  BOOST_TEST(nn::ctc_loss(zeros({0, 4}, f64), tensor({1}), 0, 1).item() == inf);
}

BOOST_AUTO_TEST_CASE(ctc_is_the_sum_over_all_ways) {  // by enumeration of a small case
  manual_seed(4);
  const Tensor log_p = log_softmax(randn({5, 3}, f64), -1);
  const std::vector<double> p = exp(log_p).to_vector<double>();
  const std::vector<Size> target = {2, 1};
  double total = 0;
  for (int path = 0; path < 243; ++path) {
    double product = 1;
    std::vector<Size> said;
    Size before = -1;
    for (int t = 0, rest = path; t < 5; ++t, rest /= 3) {
      const Size c = rest % 3;
      product *= p[static_cast<std::size_t>(3 * t + c)];
      if (c != 0 && c != before) said.push_back(c);
      before = c;
    }
    if (said == target) total += product;
  }
  BOOST_TEST(std::abs(nn::ctc_loss(log_p, tensor(target), 5, 2, {Reduction::sum}).item() + std::log(total)) < 1e-13);
  const Tensor long_one = log_softmax(randn({400, 2, 30}), -1);
  BOOST_TEST(
      std::isfinite(nn::ctc_loss(long_one, randint(1, 30, {2, 80}), tensor({400, 300}), tensor({80, 50})).item()));
}

BOOST_AUTO_TEST_CASE(errors_name_the_loss) {
  const Tensor bad[] = {Tensor(),        ones({2, 3}, i64), ones({2, 3}) > 0, zeros({0, 3}),     ones({}),
                        ones({2, 3}),    ones({4, 3, 2}),   ones({2}, i64),   ones({2, 3}, f64), ones({3}) > 0,
                        zeros({0}, i64), ones({5}),         ones({1, 4})};
  int refused = 0;
  for (const Row& row : rows) {
    if (row.function() == "ctc_loss") continue;
    const Tensors good = operands_of(row, f64);
    for (std::size_t i = 0; i < good.size(); ++i)
      for (const Tensor& b : bad) {
        if (!b.defined() && std::string(names_of(row)[i]).find("weight") != std::string::npos) continue;  // none
        Tensors v = good;
        v[i] = b;
        try {
          evaluate(row.loss(v, Reduction::sum));
        } catch (const Error& e) {
          ++refused;
          const std::string what = e.what();
          BOOST_CHECK_MESSAGE(what.find(fmt::format(": [{}] ", row.function())) != std::string::npos,
                              row.name << ": " << what);
          BOOST_CHECK_MESSAGE(what.find("losses_rows.hpp:") == 0, what);
        }
      }
  }
  BOOST_TEST(refused > 900);
}

// Labels of 0 and 1 to a loss of -1 and 1 train something else without a word, and 2 and 255 are classes or pixels.
BOOST_AUTO_TEST_CASE(labels_that_a_loss_cannot_mean) {
  int seen = 0;
  for (const Row& row : rows)
    for (const DType dtype : {f32, f64}) {
      const std::vector<std::string> names = names_of(row);
      for (std::size_t i = 0; i < names.size(); ++i) {
        const bool signs = names[i].ends_with("signs"), bits = names[i].ends_with("bits");
        if (!signs && !bits) continue;
        Tensors v = operands_of(row, dtype);
        const double wrong = signs ? 0 : 2;
        const Tensor last = reshape(arange(v[i].numel()), v[i].shape()) == v[i].numel() - 1;
        v[i] = where(last, wrong, v[i]);
        const std::string text = fmt::format(": [{}] expected targets of {}", row.function(),
                                             signs ? "-1 and 1" : "0 and 1"),
                          place = fmt::format(", got {} at position {}; check the labels", wrong, v[i].numel() - 1);
        BOOST_CHECK_EXCEPTION(row.loss(v, Reduction::sum), Error, [&](const Error& e) {
          const std::string what = e.what();
          return what.find(text) != std::string::npos && what.find(place) != std::string::npos;
        });
        v[i] = where(last, dtype == f32 ? 1.0000001 : 1 + 1e-9, operands_of(row, dtype)[i]);  // computed, and rounded
        BOOST_CHECK_NO_THROW(evaluate(row.loss(v, Reduction::sum)));
        ++seen;
      }
    }
  BOOST_TEST(seen >= 30);
  CHECK_ERROR(nn::hinge_loss(ones({3}), tensor({1, 0, 1})),
              "expected targets of -1 and 1 (of labels 0 and 1: 2 * labels - 1), got 0");
  CHECK_ERROR(nn::binary_cross_entropy_with_logits(ones({3}), tensor({1, 0, 2})),
              "expected targets of 0 and 1, or between, got 2");
}

BOOST_AUTO_TEST_CASE(options_and_targets_that_are_refused) {
  const Tensor x = ones({4, 3}), y = ones({4, 3}), index = tensor({0, 1, 2, 0}), rows_of = ones({4});
  CHECK_ERROR(nn::sigmoid_focal_loss(x, y, {.alpha = 2}), "[sigmoid_focal_loss] expected an alpha in [0, 1]");
  CHECK_ERROR(nn::sigmoid_focal_loss(x, y, {.gamma = -1}), "[sigmoid_focal_loss] expected a gamma of 0 or more");
  CHECK_ERROR(nn::dice_loss(x, y, {.smooth = -1}), "[dice_loss] expected a smooth of 0 or more");
  CHECK_ERROR(nn::dice_loss(ones({}), ones({})), "[dice_loss] expected numbers [examples, ...]");
  CHECK_ERROR(nn::hinge_loss(x, y, {.margin = 1e-50}), "[hinge_loss] expected the margin to be in the range of f32");
  CHECK_ERROR(nn::quantile_loss(x, y, {.quantile = 1}), "[quantile_loss] expected a quantile between 0 and 1, got 1");
  CHECK_ERROR(nn::gaussian_nll_loss(x, y, ones({3})),
              "[gaussian_nll_loss] expected a variance of shape (4, 3), (4, 1) or (4,)");
  CHECK_ERROR(nn::gaussian_nll_loss(x, y, y, {.eps = 0}), "[gaussian_nll_loss] expected an eps above 0");
  CHECK_ERROR(nn::poisson_nll_loss(x, y, {.eps = -1}), "[poisson_nll_loss] expected a eps of 0 or more");
  CHECK_ERROR(nn::kl_div(ones({}), 1.0, {.batchmean = true}), "[kl_div] expected rows to divide by");
  CHECK_ERROR(nn::multi_margin_loss(x, index, {.p = 3}), "[multi_margin_loss] expected a p of 1 or 2");
  CHECK_ERROR(nn::multi_margin_loss(x, tensor({0, 1, 3, 0})), "[multi_margin_loss] expected classes 0 ... 2, got 3");
  CHECK_ERROR(nn::multi_margin_loss(x, tensor({0, 1, -100, 0})),
              "[multi_margin_loss] expected classes 0 ... 2, got -100");
  CHECK_ERROR(nn::multilabel_margin_loss(ones({3}), tensor({0, 5, -1})),
              "[multilabel_margin_loss] expected classes 0 ... 2, and -1");
  CHECK_ERROR(nn::multilabel_soft_margin_loss(x, y, {.weight = ones({2})}), "[multilabel_soft_margin_loss] ");
  CHECK_ERROR(nn::cosine_embedding_loss(x, y, ones({3})),
              "[cosine_embedding_loss] expected a target of the shape (4,), got (3,)");
  CHECK_ERROR(nn::negative_sampling_loss(x, y, x),
              "[negative_sampling_loss] expected drawn vectors [..., m, k] beside (4, 3)");
  CHECK_ERROR(nn::info_nce_loss(x, y, {.temperature = 0}), "[info_nce_loss] expected a temperature above 0");
  CHECK_ERROR(nn::info_nce_loss(ones({3}), ones({3})), "[info_nce_loss] expected queries and keys [n, k]");
  CHECK_ERROR(nn::triplet_margin_loss(x, y, ones({3})),
              "[triplet_margin_loss] expected two tensors of vectors of one shape");
  const Tensor p = log_softmax(ones({5, 2, 4}), -1), labels = tensor({{1, 2}, {3, 0}}), two = tensor({2, 1}),
               five = tensor({5, 5});
  CHECK_ERROR(nn::ctc_loss(ones({5, 2, 4}, i64), labels, five, two), "[ctc_loss] expected floats");
  CHECK_ERROR(nn::ctc_loss(ones({5}), labels, five, two), "[ctc_loss] expected log probabilities");
  CHECK_ERROR(nn::ctc_loss(p, ones({2, 2}), five, two), "[ctc_loss] expected targets as i64");
  CHECK_ERROR(nn::ctc_loss(p, labels, tensor({5, 6}), two), "[ctc_loss] expected input lengths of 0 ... 5, got 6");
  CHECK_ERROR(nn::ctc_loss(p, labels, five, tensor({2, 3})), "[ctc_loss] expected target lengths of 0 ... 2, got 3");
  CHECK_ERROR(nn::ctc_loss(p, labels, five, tensor({2, 2})), "got 0 at position 1 of row 1");
  CHECK_ERROR(nn::ctc_loss(p, labels, 5, two), "[ctc_loss] expected input lengths as i64 of shape (2,)");
  CHECK_ERROR(nn::ctc_loss(p, labels, five, two, {.blank = 4}), "[ctc_loss] expected a blank of 0 ... 3");
  CHECK_ERROR(nn::ctc_loss(p, tensor({1, 2}), five, two), "[ctc_loss] expected 3 targets one after the other");
  CHECK_ERROR(nn::ctc_loss(p, tensor({{1, 2}}), five, two), "[ctc_loss] expected targets [batch, longest]");
}
