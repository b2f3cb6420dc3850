#include <xgrad/nn/metrics/classes.hpp>

#include <fmt/core.h>

#include <cmath>
#include <new>

#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/fields.hpp>
#include <xgrad/nn/losses/classes.hpp>
#include "nn/metrics/checks.hpp"

namespace xgrad::nn::metrics {

void check_both(const char* metric, In outputs, In targets) {
  for (const In* operand : {&outputs, &targets})
    if (operand->is_number() || !operand->node())
      fail(line_of(outputs, metric), "expected outputs and targets, got {}",
           operand->is_number() ? "a number" : "an empty tensor");
}

bool is_column(const Tensor& t) { return t.dim() == 1 || (t.dim() == 2 && t.size(1) == 1); }

Labelled column_of(const char* metric, const Tensor& outputs, const Tensor& targets, std::optional<Size> ignore_index,
                   Source source) try {
  if (!is_column(outputs) || !is_column(targets) || outputs.size(0) != targets.size(0))
    fail(source.named(metric), "expected one column of outputs and labels, [n] or [n, 1], got {} and {}",
         outputs.shape(), targets.shape());
  const std::vector<double> scores = outputs.to_vector<double>(source), labels = targets.to_vector<double>(source);
  Labelled made;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (ignore_index && labels[i] == static_cast<double>(*ignore_index)) continue;
    if (labels[i] != 0 && labels[i] != 1) fail(source.named(metric), "expected labels 0 and 1, got {}", labels[i]);
    made.scores.push_back(scores[i]);
    made.labels.push_back(labels[i] == 1);
  }
  return made;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, metric);
}

void check_classes_of(const char* metric, const Tensor& outputs, const Tensor& targets, Size ignore_index,
                      Source source) {
  Shape rows = outputs.shape();
  if (rows.rank() > 1) rows.erase(1);
  if (outputs.dim() < 2 || outputs.size(1) < 2 || targets.dtype() != i64 || targets.shape() != rows)
    fail(source.named(metric),
         "expected outputs [n, classes, ...] and i64 classes [n, ...], or one column and labels 0 or "
         "1, got {} and {} {}",
         outputs.shape(), name(targets.dtype()), targets.shape());
  for (const Size c : targets.to_vector<Size>(source))
    if (c != ignore_index && (c < 0 || c >= outputs.size(1)))
      fail(source.named(metric), "expected classes 0 ... {}, got {}", outputs.size(1) - 1, c);
}

void Accuracy::update(In outputs, In targets) try {
  const Located at(outputs, "Accuracy");
  const Source source = line_of(outputs);
  const NoGrad no_grad;
  check_both("Accuracy", outputs, targets);
  const Tensor x = outputs, t = targets;
  if (is_column(x) && is_column(t)) {
    if (top_k != 1) fail(source.named("Accuracy"), "expected a top_k of 1 for one column of outputs, got {}", top_k);
    const Labelled column = column_of("Accuracy", x, t, ignore_index, source);
    for (std::size_t i = 0; i < column.labels.size(); ++i)
      right += (column.scores[i] > threshold) == column.labels[i] && !std::isnan(column.scores[i]);
    counted += static_cast<Size>(column.labels.size());
    return;
  }
  check_classes_of("Accuracy", x, t, ignore_index, source);
  if (top_k < 1 || top_k > x.size(1))
    fail(source.named("Accuracy"), "expected a top_k of 1 ... {}, got {}", x.size(1), top_k);
  const Tensor kept = t != ignore_index, numbers = !any(isnan(x), 1);
  const Tensor among = top_k == 1 ? argmax(x, 1) == t : any(topk(x, top_k, 1)[1] == unsqueeze(t, 1), 1);
  right += static_cast<Size>(sum(among && kept && numbers).item());
  counted += static_cast<Size>(sum(kept).item());
} catch (const std::bad_alloc&) {
  fail_no_memory(line_of(outputs), "Accuracy");
}
double Accuracy::value() const { return counted ? static_cast<double>(right) / static_cast<double>(counted) : none; }

namespace {

constexpr Size no_class = -1;

}  // namespace

