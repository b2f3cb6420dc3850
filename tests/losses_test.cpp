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

bool all_finite(const Tensor& x) { return xgrad::all(isfinite(x)).item() == 1; }

double apart(const Tensor& x, const Tensor& y) {
  if (!(x.shape() == y.shape())) return inf;
  if (x.numel() == 0) return 0;
  return amax(where(x == y, 0.0, abs(x - y)) / at_least(abs(y), 1.0)).item();
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

BOOST_AUTO_TEST_CASE(probabilities_of_0_and_1) {
  for (const DType dtype : {f32, f64}) {
    const Tensor p = watch(cast(tensor({0.0, 0.0, 1.0, 1.0}), dtype)), y = cast(tensor({0.0, 1.0, 0.0, 1.0}), dtype);
    const Tensor loss = nn::binary_cross_entropy(p, y, {Reduction::none});
    BOOST_TEST(loss.to_vector<double>() == (std::vector<double>{0, 100, 100, 0}),
               boost::test_tools::per_element());  // as PyTorch
    const std::vector<double> slope = grad(sum(loss), p)[0].to_vector<double>();
    BOOST_TEST(slope[1] < -0.9e12);
    BOOST_TEST(slope[2] > 0.9e12);
    BOOST_TEST((slope[0] == 1 && slope[3] == -1));
    BOOST_TEST(all(isnan(nn::binary_cross_entropy(cast(tensor({-0.5, 1.5}), dtype), cast(tensor({1.0, 0.0}), dtype),
                                                  {Reduction::none})))
                   .item() == 1);
    BOOST_TEST(std::isnan(nn::gaussian_nll_loss(zeros({2}, dtype), zeros({2}, dtype), -ones({2}, dtype)).item()));
  }
}

// Where a loss has a corner, its slopes are PyTorch 1.13's: clamp_min(0) has the whole slope there, relu none.
BOOST_AUTO_TEST_CASE(slopes_at_a_corner) {
  const Tensor origin = tensor({{0.0, 0.0}}), right = tensor({{3.0, 0.0}}), up = tensor({{0.0, 4.0}}),
               e = tensor({{1.0, 0.0}}), f = tensor({{0.0, 1.0}}), no = tensor({-1.0});
  struct Corner {
    const char* name;
    Tensors at;
    std::function<Tensor(const Tensors&)> loss;
    Tensors slopes;
  };
  constexpr Reduction all = Reduction::sum;
  const Corner corners[] = {
      {"margin_ranking_loss",
       {tensor({1.0, 1.0, 2.0}), tensor({0.0, 2.0, 2.0})},
       [](V v) {
         return nn::margin_ranking_loss(v[0], v[1], tensor({1.0, -1.0, 1.0}), {all, 1});
       },
       {tensor({-1.0, 1.0, -1.0}), tensor({1.0, -1.0, 1.0})}},
      {"hinge_embedding_loss",
       {tensor({1.0, 0.5, 1.0})},
       [](V v) {
         return nn::hinge_embedding_loss(v[0], tensor({-1.0, -1.0, 1.0}), {all});
       },
       {tensor({-1.0, -1.0, 1.0})}},
      {"cosine_embedding_loss", {e, f}, [&](V v) { return nn::cosine_embedding_loss(v[0], v[1], no, {all}); }, {f, e}},
      {"triplet_margin_loss",
       {origin, right, up},
       [](V v) { return nn::triplet_margin_loss(v[0], v[1], v[2], {.reduction = all, .eps = 0}); },
       {tensor({{-1.0, 1.0}}), e, -f}},
      {"triplet_margin_with_distance_loss",
       {origin, right, up},
       [](V v) {
         const auto distance = [](const Tensor& x, const Tensor& y) { return sum(abs(x - y), -1); };
         return nn::triplet_margin_with_distance_loss(v[0], v[1], v[2], {.reduction = all, .distance = distance});
       },
       {tensor({{-1.0, 1.0}}), e, -f}},
      {"multi_margin_loss",
       {e},
       [](V v) { return nn::multi_margin_loss(v[0], tensor({0}), {.reduction = all}); },
       {0 * e}},
      {"multilabel_margin_loss",
       {e},
       [](V v) {
         return nn::multilabel_margin_loss(v[0], tensor({{0, -1}}), {all});
       },
       {0 * e}},
      {"huber_loss",
       {tensor({1.0, -1.0, 0.0})},
       [](V v) { return nn::huber_loss(v[0], 0, {.reduction = all}); },
       {tensor({1.0, -1.0, 0.0})}},
      {"smooth_l1_loss",
       {tensor({1.0, -1.0, 0.0})},
       [](V v) { return nn::smooth_l1_loss(v[0], 0, {.reduction = all}); },
       {tensor({1.0, -1.0, 0.0})}},
      {"l1_loss", {tensor({0.0})}, [](V v) { return nn::l1_loss(v[0], 0, {all}); }, {tensor({0.0})}},
  };
  for (const Corner& c : corners)
    for (const DType dtype : {f32, f64}) {
      Tensors at;
      for (const Tensor& x : c.at) at.push_back(watch(cast(x, dtype)));
      const Tensors slopes = grad(c.loss(at), at);
      for (std::size_t i = 0; i < slopes.size(); ++i)
        BOOST_TEST(apart(cast(slopes[i], f64), c.slopes[i]) < 1e-11,
                   c.name << ", operand " << i << ": " << to_string(slopes[i]));
    }
}

// A weight, a probability or a target of 0, or a pair that does not count, beside an infinity: neither loss nor slope.
BOOST_AUTO_TEST_CASE(infinities_that_count_for_nothing) {
  struct Beside {
    const char* name;
    std::function<Tensor(const Tensor&)> loss;
    Tensor x;
    double value;
    Tensor slope;
  };
  constexpr Reduction all = Reduction::sum;
  const double third = 1.0 / 3;
  const Tensor a = tensor({{0.0, inf}, {1.0, 0.0}}), of_a = tensor({{0.0, 0.0}, {0.5, -0.5}}), w = tensor({0.0, 1.0});
  const auto focal = [](const Tensor& y, double alpha, double gamma) {
    return [=](const Tensor& x) { return nn::sigmoid_focal_loss(x, y, {all, alpha, gamma}); };
  };
  const auto multi = [](const Tensor& target, int p, const Tensor& weight) {
    return
        [=](const Tensor& x) { return nn::multi_margin_loss(x, target, {.reduction = all, .p = p, .weight = weight}); };
  };
  const auto lists = [](const Tensor& l) {
    return [=](const Tensor& x) { return nn::multilabel_margin_loss(x, l, {all}); };
  };
  const auto contrast = [](const Tensor& x) { return nn::contrastive_loss(x, 0 * ones_like(x), 0.0, {all}); };
  const Tensor sure = tensor({inf, -inf}), yes_no = tensor({1.0, 0.0}), none = zeros({2}, f64);
  const Beside rows_of[] = {
      {"focal", focal(yes_no, 0.25, 0), sure, 0, none},
      {"focal", focal(yes_no, 0.25, 2), sure, 0, none},
      {"focal, only yes", focal(none, 1, 0), tensor({inf, inf}), 0, none},
      {"focal, only yes", focal(none, 1, 2), tensor({inf, inf}), 0, none},
      {"focal, only no", focal(none + 1, 0, 2), -tensor({inf, inf}), 0, none},
      {"focal, wrong", focal(1 - yes_no, 0.25, 0), sure, inf, tensor({0.75, -0.25})},
      {"multi_margin, row", multi(tensor({0, 1}), 1, w), a, 1, of_a},
      {"multi_margin, row", multi(tensor({0, 1}), 2, w), a, 2, 4 * of_a},
      {"multi_margin, pairs", multi(tensor({0}), 1, {}), tensor({{-inf, 1.0, -inf}}), inf,
       tensor({{-third, third, 0.0}})},
      {"multi_margin, sure", multi(tensor({0}), 2, {}), tensor({{inf, 1.0, -inf}}), 0, zeros({1, 3}, f64)},
      {"multilabel_margin, pairs", lists(tensor({1, -1, 0})), tensor({-inf, 1.0, 1.5}), 0.5,
       tensor({0.0, -third, third})},
      {"multilabel_margin, sure", lists(tensor({1, 0, -1})), tensor({inf, inf, -inf}), 0, zeros({3}, f64)},
      {"multilabel_margin, no lists", lists(tensor({{-1, 0}, {-1, 1}})), a, 0, 0 * of_a},
      {"contrastive", contrast, tensor({{inf, 0.0}}), 0, zeros({1, 2}, f64)},
      {"contrastive", contrast, tensor({{3e200, 0.0}}), 0, zeros({1, 2}, f64)},
      {"kl_div",
       [](const Tensor& q) {
         return nn::kl_div(tensor({-inf, -1.0}), q, {all, true});
       },
       tensor({-inf, -1.0}), 0, tensor({0.0, std::exp(-1)})},
      {"poisson_nll",
       [](const Tensor& x) { return nn::poisson_nll_loss(x, 0.0, {.reduction = all, .log_input = false, .eps = 0}); },
       none, 0, none + 1},
  };
  for (const Beside& row : rows_of)
    for (const DType dtype : {f32, f64}) {
      const Tensor x = watch(cast(row.x, dtype)), y = row.loss(x), slope = cast(grad(y, x)[0], f64);
      BOOST_TEST(y.item() == row.value, row.name);
      BOOST_TEST(apart(slope, row.slope) < (dtype == f32 ? 1e-6 : 1e-15), row.name << ": " << to_string(slope));
    }
}

// PyTorch, which has no slope in the weights, divides by their sum; here that is part of the function.
BOOST_AUTO_TEST_CASE(slopes_in_the_weights_of_classes) {
  manual_seed(8);
  const Tensor x = randn({6, 3}, f64), t = tensor({0, 1, 2, 0, -100, 1}), w = tensor({0.5, 1.5, 2.0}),
               p = softmax(randn({6, 3}, f64), 1);
  using Of = std::function<Tensor(const Tensor&)>;
  for (const Reduction r : reductions) {
    const Of losses_of[] = {
        [&](const Tensor& v) { return nn::cross_entropy(x, t, {.reduction = r, .weight = v}); },
        [&](const Tensor& v) { return nn::cross_entropy(x, t, {.reduction = r, .label_smoothing = 0.1, .weight = v}); },
        [&](const Tensor& v) { return nn::cross_entropy(x, p, {.reduction = r, .weight = v}); },
        [&](const Tensor& v) { return nn::nll_loss(log_softmax(x, 1), t, {.reduction = r, .weight = v}); },
        [&](const Tensor& v) { return nn::multi_margin_loss(x, at_least(t, 0), {.reduction = r, .weight = v}); },
    };
    for (const Of& f : losses_of) {
      const GradCheck check = gradcheck([&](const Tensor& v) { return sum(square(f(v))); }, w, {.order = 2});
      BOOST_TEST(check.passed, to_string(check));
    }
  }
  const Tensor v = watch(w);  // in all weights alike there is no slope
  BOOST_TEST(std::abs(sum(grad(nn::nll_loss(x, t, {.weight = v}), v)[0] * w).item()) < 1e-15);
}

// PyTorch adds 1e-12 to the squares of the lengths: of vectors of 1e-6 that is as much as they have.
BOOST_AUTO_TEST_CASE(cosines_of_tiny_and_of_huge_vectors) {
  for (const DType dtype : {f32, f64})
    for (const auto& [length, cosine] : {std::pair{1e-6, 0.5}, {1e-3, 1 / (1 + 1e-6)}, {0.0, 0.0}, {1e30, 1.0}}) {
      const Tensor x = watch(cast(tensor({{length, 0.0}}), dtype));
      const Tensor loss = nn::cosine_embedding_loss(x, x, ones({1}, dtype));
      BOOST_TEST(std::abs(loss.item() - (1 - cosine)) < (dtype == f32 ? 1e-6 : 1e-12));
      BOOST_TEST(all_finite(grad(loss, x)[0]));
    }
}

BOOST_AUTO_TEST_CASE(likeness_along_any_axis) {
  manual_seed(6);
  const Tensor x = randn({4, 3, 5}, f64), y = randn({4, 3, 5}, f64);
  for (const int dim : {0, 1, 2, -1, -3}) {
    const Tensor wanted = nn::cosine_similarity(transpose(x, dim, -1), transpose(y, dim, -1));
    const Tensor got = nn::cosine_similarity(x, y, 1e-8, dim);
    const int axis = dim < 0 ? dim + 3 : dim;
    BOOST_TEST(apart(got, axis == 0 ? transpose(wanted, 0, 1) : wanted) < 1e-15, dim);
  }
  CHECK_ERROR(nn::cosine_similarity(x, y, 1e-8, 3), "[cosine_similarity] axis 3");
  const Tensor d = nn::pairwise_distance(x, y), kept = nn::pairwise_distance(x, y, {.keepdim = true});
  BOOST_TEST(apart(kept, unsqueeze(d, -1)) == 0);
}

// Targets of 0 beside logarithms of 0, distributions that are 0 somewhere.
BOOST_AUTO_TEST_CASE(divergences_at_0) {
  const Tensor log_p = watch(tensor({-inf, 0.0})), q = watch(tensor({0.0, 1.0}));
  BOOST_TEST(nn::kl_div(log_p, q, {Reduction::sum}).item() == 0);
  for (const Tensor& g : grad(nn::kl_div(log_p, q, {Reduction::sum}), {log_p, q}))
    BOOST_TEST(g.to_vector<double>()[1] <= 1);
  const Tensor log_q = watch(tensor({-inf, 0.0}));
  const Tensor loss = nn::kl_div(tensor({-3.0, -2.0}), log_q, {.reduction = Reduction::sum, .log_target = true});
  BOOST_TEST(loss.item() == 2);
  BOOST_TEST(all_finite(grad(loss, log_q)[0]));
  BOOST_TEST(nn::poisson_nll_loss(tensor({-inf}), tensor({0.0})).item() == 0);
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
