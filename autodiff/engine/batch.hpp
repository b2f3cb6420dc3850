// A function of one example, for many: it is recorded once, on placeholders that have a shape and no numbers, and each op
// that led to its result is then replayed with one more axis in front, which counts the examples.
#pragma once

#include <unordered_map>

#include <xgrad/autodiff/vmap.hpp>
#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

// One op on the replay: a rule gives its result for all examples, of shape().
struct Replayed {
  Node* n;                  // the op, of one example
  const Tensor* in;         // its inputs
  const bool* each;         // of which: one for each example, along axis 0; else one for all
  Size count;               // of examples
  Tensor all(int i) const;  // an input, repeated along axis 0 where it is one for all
  Shape shape() const { return with(n->shape); }
  Shape with(const Shape& one) const;  // the shape of that for each example
  Source source() const { return {n->file, n->line}; }
};

// Rules that serve many ops: the op itself, on all its inputs with one more axis.
Tensor batch_elementwise(const Replayed& r);
Tensor batch_leading(const Replayed& r);  // it takes any axes in front
Tensor batch_axis(const Replayed& r);     // it was told an axis: a[0]
Tensor batch_span(const Replayed& r);     // it was told adjacent axes: a[0] to a[1]

// x with axis `from` in front.
Tensor axis_to_front(const Tensor& x, int from);

// Examples, and what a function recorded on them comes to for all. Draws of random numbers meanwhile are as it says.
class Batch {
 public:
  Batch(ThreadState& t, Size count, Randomness randomness, const char* op, Source source);
  ~Batch() { t_.batch = outer_; }
  Batch(const Batch&) = delete;

  Tensor example(Tensor all);     // one of those that lie along axis 0
  Tensor all(const Tensor& one);  // what was recorded of examples, for all of them along axis 0

  Size count() const { return count_; }
  Batch* outer() const { return outer_; }
  Randomness randomness() const { return randomness_; }
  const char* op() const { return op_; }

 private:
  Tensor replay(Node* n);
  ThreadState& t_;
  Batch* const outer_;
  const Size count_;
  const Randomness randomness_;
  const char* const op_;
  const Source source_;
  Tensors held_;  // the keys of what follows
  std::unordered_map<const Node*, Tensor> all_;
};

// While one lives, that batch does not see what is drawn: a draw for all of its examples.
class OutsideBatch {
 public:
  explicit OutsideBatch(ThreadState& t) noexcept : t_(t), batch_(t.batch) { t.batch = batch_->outer(); }
  ~OutsideBatch() { t_.batch = batch_; }
  OutsideBatch(const OutsideBatch&) = delete;

 private:
  ThreadState& t_;
  Batch* const batch_;
};

// draw(shape) of random numbers: where examples are being recorded, as their batch says.
template <class Draw>
Tensor for_examples(const Shape& shape, const char* op, Source source, const Draw& draw);

[[noreturn]] void fail_draw(const Batch& batch, const char* op, Source source);

template <class Draw>
Tensor for_examples(const Shape& shape, const char* op, Source source, const Draw& draw) {
  ThreadState& t = current();
  Batch* batch = t.batch;
  if (!batch) return draw(shape);
  if (batch->randomness() == Randomness::error) fail_draw(*batch, op, source);
  const OutsideBatch outside(t);
  if (batch->randomness() == Randomness::same) return for_examples(shape, op, source, draw);
  Shape all = shape;
  all.insert(0, batch->count());
  return batch->example(for_examples(all, op, source, draw));
}

}  // namespace xgrad::engine