void ConfusionMatrix::update(In outputs, In targets) try {
  const Located at(outputs, "ConfusionMatrix");
  const Source source = line_of(outputs);
  const NoGrad no_grad;
  check_both("ConfusionMatrix", outputs, targets);
  const Tensor x = outputs, t = targets;
  const bool column = is_column(x) && is_column(t);
  if (!column) check_classes_of("ConfusionMatrix", x, t, ignore_index, source);
  const Size given = column ? 2 : x.size(1);
  if (classes != 0 && classes != given)
    fail(source.named("ConfusionMatrix"), "expected {} classes, as before, got {}", classes, given);
  std::vector<Size> target, predicted;
  if (column) {
    const Labelled rows = column_of("ConfusionMatrix", x, t, ignore_index, source);
    for (std::size_t i = 0; i < rows.labels.size(); ++i) {
      target.push_back(rows.labels[i]);
      predicted.push_back(std::isnan(rows.scores[i]) ? no_class : rows.scores[i] > threshold);
    }
  } else {
    target = t.to_vector<Size>();
    predicted = where(any(isnan(x), 1), no_class, argmax(x, 1)).to_vector<Size>();
  }
  counts.resize(static_cast<std::size_t>(given * given));
  lost.resize(static_cast<std::size_t>(given));
  classes = given;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (!column && target[i] == ignore_index) continue;
    if (predicted[i] == no_class) ++lost[static_cast<std::size_t>(target[i])];
    else ++counts[static_cast<std::size_t>(target[i] * classes + predicted[i])];
  }
} catch (const std::bad_alloc&) {
  fail_no_memory(line_of(outputs), "ConfusionMatrix");
}

Tensor ConfusionMatrix::value() const { return classes == 0 ? Tensor() : tensor(counts, {classes, classes}); }

Size ConfusionMatrix::at(Size target, Size predicted, Source source) const {
  if (classes == 0) fail(source.named("ConfusionMatrix"), "expected an update first: it knows of no classes yet");
  for (const Size c : {target, predicted})
    if (c < 0 || c >= classes)
      fail(source.named("ConfusionMatrix"), "expected classes 0 ... {}, got {}", classes - 1, c);
  return counts[static_cast<std::size_t>(target * classes + predicted)];
}

namespace {

struct Tally {
  double right = 0, taken = 0, there = 0;  // t, t + f, t + m
};

// The mean of score(t, t + f, t + m) over the classes, as the average says.
template <class Score>
double averaged(const ConfusionMatrix& seen, Average average, const Score& score) try {
  std::vector<Tally> of(static_cast<std::size_t>(seen.classes));
  Tally all;
  for (Size t = 0; t < seen.classes; ++t) {
    const auto i = static_cast<std::size_t>(t);
    const auto lost = static_cast<double>(i < seen.lost.size() ? seen.lost[i] : 0);  // none of a matrix made by hand
    for (Tally* tally : {&of[i], &all}) tally->there += lost;
    for (Size p = 0; p < seen.classes; ++p) {
      const auto n = static_cast<double>(seen.at(t, p));
      for (Tally* tally : {&of[static_cast<std::size_t>(t)], &all}) tally->there += n;
      for (Tally* tally : {&of[static_cast<std::size_t>(p)], &all}) tally->taken += n;
      if (t == p)
        for (Tally* tally : {&of[static_cast<std::size_t>(t)], &all}) tally->right += n;
    }
  }
  if (all.there == 0) return none;
  const auto value = [&](const Tally& t) { return score(t); };
  if (average == Average::micro) return value(all);
  if (average == Average::binary) return value(of[1]);
  double total = 0, weight = 0;
  for (const Tally& t : of) {
    if (t.there == 0 && t.taken == 0) continue;
    const double w = average == Average::weighted ? t.there : 1;
    total += w * value(t);
    weight += w;
  }
  return total / weight;
} catch (const std::bad_alloc&) {
  fail_no_memory({}, "ConfusionMatrix");
}

double part(double of, double whole) { return whole > 0 ? of / whole : 0; }

}  // namespace

double precision(const ConfusionMatrix& seen, Average average) {
  return averaged(seen, average, [](const Tally& t) { return part(t.right, t.taken); });
}
double recall(const ConfusionMatrix& seen, Average average) {
  return averaged(seen, average, [](const Tally& t) { return part(t.right, t.there); });
}
double f1(const ConfusionMatrix& seen, Average average) {
  return averaged(seen, average, [](const Tally& t) { return part(2 * t.right, t.taken + t.there); });
}
double Precision::value() const { return precision(seen, average); }
double Recall::value() const { return recall(seen, average); }
double F1::value() const { return f1(seen, average); }

void Perplexity::update(In logits, In targets) {
  const Located at(logits, "Perplexity");
  const Source source = line_of(logits);
  const NoGrad no_grad;
  check_both("Perplexity", logits, targets);
  const Tensor x = logits, t = targets;
  check_classes_of("Perplexity", x, t, ignore_index, source);
  loss += cross_entropy(cast(x, f64), t, {.reduction = Reduction::sum, .ignore_index = ignore_index}).item();
  counted += static_cast<Size>(sum(t != ignore_index).item());
}
double Perplexity::value() const { return counted ? std::exp(loss / static_cast<double>(counted)) : none; }

}  // namespace xgrad::nn::metrics
