// Metrics of classes that are right or wrong. Outputs are scores [n, classes, ...] beside i64 classes [n, ...]; or one column,
// [n] or [n, 1], beside labels 0 or 1 of that shape, where what is above the threshold is class 1.
#pragma once

#include <vector>

#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn::metrics {

// The part of the targets whose class is the greatest, or among the top_k greatest. A row that holds NaN is not right.
struct Accuracy {
  Size top_k = 1;            // 1 of one column
  Size ignore_index = -100;  // rows of this class count for nothing, in one column too
  double threshold = 0;      // of one column: 0 for logits, 0.5 for probabilities

  Size right = 0, counted = 0;
  static constexpr bool greater_is_better = true;
  void update(In outputs, In targets);
  double value() const;
  void reset() { right = counted = 0; }
};

// How many of each class were taken for each. A row that holds NaN is taken for none: `lost` counts it, and it is missed where it
// belongs, but stands nowhere in the matrix.
struct ConfusionMatrix {
  Size ignore_index = -100;
  double threshold = 0;

  Size classes = 0;               // as the outputs have them
  std::vector<Size> counts = {};  // [class, taken for]
  std::vector<Size> lost = {};    // [class]
  void update(In outputs, In targets);
  Tensor value() const;  // i64 [classes, classes]; empty before the first update
  void reset() { counts.clear(), lost.clear(), classes = 0; }
  Size at(Size target, Size predicted, Source source = Source::here()) const;  // after the first update
};

// How scores of the classes become one: of all decisions together; the mean of the classes that occur, as targets or
// predictions; that weighted by how often each is the target; of class 1 alone.
enum class Average { micro, macro, weighted, binary };

// Of a class: t rightly, f wrongly taken for it, m missed, lost ones too. What is 0 / 0 counts as 0 (scikit-learn).
struct Precision {  // t / (t + f)
  Average average = Average::macro;
  ConfusionMatrix seen = {};
  static constexpr bool greater_is_better = true;
  void update(In outputs, In targets) { seen.update(outputs, targets); }
  double value() const;
  void reset() { seen.reset(); }
};
struct Recall {  // t / (t + m)
  Average average = Average::macro;
  ConfusionMatrix seen = {};
  static constexpr bool greater_is_better = true;
  void update(In outputs, In targets) { seen.update(outputs, targets); }
  double value() const;
  void reset() { seen.reset(); }
};
struct F1 {  // 2 t / (2 t + f + m)
  Average average = Average::macro;
  ConfusionMatrix seen = {};
  static constexpr bool greater_is_better = true;
  void update(In outputs, In targets) { seen.update(outputs, targets); }
  double value() const;
  void reset() { seen.reset(); }
};
double precision(const ConfusionMatrix& seen, Average average = Average::macro);
double recall(const ConfusionMatrix& seen, Average average = Average::macro);
double f1(const ConfusionMatrix& seen, Average average = Average::macro);

// e^(mean cross entropy) of logits: how many classes it is as if each were a guess among.
struct Perplexity {
  Size ignore_index = -100;

  double loss = 0;
  Size counted = 0;
  static constexpr bool greater_is_better = false;
  void update(In logits, In targets);
  double value() const;
  void reset() { loss = 0, counted = 0; }
};

}  // namespace xgrad::nn::metrics

#pragma GCC visibility pop
