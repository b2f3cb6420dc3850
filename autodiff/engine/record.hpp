// Recording: checks of operands, and what becomes of an op as it is written.
#pragma once

#include <initializer_list>
#include <utility>

#include "autodiff/engine/thread.hpp"
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::engine {

// Work on no more elements than this is done as it is recorded.
inline constexpr Size small_count = 1024;

struct Args {
  Size a[4] = {0, 0, 0, 0};
  Ref<const Told> told = {};  // more, if that is not enough
};

// The line that an op is at: the outermost Located's, or the operand's own.
inline Source source_of(const In& x) {
  const Thread& t = current();
  return t.located ? t.at : x.source();
}
inline Source source_of(Source s) {
  const Thread& t = current();
  return t.located ? t.at : s;
}

// While one lives, ops name their own lines and may lead to derivatives: around calls of the user's functions.
class UsersOwn {
 public:
  explicit UsersOwn(Thread& t, bool no_grad = false) noexcept
      : t_(t),
        located_(std::exchange(t.located, false)),
        no_grad_(std::exchange(t.no_grad, no_grad)),
        cut_as_(std::exchange(t.cut_as, cut_no_grad)) {}
  ~UsersOwn() {
    t_.located = located_;
    t_.no_grad = no_grad_;
    t_.cut_as = cut_as_;
  }
  UsersOwn(const UsersOwn&) = delete;

 private:
  Thread& t_;
  bool located_, no_grad_;
  unsigned cut_as_;
};

[[noreturn]] void fail_empty(const char* op, Source source);

// The operand's node, made from a number where it is one (of dtype `number`). An Error where it is empty.
Tensor operand(const In& x, const char* op, DType number);
Tensor operand(const In& x, const char* op);  // a number has its C++ type's dtype

// Records an op whose shapes and dtypes have been checked; computes it at once where that is small.
Tensor record(Op op, DType dtype, const Shape& shape, Node* const* in, int count, const Args& args, Source source);
inline Tensor record(Op op, DType dtype, const Shape& shape, std::initializer_list<Node*> in, const Args& args,
                     Source source) {
  return record(op, dtype, shape, in.begin(), static_cast<int>(in.size()), args, source);
}

// Elementwise ops of one, two or three operands, with the rules for numbers, dtypes and broadcasting.
Tensor unary(Op op, const In& x);
Tensor binary(Op op, const In& x, const In& y);
Tensor ternary(Op op, const In& x, const In& y, const In& z);
Tensor select(const In& condition, const In& x, const In& y);

Shape broadcast(const Shape& x, const Shape& y, const char* op, Source source);

// An Error where an integer is divided by 0.
void require_divisor(Op op, DType dtype, Node* const* in, Source source);

// What n's op was told.
Args args_of(const Node* n);

// The op of n, recorded again on other inputs.
Tensor replay(Node* n, Node* const* in, int count);

// Which axis: negative ones count from the end.
int checked_axis(Size axis, int rank, const char* op, Source source);

// Computes all that is pending and was recorded on this thread, so that waiting work stays bounded. What there is no
// memory for stays pending.
void flush(Thread& t);

}  // namespace xgrad::engine
