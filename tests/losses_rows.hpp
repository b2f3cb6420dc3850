// The table of losses that tests/losses_test.cpp goes through: operands are named in losses_more.safetensors.
#pragma once

#include <functional>
#include <limits>
#include <string>

#include <xgrad/autodiff.hpp>
#include <xgrad/nn.hpp>

namespace losses {

using namespace xgrad;
using nn::Reduction;

inline constexpr Reduction reductions[] = {Reduction::mean, Reduction::sum, Reduction::none};
inline constexpr const char* reduction_names[] = {"mean", "sum", "none"};
inline constexpr double inf = std::numeric_limits<double>::infinity();

enum Property : unsigned {
  smooth_nowhere = 1,  // the slope that is stated is not that of the value, by intent: below eps
  together = 2,        // rows look at each other
  single = 4,          // one example: no rows
  by_numbers = 8,      // looks at numbers, so not for vmap
  by_columns = 16,     // the first operand has its rows along axis 1
  overflows = 32,      // beyond the range of numbers where scores are 1e4
  cancels = 64,        // a difference of large numbers, where scores are: f32 has few digits of it
};

struct Row {
  const char* name;      // its first word is the function's
  const char* operands;  // of the file
  std::function<Tensor(const Tensors&, Reduction)> loss;
  unsigned properties = 0;

