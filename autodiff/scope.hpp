// How ops run: evaluation, scopes, and what the engine has done. Bodies: api/scope.cpp; release_memory: engine/pool.cpp.
#pragma once

#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// Computes what is still pending. Returns its argument where there is one.
Tensor evaluate(const In& x);
void evaluate(const Tensors& list, Source source = Source::here());
template <class... More>
void evaluate(const In& x, const In& y, const More&... more) {
  evaluate(Tensors{x, y, more...}, x.source());
}

// While one lives, ops on this thread are not recorded for differentiation.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

// While one lives, ops are recorded again inside of a NoGrad: for a function that takes derivatives of its own, wherever
// it is called. The transforms (value_and_grad, vjp, jvp, jacobian, hessian, hvp, gradcheck) and the functions of a
// CustomOp need none: they record what they need by themselves.
class EnableGrad {
 public:
  EnableGrad();
  ~EnableGrad();
  EnableGrad(const EnableGrad&) = delete;
  EnableGrad& operator=(const EnableGrad&) = delete;

 private:
  bool before_;
};

// While one lives, every op on this thread is computed as it is written: for debugging, and as the tests' oracle.
class Eager {
 public:
  Eager();
  ~Eager();
  Eager(const Eager&) = delete;
  Eager& operator=(const Eager&) = delete;

 private:
  bool before_;
};

// While one lives, random numbers on this thread come from a second stream of the same seed: that of layers, which draw their
// first weights as they are made. So what a program draws does not depend on its model, nor a model on what was drawn before.
class LayerStream {
 public:
  LayerStream();
  ~LayerStream();
  LayerStream(const LayerStream&) = delete;
  LayerStream& operator=(const LayerStream&) = delete;

 private:
  bool before_;
};

// While the outermost lives, ops take `at` as their line: for functions that are made of ops. Their errors there go by
// the name `op` (a string that stays), the outermost that is given.
class Located {
 public:
  explicit Located(Source at, const char* op = nullptr);
  explicit Located(const In& in, const char* op = nullptr) : Located(in.source(), op) {}
  ~Located();
  Located(const Located&) = delete;
  Located& operator=(const Located&) = delete;

 private:
  bool before_;
  Source at_before_;
};

// The line of an op that is written here, as its Errors give it: of the outermost Located, or the operand's own. `op` is the
// name that it goes by where no Located gives one.
Source line_of(const In& x, const char* op = nullptr);
Source line_of(Source source, const char* op = nullptr);

// Gives free memory back to the system: what the library keeps so that the next step need not ask for it. This thread's
// goes at once, another's when it next makes or lets go of a tensor. Tensors stay as they are. The library does it by
// itself where memory runs out, and what it keeps is bounded by what was in use lately: see docs/memory.md.
void release_memory();

// What the engine has done on this thread, for tests and benchmarks.
struct Counters {
  std::uint64_t recorded = 0;   // ops written
  std::uint64_t evaluated = 0;  // nodes computed, second times included
  std::uint64_t regions = 0;    // fused passes
  std::uint64_t pending = 0;    // nodes waiting now
  std::uint64_t taped = 0;      // nodes on the tape now
  std::uint64_t bytes = 0;      // of buffers that this thread took and has not given back
};
Counters counters();

}  // namespace xgrad

#pragma GCC visibility pop
