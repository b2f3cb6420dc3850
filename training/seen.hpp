// What a model makes of batches, and what has been seen of some: fit's, its validation's, evaluate's. Private to training/.
#pragma once

#include <xgrad/training/fit.hpp>
#include "training/hits.hpp"

namespace xgrad::training {

struct Outcome {
  Tensors outputs;
  Tensor loss;
  Size inputs;
};
// `source` is named: whose Errors they are.
Outcome outcome_of(const Called& model, const Tensors& batch, const Loss& loss_of, Source source);

// The mean loss, the accuracy, the metrics.
class Seen {
 public:
  // `own_loss`: it is not known where its outputs have their classes, but for [n, classes] and columns.
  Seen(std::vector<Metric> metrics, bool own_loss, Source source);
  void add(const Tensors& outputs, const Tensors& batch, Size inputs, double loss);
  double loss() const { return rows_ > 0 ? loss_ / rows_ : Epoch::none; }
  double accuracy() const { return classes_ && hits_.of > 0 ? hits_.right / hits_.of : Epoch::none; }
  std::vector<Measured> metrics() const;

 private:
  std::vector<Metric> metrics_;
  Source source_;
  double loss_ = 0, rows_ = 0;
  Hits hits_;
  bool own_loss_, classes_ = true;
};
// Of all batches, without a record.
Seen seen_in(const Called& model, const data::DataLoader& batches, const Loss& loss, const std::vector<Metric>& metrics,
             Source source);

}  // namespace xgrad::training
