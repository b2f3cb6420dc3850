// What a record says, op by op: for the libraries beside autodiff. Private to them; bodies: api/recorded.cpp.
#pragma once

#include <vector>

#include <xgrad/autodiff/parameter.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// One recorded op that derivatives lead through.
struct RecordedOp {
  struct Input {
    const void* id;                    // of a RecordedOp, or of what was there before
    const engine::Variable* variable;  // whose value it is; null: nobody's
    bool is_number;                    // a number that no op made
  };
  const void* id;
  std::vector<Input> inputs;
  Shape shape;
  Source source;
  Size multiply_adds;  // of a product or a convolution; of others none are counted
  bool adds_axes;      // a reshape to more axes
  bool joins;          // tensors, one after the other
};

// All that led to y, in order of recording; `op` is who asks.
std::vector<RecordedOp> recorded(const Tensor& y, const char* op, Source source);

}  // namespace xgrad

#pragma GCC visibility pop
