// An elementwise formula on tensors, to be run over numbers in memory, in place: what optimizers are made of.
#pragma once

#include <xgrad/autodiff/callable.hpp>
#include <xgrad/autodiff/pointers.hpp>
#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// f is recorded once, on placeholders of one dtype (f32 or f64) that have no numbers. It assigns new values to the operands
// that it changes; each is a formula of elementwise ops of the operands and of numbers. Anything else is an Error that
// names the op, as `what` (a name) must be elementwise: reductions, products, views, reading a number, a tensor of its own.
class Fused {
 public:
  Fused(const Callable<void(Tensors& operands)>& f, int operands, DType dtype, const char* what,
        Source source = Source::here());
  Fused(Fused&&) noexcept;
  Fused& operator=(Fused&&) noexcept;
  ~Fused();

  // Records f anew, as where it is made: for a formula whose numbers have changed, which is most often all that has.
  void renew(const Callable<void(Tensors& operands)>& f, const char* what, Source source = Source::here());

  bool changes(int operand) const;

  // Runs the formula, on one thread; each thread has its own. Different runs of elements may be worked on at once.
  class Worker {
   public:
    explicit Worker(const Fused& fused);
    Worker(Worker&&) noexcept;
    ~Worker();
    // Elements begin to end, of operand k at base[k]; those that the formula changes are written there. Operands may not
    // overlap, but for two that it only reads.
    void operator()(char* const* base, Size begin, Size end);

   private:
    struct State;
    engine::Own<State> state_;
  };

 private:
  struct Recorded;
  engine::Own<Recorded> recorded_;
};

}  // namespace xgrad

#pragma GCC visibility pop
