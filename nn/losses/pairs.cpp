#include <xgrad/nn/losses/pairs.hpp>

#include <fmt/core.h>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/fields.hpp>
#include "nn/losses/checks.hpp"

namespace xgrad::nn {
namespace {

void check_vectors(const char* op, In x, In y) {
  check_pair(op, x, y, "two tensors of vectors");
  if (x.is_number() || y.is_number() || Tensor(x).dim() == 0 || Tensor(y).dim() == 0)
    fail(line_of(x, op), "expected vectors along the last axis, got a number");
  check_floats(op, x, line_of(x));
  check_floats(op, y, line_of(x));
}

// As floats, of the losses' shape.
Tensor target_of_rows(const char* op, In target, const Tensor& rows, Source source) {
  if (!target.is_number() && !target.node()) fail(source.named(op), "expected a target, got an empty tensor");
  const Tensor t = target;
  if (t.dim() != 0 && t.shape() != rows.shape())
    fail(source.named(op), "expected a target of the shape {}, got {}", rows.shape(), t.shape());
  return is_float(t.dtype()) && !target.is_number() ? t : cast(t, rows.dtype());
}

Tensor distance(In x, In y, double p, double eps, bool keepdim = false) { return norm(x - y + eps, p, -1, keepdim); }

// x / max(|x|, eps)
Tensor of_length_1(const Tensor& x, double eps, At dim = -1) { return x / at_least(norm(x, 2, dim, true), eps); }

}  // namespace

Tensor pairwise_distance(In x, In y, DistanceOptions options) {
  const Located at(x, "pairwise_distance");
  check_vectors("pairwise_distance", x, y);
  check_option(x, "pairwise_distance", "eps", options.eps);
  return distance(x, y, options.p, options.eps, options.keepdim);
}

Tensor cosine_similarity(In x, In y, double eps, At dim) {
  const Located at(x, "cosine_similarity");
  check_vectors("cosine_similarity", x, y);
  check_option(x, "cosine_similarity", "eps", eps);
  return sum(of_length_1(x, eps, dim) * of_length_1(y, eps, dim), dim);
}

Tensor margin_ranking_loss(In a, In b, In target, RankingOptions options) {
  constexpr const char* op = "margin_ranking_loss";
  const Located at(a, op);
  check_pair(op, a, b, "two tensors of scores");
  const Tensor x = a;
  check_floats(op, x, line_of(a));
  check_option(a, op, "margin", options.margin);
  const Tensor y = target_of_rows(op, target, x, line_of(a));
  check_signs(op, y, line_of(a));
  return reduce(op, at_least(options.margin - y * (a - b), 0.0), options.reduction, line_of(a));
}

Tensor hinge_embedding_loss(In distance, In target, MarginOptions options) {
  constexpr const char* op = "hinge_embedding_loss";
  const Located at(distance, op);
  const Tensor y = target_of(op, distance, target), x = distance;
  check_signs(op, y, line_of(distance));
  check_option(distance, op, "margin", options.margin);
  const Tensor loss = where(y != -1.0, x, 0.0) + where(y != 1.0, at_least(options.margin - x, 0.0), 0.0);
  return reduce(op, loss, options.reduction, line_of(distance));
}

namespace {

// sqrt(|x|^2 + 1e-12), PyTorch's; where the square could leave the range, |x|
Tensor smooth_length(const Tensor& x) {
  const Tensor length = norm(x, 2, -1, true), small = length < 1e6;
  return where(small, sqrt(sum(square(where(small, x, 0.0)), -1, true) + 1e-12), length);
}

}  // namespace

Tensor cosine_embedding_loss(In a, In b, In target, RankingOptions options) {
  constexpr const char* op = "cosine_embedding_loss";
  const Located at(a, op);
  check_vectors(op, a, b);
  const Tensor likeness = sum(a / smooth_length(a) * b / smooth_length(b), -1);
  check_option(a, op, "margin", options.margin);
  const Tensor y = target_of_rows(op, target, likeness, line_of(a));
  check_signs(op, y, line_of(a));
  const Tensor loss =
      where(y == 1.0, 1 - likeness, 0.0) + where(y == -1.0, at_least(likeness - options.margin, 0.0), 0.0);
  return reduce(op, loss, options.reduction, line_of(a));
}

Tensor contrastive_loss(In a, In b, In target, MarginOptions options) {
  constexpr const char* op = "contrastive_loss";
  const Located at(a, op);
  check_vectors(op, a, b);
  check_option(a, op, "margin", options.margin);
  // What is infinitely far has no slope where it counts for nothing, for 0 x infinity has no value.
  const Tensor e = a - b, endless = abs(e) == infinity;
  const Tensor d = where(any(endless, -1), infinity, norm(where(endless, 0.0, e), 2, -1));
  const Tensor y = target_of_rows(op, target, d, line_of(a));
  check_probabilities(op, y, line_of(a));
  const Tensor squared = sum(square(where(logical_and(unsqueeze(y == 0, -1), endless), 0.0, e)), -1);
  const Tensor loss = 0.5 * (times(y, squared) + times(1 - y, square(relu(options.margin - d))));
  return reduce(op, loss, options.reduction, line_of(a));
}

namespace {

Tensor triplet(const char* op, In anchor, In positive, In negative, const Distance& d, double margin, bool swap,
               Reduction reduction) {
  check_vectors(op, anchor, positive);
  check_vectors(op, anchor, negative);
  check_option(anchor, op, "margin", margin);
  const Tensor near = d(anchor, positive);
  Tensor far = d(anchor, negative);
  if (swap) far = minimum(far, d(positive, negative));
  return reduce(op, at_least(margin + near - far, 0.0), reduction, line_of(anchor));
}

}  // namespace

Tensor triplet_margin_loss(In anchor, In positive, In negative, TripletOptions options) {
  constexpr const char* op = "triplet_margin_loss";
  const Located at(anchor, op);
  check_option(anchor, op, "eps", options.eps);
  const Distance d = [&](const Tensor& x, const Tensor& y) { return distance(x, y, options.p, options.eps); };
  return triplet(op, anchor, positive, negative, d, options.margin, options.swap, options.reduction);
}

Tensor triplet_margin_with_distance_loss(In anchor, In positive, In negative, const TripletDistanceOptions& options) {
  constexpr const char* op = "triplet_margin_with_distance_loss";
  const Located at(anchor, op);
  const Distance usual = [](const Tensor& x, const Tensor& y) { return distance(x, y, 2, DistanceOptions().eps); };
  return triplet(op, anchor, positive, negative, options.distance ? options.distance : usual, options.margin,
                 options.swap, options.reduction);
}

Tensor negative_sampling_loss(In centre, In seen, In drawn, LossOptions options) {
  constexpr const char* op = "negative_sampling_loss";
  const Located at(centre, op);
  check_vectors(op, centre, seen);
  const Tensor c = centre, others = drawn;
  check_floats(op, others, line_of(centre));
  Shape expected = c.shape();
  expected.insert(c.dim() - 1, others.dim() == c.dim() + 1 ? others.size(-2) : -1);
  if (others.shape() != expected)
    fail(line_of(centre, op), "expected drawn vectors [..., m, k] beside {}, got {}", c.shape(), others.shape());
  const Tensor loss = softplus(-sum(c * seen, -1)) + sum(softplus(sum(unsqueeze(c, -2) * others, -1)), -1);
  return reduce(op, loss, options.reduction, line_of(centre));
}

Tensor info_nce_loss(In query, In key, InfoNceOptions options) {
  constexpr const char* op = "info_nce_loss";
  const Located at(query, op);
  check_vectors(op, query, key);
  const Tensor q = query, k = key;
  if (q.dim() != 2) fail(line_of(query, op), "expected queries and keys [n, k], got {}", q.shape());
  if (!(options.temperature > 0))
    fail(line_of(query, op), "expected a temperature above 0, got {}", options.temperature);
  check_option(query, op, "temperature", options.temperature);
  constexpr double eps = 1e-8;
  const Tensor likeness = matmul(of_length_1(q, eps), transpose(of_length_1(k, eps))) / options.temperature;
  return reduce(op, -diagonal(log_softmax(likeness, 1)), options.reduction, line_of(query));
}

}  // namespace xgrad::nn
