#include "autodiff/recorded.hpp"

#include "autodiff/engine/sweep.hpp"

namespace xgrad {

using engine::Node;
using engine::Op;

namespace {

Size multiply_adds(Node* n) {
  if (n->op == Op::matmul) {
    const Node* x = n->input(0);
    return n->count * x->shape[x->shape.rank() - (n->a[0] ? 2 : 1)];
  }
  if (n->op == Op::attention) {
    const Shape& keys = n->input(1)->shape;
    return 2 * n->count * keys[keys.rank() - 2];
  }
  if (n->op == Op::convolution || n->op == Op::convolution_transposed) {
    const Node* w = n->input(1);
    const Node* many = n->op == Op::convolution ? n : n->input(0);  // has a product for each of a kernel's numbers
    return w->shape[0] == 0 ? 0 : many->count * (w->count / w->shape[0]);
  }
  return 0;
}

}  // namespace

std::vector<RecordedOp> recorded(const Tensor& y, const char* op, Source source) {
  engine::Sweep sweep(engine::current(), y.node(), op, source);
  const auto& nodes = sweep.nodes();
  std::vector<RecordedOp> ops;
  for (std::size_t k = nodes.size(); k-- > 0;) {
    Node* n = nodes[k].n;
    RecordedOp own{n,
                   {},
                   n->shape,
                   {n->file, n->line},
                   multiply_adds(n),
                   n->op == Op::reshape && n->shape.rank() > n->input(0)->shape.rank(),
                   n->op == Op::concat};
    for (int i = 0; i < n->inputs; ++i) {
      const Node* x = n->input(i);
      own.inputs.push_back({x, x->variable, x->op == Op::leaf && x->shape.empty()});
    }
    ops.push_back(std::move(own));
  }
  return ops;
}

}  // namespace xgrad
