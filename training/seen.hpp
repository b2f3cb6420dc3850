// What a model makes of batches, and what has been seen of some: fit's, its validation's, evaluate's. Private to training/.
#pragma once

#include <xgrad/training/fit.hpp>
#include "training/hits.hpp"

namespace xgrad::training {

struct Outcome {
  Tensors outputs;
  Tensor loss;  // empty where the batch is left out: its classes are -100, all of them
  Size inputs;
  bool classes;  // are its targets such as may be left out?
  double rows;   // that count, each but for the share of its classes that are left out
};
// `source` is named: whose Errors they are.
Outcome outcome_of(const Called& model, const Tensors& batch, const Loss& loss_of, Source source);
bool is_left_out(const Called& model, const Tensors& batch, const Loss& loss_of);

// The mean loss, the accuracy, the metrics.
class Seen {
 public:
  Seen(std::vector<Metric> metrics, const Loss& loss, Source source);
  void add(const Outcome& made, const Tensors& batch, double loss);
  double loss() const { return rows_ > 0 ? loss_ / rows_ : Epoch::none; }
  double accuracy() const { return classes_ && hits_.of > 0 ? hits_.right / hits_.of : Epoch::none; }
  std::vector<Measured> metrics() const;

 private:
  std::vector<Metric> metrics_;
  Source source_;
  double loss_ = 0, rows_ = 0;
  Hits hits_;
  bool own_loss_;  // it is not known where its outputs have their classes, but for [n, classes] and columns
  bool of_logits_, classes_ = true;
};
// Of all batches, without a record.
Seen seen_in(const Called& model, const data::DataLoader& batches, const Loss& loss, const std::vector<Metric>& metrics,
             Source source);

}  // namespace xgrad::training
