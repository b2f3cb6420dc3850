#include "autodiff/engine/compute.hpp"

#include <cstring>

#include "autodiff/engine/nodes.hpp"
#include "autodiff/engine/strided.hpp"

namespace xgrad::engine {

DType operand_dtype(Node* n) {
  if (n->op == Op::where) return n->in[1]->dtype;
  return is_comparison(n->op) || n->op == Op::cast ? n->in[0]->dtype : n->dtype;
}

namespace {

const kernels::Kernel* kernel_of(ThreadState& t, Node* n) { return kernels_of(*t.kernels, n->op, operand_dtype(n)); }

template <class T>
bool arithmetic(Op op, char* out, Node* const* in) {
  const auto x = [&](int i) { return *in[i]->data.as<const T>(); };
  T y;
  switch (op) {
    case Op::add: y = x(0) + x(1); break;
    case Op::sub: y = x(0) - x(1); break;
    case Op::mul: y = x(0) * x(1); break;
    case Op::div: y = x(0) / x(1); break;
    case Op::neg: y = -x(0); break;
    case Op::square: y = x(0) * x(0); break;
    default: return false;
  }
  std::memcpy(out, &y, sizeof y);
  return true;
}

}  // namespace

void compute_number(ThreadState& t, Node* n, char* out) {
  if (n->dtype == DType::f32 && n->op != Op::cast) {
    if (arithmetic<float>(n->op, out, n->in)) return;
  } else if (n->dtype == DType::f64 && n->op != Op::cast) {
    if (arithmetic<double>(n->op, out, n->in)) return;
  }
  const char* in[3] = {nullptr, nullptr, nullptr};
  for (int i = 0; i < n->inputs; ++i) in[i] = n->in[i]->data;
  if (n->op == Op::cast)
    t.kernels->cast[static_cast<int>(n->in[0]->dtype)][static_cast<int>(n->dtype)](out, in[0], nullptr, nullptr, 1);
  else kernel_of(t, n)[0](out, in[0], in[1], in[2], 1);
}

void compute_small(ThreadState& t, Node* n) {
  bool numbers = true;
  for (int i = 0; i < n->inputs; ++i) numbers &= is_number(n->in[i]);
  if (numbers) {
    compute_number(t, n, n->local);
    if (n->count > 1) n->flags |= uniform;
    n->data = n->local;
    return;
  }
  alignas(64) char loaded[3][small_count * 8];
  const char* in[3] = {nullptr, nullptr, nullptr};
  int mask = 0;
  for (int i = 0; i < n->inputs; ++i) {
    Node* x = n->in[i];
    if (is_number(x)) {
      in[i] = x->data;
      mask |= 1 << i;
    } else if (x->count == n->count && x->row_major()) {
      in[i] = x->data;
    } else {
      copy_broadcast(loaded[i], x, n->shape);
      in[i] = loaded[i];
    }
  }
  char* out = allocate(n);
  if (n->op == Op::cast)
    t.kernels->cast[static_cast<int>(n->in[0]->dtype)][static_cast<int>(n->dtype)](out, in[0], nullptr, nullptr,
                                                                                   n->count);
  else kernel_of(t, n)[mask](out, in[0], in[1], in[2], n->count);
  n->data = out;
}

void settle(ThreadState& t, Node* n) {
  if (n->has(needs_grad)) return;
  unlink(t, n);
  forget_inputs(n);
}

}  // namespace xgrad::engine
