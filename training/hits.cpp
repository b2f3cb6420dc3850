#include "training/hits.hpp"

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/losses/classes.hpp>

namespace xgrad::training {
namespace {

Size ignored() { return nn::CrossEntropyOptions().ignore_index; }

// Logits of one column, [n] or [n, 1], and labels 0 or 1, likewise; -100 are left out.
std::optional<Hits> hits_of_column(const Tensor& outputs, const Tensor& targets, double threshold) {
  const Tensor labels = cast(reshape(targets, {-1}), f64);
  const Tensor counts = labels != ignored();
  if (any(counts && square(labels) != labels).item()) return {};  // 0 and 1 are their squares, and no others
  const Tensor scores = reshape(outputs, {-1}), right = cast(scores > threshold, f64) == labels;
  return Hits{sum(counts && right && !isnan(scores)).item(), sum(counts).item()};
}

bool is_column(const Tensor& t) { return t.dim() == 1 || (t.dim() == 2 && t.size(1) == 1); }

}  // namespace

std::optional<Hits> hits(const Tensor& outputs, const Tensor& targets, double threshold, bool floats, Source source) {
  const NoGrad no_grad;
  const Located at(source);
  if (is_column(outputs) && is_column(targets) && outputs.size(0) == targets.size(0) &&
      (floats || !is_float(targets.dtype())))
    return hits_of_column(outputs, targets, threshold);
  if (targets.dtype() != i64 || outputs.dim() < 2 || outputs.size(1) < 2) return {};
  Shape rest = outputs.shape();
  rest.erase(1);
  if (!(rest == targets.shape())) return {};
  const Tensor counts = targets != ignored();
  if (any(counts && (targets < 0 || targets >= outputs.size(1))).item() != 0) return {};
  return Hits{sum(counts && argmax(outputs, 1) == targets && !any(isnan(outputs), 1)).item(), sum(counts).item()};
}

double rows_that_count(const Tensor& classes) {
  const auto rows = static_cast<double>(classes.size(0));
  if (classes.numel() == 0) return rows;
  const NoGrad no_grad;
  return rows * (sum(classes != ignored()).item() / static_cast<double>(classes.numel()));
}

}  // namespace xgrad::training
