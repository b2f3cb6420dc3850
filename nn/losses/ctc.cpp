#include <xgrad/nn/losses/ctc.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <new>
#include <vector>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/autodiff/vmap.hpp>
#include <xgrad/nn/fields.hpp>
#include "nn/losses/checks.hpp"

namespace xgrad::nn {
namespace {

constexpr const char* op = "ctc_loss";

// i64 [batch], each 0 ... most.
Tensor lengths_of(In given, const char* what, Size batch, Size most, Source source) {
  if (!given.is_number() && !given.node()) fail(source.named(op), "expected {} lengths, got an empty tensor", what);
  Tensor lengths = given;
  if (lengths.dtype() != i64 || lengths.numel() != batch || lengths.dim() > 1)
    fail(source.named(op), "expected {} lengths as i64 of shape ({},), got {} {}", what, batch, name(lengths.dtype()),
         lengths.shape());
  lengths = reshape(lengths, {batch});
  if (is_example(lengths)) return lengths;
  for (const Size n : lengths.to_vector<Size>())
    if (n < 0 || n > most) fail(source.named(op), "expected {} lengths of 0 ... {}, got {}", what, most, n);
  return lengths;
}

// [sum of lengths] as [batch, longest]
Tensor padded(const Tensor& targets, const std::vector<Size>& lengths, Size blank, Source source) {
  Size all = 0, longest = 0;
  for (const Size n : lengths) {
    all += n;
    longest = std::max(longest, n);
  }
  if (targets.numel() != all)
    fail(source.named(op), "expected {} targets one after the other, as the lengths say, got {}", all, targets.numel());
  const std::vector<Size> from = targets.to_vector<Size>();
  std::vector<Size> rows;
  std::size_t at = 0;
  for (const Size n : lengths)
    for (Size i = 0; i < longest; ++i) rows.push_back(i < n ? from[at++] : blank);
  return tensor(rows, {static_cast<Size>(lengths.size()), longest});
}

void check_targets(const Tensor& targets, const Tensor& lengths, Size classes, Size blank, Source source) {
  if (is_example(targets) || is_example(lengths)) return;  // nobody knows yet
  const std::vector<Size> label = targets.to_vector<Size>(), length = lengths.to_vector<Size>();
  const auto longest = static_cast<std::size_t>(targets.size(1));
  for (std::size_t row = 0; row < length.size(); ++row)
    for (std::size_t i = 0; i < static_cast<std::size_t>(length[row]); ++i)
      if (const Size c = label[row * longest + i]; c < 0 || c >= classes || c == blank)
        fail(source.named(op), "expected targets 0 ... {} other than the blank, {}, got {} at position {} of row {}",
             classes - 1, blank, c, i, row);
}

// Each row moved on by k places; what comes in is impossible.
Tensor shifted(const Tensor& x, Size k) {
  const Size rows = x.size(0), width = x.size(1);
  const Tensor none = full({rows, std::min(k, width)}, -infinity, x.dtype());
  if (k >= width) return none;
  return concat({none, slice(x, 1, 0, width - k)}, 1);
}

}  // namespace

// Labels with blanks between: l' = b l1 b l2 ... b. a_t(s), log of the probability to be at s after t steps:
//   a_t(s) = log p_t(l'_s) + log(e^a_{t-1}(s) + e^a_{t-1}(s-1) + e^a_{t-1}(s-2)), the last where l'_s is no blank, nor l'_{s-2}
Tensor ctc_loss(In log_probabilities, In targets, In input_lengths, In target_lengths, CtcOptions options) try {
  const Located at(log_probabilities, op);
  const Source source = line_of(log_probabilities);
  Tensor x = log_probabilities, labels = targets;
  check_floats(op, x, source);
  if (labels.dtype(source) != i64) fail(source.named(op), "expected targets as i64, got {}", name(labels.dtype()));
  if (x.dim() != 3 && x.dim() != 2)
    fail(source.named(op), "expected log probabilities [time, batch, classes] or [time, classes], got {}", x.shape());
  const bool one = x.dim() == 2;
  if (one) {
    x = unsqueeze(x, 1);
    if (labels.dim() != 1)
      fail(source.named(op), "expected the targets of one example, [longest], got {}", labels.shape());
    labels = unsqueeze(labels, 0);
  }
  const auto [time, batch, classes] = x.shape().as<3>();
  const Size blank = options.blank;
  if (blank < 0 || blank >= classes) fail(source.named(op), "expected a blank of 0 ... {}, got {}", classes - 1, blank);
  const Tensor steps = lengths_of(input_lengths, "input", batch, time, source);
  const Tensor length =
      lengths_of(target_lengths, "target", batch, labels.dim() == 2 ? labels.size(1) : labels.numel(), source);
  if (labels.dim() == 1) labels = padded(labels, length.to_vector<Size>(), blank, source);
  if (labels.dim() != 2 || labels.size(0) != batch)
    fail(source.named(op), "expected targets [batch, longest] or [sum of lengths] for a batch of {}, got {}", batch,
         labels.shape());
  check_targets(labels, length, classes, blank, source);
  check_some(op, batch, options.reduction, source);

  const Size longest = labels.size(1), width = 2 * longest + 1;
  const Tensor blanks = full({batch, longest}, blank), column = full({batch, 1}, blank);
  labels = where(arange(longest) < unsqueeze(length, 1), labels, blank);
  labels = concat({reshape(stack({blanks, labels}, 2), {batch, 2 * longest}), column}, 1);  // l'
  const Tensor two_before = longest > 0 ? concat({column, column, slice(labels, 1, 0, width - 2)}, 1) : labels;
  const Tensor skips = logical_and(labels != blank, labels != two_before);

  const Tensor in_time = reshape(arange(time), {time, 1, 1}) < reshape(steps, {batch, 1});
  const Tensor log_p = gather(where(in_time, x, 0.0), 2, expand(unsqueeze(labels, 0), {time, batch, width}));
  const Tensor place = arange(width);
  Tensor a, last = expand(where(place == 0, zeros({}, x.dtype()), -infinity), {batch, width});  // after no step
  for (Size t = 0; t < time; ++t) {
    if (t == 0) a = where(place < 2, log_p[0], -infinity);
    else a = log_p[t] + logsumexp(stack({a, shifted(a, 1), where(skips, shifted(a, 2), -infinity)}), 0);
    last = where(unsqueeze(steps == t + 1, 1), a, last);
  }
  const auto ends_at = [&](const Tensor& s) { return squeeze(gather(last, 1, unsqueeze(s, 1)), 1); };
  const Tensor label_last = where(length > 0, ends_at(2 * length - cast(length > 0, i64)), -infinity);
  Tensor loss = -logsumexp(stack({ends_at(2 * length), label_last}), 0);
  if (options.zero_infinity) loss = where(loss == infinity, 0.0, loss);
  if (options.reduction == Reduction::mean) loss = loss / cast(at_least(length, 1), loss.dtype());
  if (options.reduction == Reduction::none && one) return squeeze(loss, 0);
  return reduce(op, loss, options.reduction, source);
} catch (const std::bad_alloc&) {
  fail_no_memory(line_of(log_probabilities), op);
}

}  // namespace xgrad::nn