  std::string function() const { return std::string(name).substr(0, std::string(name).find(' ')); }
};

inline Tensor ctc(const Tensors& v, const nn::CtcOptions& options) {
  return nn::ctc_loss(log_softmax(v[0], -1), v[1], v[2], v[3], options);
}
inline Tensor cosine_distance(const Tensor& a, const Tensor& b) { return 1 - nn::cosine_similarity(a, b); }

inline bool all_finite(const Tensor& x) { return xgrad::all(isfinite(x)).item() == 1; }

// The greatest difference, of numbers above 1 as a part of them; equal infinities have none.
inline double apart(const Tensor& x, const Tensor& y) {
  if (!(x.shape() == y.shape())) return inf;
  if (x.numel() == 0) return 0;
  return amax(where(x == y, 0.0, abs(x - y)) / at_least(abs(y), 1.0)).item();
}

using V = const Tensors&;
using R = Reduction;
// clang-format off
inline const Row rows[] = {
    {"binary_cross_entropy", "p q", [](V v, R r) { return nn::binary_cross_entropy(v[0], v[1], {r}); }},
    {"binary_cross_entropy weight", "p bits element_weight",
     [](V v, R r) { return nn::binary_cross_entropy(v[0], v[1], {r, v[2]}); }},
    {"sigmoid_focal_loss", "x bits", [](V v, R r) { return nn::sigmoid_focal_loss(v[0], v[1], {r}); }},
    {"sigmoid_focal_loss alpha -1 gamma 0.5", "x bits",
     [](V v, R r) { return nn::sigmoid_focal_loss(v[0], v[1], {.reduction = r, .alpha = -1, .gamma = 0.5}); }},
    {"sigmoid_focal_loss gamma 0", "x bits",
     [](V v, R r) { return nn::sigmoid_focal_loss(v[0], v[1], {.reduction = r, .gamma = 0}); }},
    {"dice_loss", "images masks", [](V v, R r) { return nn::dice_loss(v[0], v[1], {r}); }},
    {"dice_loss smooth 0.1", "images masks", [](V v, R r) { return nn::dice_loss(v[0], v[1], {r, 0.1}); }},
    {"hinge_loss", "x signs", [](V v, R r) { return nn::hinge_loss(v[0], v[1], {r}); }},
    {"hinge_loss margin 0.3", "x signs", [](V v, R r) { return nn::hinge_loss(v[0], v[1], {r, 0.3}); }},
    {"squared_hinge_loss", "x signs", [](V v, R r) { return nn::squared_hinge_loss(v[0], v[1], {r}); }},
    {"soft_margin_loss", "x signs", [](V v, R r) { return nn::soft_margin_loss(v[0], v[1], {r}); }},
    {"kl_div", "x p", [](V v, R r) { return nn::kl_div(v[0], v[1], {r}); }},
    {"kl_div batchmean", "x p", [](V v, R r) { return nn::kl_div(v[0], v[1], {.reduction = r, .batchmean = true}); }},
    {"kl_div log_target", "x y", [](V v, R r) { return nn::kl_div(v[0], v[1], {.reduction = r, .log_target = true}); }},
    {"poisson_nll_loss", "x counts", [](V v, R r) { return nn::poisson_nll_loss(v[0], v[1], {r}); }, overflows},
    {"poisson_nll_loss full", "x counts",
     [](V v, R r) { return nn::poisson_nll_loss(v[0], v[1], {.reduction = r, .full = true}); }, overflows},
    {"poisson_nll_loss rate", "p counts",
     [](V v, R r) { return nn::poisson_nll_loss(v[0], v[1], {.reduction = r, .log_input = false}); }},
    {"poisson_nll_loss rate eps", "p counts",
     [](V v, R r) { return nn::poisson_nll_loss(v[0], v[1], {.reduction = r, .log_input = false, .full = true, .eps = 0.01}); }},
    {"gaussian_nll_loss", "x y variance", [](V v, R r) { return nn::gaussian_nll_loss(v[0], v[1], v[2], {r}); }},
    {"gaussian_nll_loss full", "x y variance",
     [](V v, R r) { return nn::gaussian_nll_loss(v[0], v[1], v[2], {.reduction = r, .full = true}); }},
    {"gaussian_nll_loss rows", "x y variance_rows", [](V v, R r) { return nn::gaussian_nll_loss(v[0], v[1], v[2], {r}); }},
    {"gaussian_nll_loss column eps", "x y variance_column",
     [](V v, R r) { return nn::gaussian_nll_loss(v[0], v[1], v[2], {.reduction = r, .eps = 0.5}); }, smooth_nowhere},
    {"quantile_loss", "x y", [](V v, R r) { return nn::quantile_loss(v[0], v[1], {r}); }},
    {"quantile_loss 0.9", "x y", [](V v, R r) { return nn::quantile_loss(v[0], v[1], {r, 0.9}); }},
    {"multi_margin_loss", "x index", [](V v, R r) { return nn::multi_margin_loss(v[0], v[1], {r}); }},
    {"multi_margin_loss p 2 margin 0.6", "x index",
     [](V v, R r) { return nn::multi_margin_loss(v[0], v[1], {.reduction = r, .p = 2, .margin = 0.6}); }},
    {"multi_margin_loss weight", "x index class_weight",
     [](V v, R r) { return nn::multi_margin_loss(v[0], v[1], {.reduction = r, .weight = v[2]}); }},
    {"multilabel_margin_loss", "x lists", [](V v, R r) { return nn::multilabel_margin_loss(v[0], v[1], {r}); }},
    {"multilabel_soft_margin_loss", "x bits", [](V v, R r) { return nn::multilabel_soft_margin_loss(v[0], v[1], {r}); }},
    {"multilabel_soft_margin_loss weight", "x bits class_weight",
     [](V v, R r) { return nn::multilabel_soft_margin_loss(v[0], v[1], {r, v[2]}); }},
    {"margin_ranking_loss", "row_x row_y row_signs",
     [](V v, R r) { return nn::margin_ranking_loss(v[0], v[1], v[2], {r}); }},
    {"margin_ranking_loss margin 0.5", "row_x row_y row_signs",
     [](V v, R r) { return nn::margin_ranking_loss(v[0], v[1], v[2], {r, 0.5}); }},
    {"hinge_embedding_loss", "x signs", [](V v, R r) { return nn::hinge_embedding_loss(v[0], v[1], {r}); }},
    {"hinge_embedding_loss margin 0.4", "x signs", [](V v, R r) { return nn::hinge_embedding_loss(v[0], v[1], {r, 0.4}); }},
    {"cosine_embedding_loss", "x y row_signs", [](V v, R r) { return nn::cosine_embedding_loss(v[0], v[1], v[2], {r}); }},
    {"cosine_embedding_loss margin 0.5", "x y row_signs",
     [](V v, R r) { return nn::cosine_embedding_loss(v[0], v[1], v[2], {r, 0.5}); }},
    {"contrastive_loss", "x y row_bits", [](V v, R r) { return nn::contrastive_loss(v[0], v[1], v[2], {r}); }},
    {"contrastive_loss margin 4", "x y row_bits", [](V v, R r) { return nn::contrastive_loss(v[0], v[1], v[2], {r, 4}); }},
    {"triplet_margin_loss", "x y z", [](V v, R r) { return nn::triplet_margin_loss(v[0], v[1], v[2], {r}); }, cancels},
    {"triplet_margin_loss margin 0.4 p 1 swap", "x y z",
     [](V v, R r) { return nn::triplet_margin_loss(v[0], v[1], v[2], {.reduction = r, .margin = 0.4, .p = 1, .swap = true}); }, cancels},
    {"triplet_margin_loss p 3", "x y z",
     [](V v, R r) { return nn::triplet_margin_loss(v[0], v[1], v[2], {.reduction = r, .p = 3, .eps = 1e-3}); }, cancels},
    {"triplet_margin_with_distance_loss", "x y z",
     [](V v, R r) { return nn::triplet_margin_with_distance_loss(v[0], v[1], v[2], {r}); }, cancels},
    {"triplet_margin_with_distance_loss cosine swap", "x y z",
     [](V v, R r) {
       return nn::triplet_margin_with_distance_loss(
           v[0], v[1], v[2], {.reduction = r, .distance = cosine_distance, .margin = 0.7, .swap = true});
     }, cancels},
    {"negative_sampling_loss", "x y drawn", [](V v, R r) { return nn::negative_sampling_loss(v[0], v[1], v[2], {r}); }},
    {"info_nce_loss", "x y", [](V v, R r) { return nn::info_nce_loss(v[0], v[1], {r}); }, together},
    {"info_nce_loss temperature 2", "x y", [](V v, R r) { return nn::info_nce_loss(v[0], v[1], {r, 2}); }, together},
    {"ctc_loss", "spoken labels times label_lengths", [](V v, R r) { return ctc(v, {r}); }, by_columns | cancels},
    {"ctc_loss flat", "spoken labels_flat times label_lengths", [](V v, R r) { return ctc(v, {r}); }, by_columns | by_numbers | cancels},
    {"ctc_loss zero_infinity", "spoken labels short_times label_lengths",
     [](V v, R r) { return ctc(v, {.reduction = r, .zero_infinity = true}); }, by_columns | cancels},
    {"ctc_loss blank 4", "spoken labels_blank_4 times label_lengths",
     [](V v, R r) { return ctc(v, {.reduction = r, .blank = 4}); }, by_columns | cancels},
    {"ctc_loss one", "spoken_one labels_one time_one length_one", [](V v, R r) { return ctc(v, {r}); }, single | cancels},
};
// clang-format on

}  // namespace losses
