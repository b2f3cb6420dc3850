// A model's best state, as fit keeps it. Private to training/.
#pragma once

#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>
#include <xgrad/training/called.hpp>

namespace xgrad::training {

// The values of a model's parameters and buffers, or of what an optimizer trains where the model shows none. Both are kept by
// reference.
class Snapshot {
 public:
  Snapshot(const Called& model, const optim::Optimizer& optimizer, Source source);
  void take();
  bool is_taken() const { return taken_; }
  void put_back() const;  // buffers of another shape, or that were not there, too

 private:
  const Called& model_;
  Source source_;
  Parameters trained_;
  NamedTensors state_;
  bool taken_ = false;
};

}  // namespace xgrad::training
