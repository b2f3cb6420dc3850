// Losses where they are not smooth, and where numbers end: probabilities of 0 and 1, corners, infinities, no weight.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>
#include "helpers.hpp"
#include "losses_rows.hpp"
#include "references/references.hpp"

using namespace xgrad;
using namespace losses;

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
