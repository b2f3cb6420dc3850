// A model's state at some time, as fit keeps it. Private to training/.
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
  void take_buffers();  // these alone: that is what put_back() knows of then
  bool is_taken() const { return taken_; }
  // All of it, or by an Error nothing. A buffer that has another shape by then, or was not there, is as it was; one that is empty
  // by then stays so, for no walk sees it.
  void put_back() const;

 private:
  const Called& model_;
  Source source_;
  Parameters trained_;
  NamedTensors state_;
  bool taken_ = false;
};

}  // namespace xgrad::training
