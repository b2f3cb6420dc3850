// Losses of vectors beside others: rankings, distances, likeness.
#pragma once

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/nn/losses/binary.hpp>
#include <xgrad/nn/losses/reduction.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// ---- of two vectors along the last axis, or along `dim`, of one shape

struct DistanceOptions {
  double p = 2;
  double eps = 1e-6;
  bool keepdim = false;
};
Tensor pairwise_distance(In x, In y, DistanceOptions options = {});    // norm(x - y + eps, p)
Tensor cosine_similarity(In x, In y, double eps = 1e-8, At dim = -1);  // x y / (max(|x|, eps) max(|y|, eps))

// ---- losses. Rows are all axes but the last: [n, k] beside [n, k] makes [n], and the targets are [n]

struct RankingOptions {
  Reduction reduction = Reduction::mean;
  double margin = 0;
};
// max(0, -y (a - b) + margin): y = 1 where a should be above b, -1 where below. All of one shape.
Tensor margin_ranking_loss(In a, In b, In target, RankingOptions options = {});
// y = 1: x;  y = -1: max(0, margin - x). x is a distance.
Tensor hinge_embedding_loss(In distance, In target, MarginOptions options = {});
// y = 1: 1 - cos(a, b);  y = -1: max(0, cos(a, b) - margin). cos = a b / sqrt((|a|^2 + 1e-12) (|b|^2 + 1e-12)), PyTorch's
Tensor cosine_embedding_loss(In a, In b, In target, RankingOptions options = {});
// y d^2 / 2 + (1 - y) max(0, margin - d)^2 / 2, d = |a - b|, y = 1 of what is alike, else 0 (Hadsell, Chopra, LeCun 2006)
Tensor contrastive_loss(In a, In b, In target, MarginOptions options = {});

using Distance = Callable<Tensor(const Tensor&, const Tensor&)>;
struct TripletOptions {
  Reduction reduction = Reduction::mean;
  double margin = 1;
  double p = 2;
  double eps = 1e-6;
  bool swap = false;  // the negative is as near as it is to the anchor or the positive (Balntas et al. 2016)
};
struct TripletDistanceOptions {
  Reduction reduction = Reduction::mean;
  Distance distance = {};  // none: pairwise_distance
  double margin = 1;
  bool swap = false;
};
// max(0, margin + d(anchor, positive) - d(anchor, negative))
Tensor triplet_margin_loss(In anchor, In positive, In negative, TripletOptions options = {});
Tensor triplet_margin_with_distance_loss(In anchor, In positive, In negative,
                                         const TripletDistanceOptions& options = {});

// - log sigmoid(c o) - sum_k log sigmoid(- c o_k): words that were seen together, c and o [n, k], and m that were drawn for each,
// o_k [n, m, k] (Mikolov et al. 2013)
Tensor negative_sampling_loss(In centre, In seen, In drawn, LossOptions options = {});

struct InfoNceOptions {
  Reduction reduction = Reduction::mean;
  double temperature = 0.1;
};
// - log(e^(s_ii / T) / sum_j e^(s_ij / T)), s_ij = cos(query_i, key_j), both [n, k]: the keys of the others in the batch are what
// each is to be told from (van den Oord, Li, Vinyals 2018)
Tensor info_nce_loss(In query, In key, InfoNceOptions options = {});

}  // namespace xgrad::nn

#pragma GCC visibility pop
