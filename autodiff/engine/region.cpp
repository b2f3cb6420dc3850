#include "autodiff/engine/region.hpp"

#include <exception>

#include "autodiff/engine/chain_writer.hpp"
#include "autodiff/engine/compute.hpp"

namespace xgrad::engine {

namespace {

// Writes the program of a region.
class Builder : ChainWriter {
 public:
  Builder(ThreadState& t, Node* const* nodes, std::size_t count, Program& program, Scratch& scratch)
      : ChainWriter(t, nodes, count, program, scratch) {}

  void build(char* (*memory)(Node*) = nullptr) {
    look();
    begin();
    stored_.clear();
    stored_.reserve(count_);
    allocate_stored(memory);
    for (std::size_t i = 0; i < count_; ++i) emit(static_cast<int>(i));
    close_chain();
  }
  void finish() const {
    std::exception_ptr failed;  // a view that there is no memory for: all else is done, and it goes on waiting
    for (std::size_t i = 0; i < count_; ++i) {
      try {
        finish(static_cast<int>(i));
      } catch (...) {
        failed = std::current_exception();
      }
    }
    for (std::size_t i = 0; i < count_; ++i)
      if (values_[i].stored && !nodes_[i]->pending()) stored_.push_back(nodes_[i]);
    for (Node* n : stored_) settle(t_, n);  // the oldest first: it may be all that holds what was visited before it
    if (failed) std::rethrow_exception(failed);
  }
  void undo() const {
    for (std::size_t i = 0; i < count_; ++i)
      if (nodes_[i]->pending()) give_unfinished(nodes_[i]);
  }

 private:
  void allocate_stored(char* (*memory)(Node*)) {
    for (std::size_t i = 0; i < count_; ++i)
      if (values_[i].stored && !values_[i].alias) values_[i].memory = memory ? memory(nodes_[i]) : allocate(nodes_[i]);
  }

  void emit(int i) {
    Node* n = nodes_[i];
    Value& v = values_[i];
    if (v.alias || v.inner || v.as_slope) return;
    if (kind_of(n->op) == Kind::reduction) return emit_sink(n, v, i);
    if (is_light(n)) return emit_tree(i);
    close_chain();
    Instruction op{n->op == Op::cast ? Do::cast : Do::kernel, operand_dtype(n), static_cast<std::uint8_t>(n->inputs)};
    int mask = 0;
    for (int k = 0; k < n->inputs; ++k) {
      op.in[k] = use(n->in[k], n, i);
      if (op.in[k].scratch < 0 && op.in[k].step == 0) mask |= 1 << k;
    }
    op.op = n->op;
    op.mask = static_cast<std::uint8_t>(mask);
    op.to = n->dtype;
    // The result may take an operand's place where their elements are of one size.
    for (int k = 0; k < n->inputs; ++k)
      if (item_size(n->in[k]->dtype) == item_size(n->dtype)) let_go_of(n->in[k], i);
    op.out = result(i);
    if (v.slope >= 0) {
      op.what = Do::with_slope;
      op.slope = result(v.slope);
    }
    for (int k = 0; k < n->inputs; ++k) let_go_of(n->in[k], i);
    let_go(i);
    program_.code.push_back(op);
  }

  // ---- sinks

  void emit_sink(Node* n, const Value& v, int i) {
    const Reduced r = reduced(n);
    program_.blocking.admit(r);
    Node* x = n->in[0];
    const bool here =
        chain_ >= 0 && chain_dtype_ == n->dtype && mine(x) && r.whole() && r.kind == kernels::Reduction::sum;
    if (!here) close_chain();
    Instruction sink{here        ? Do::chain_sum
                     : r.whole() ? Do::fold_whole
                     : r.rows()  ? Do::fold_rows
                                 : Do::add_columns,
                     n->dtype, 1};
    if (here) {
      if (is_running(x)) --values_[running_].uses;
      else take(x, x);
      program_.scratch = std::max(program_.scratch, ++sums_);
      sink.step = static_cast<int>(program_.steps.size());
      step(kernels::Act::sum);
      program_.steps.back().y = sums_ * program_.scratch_bytes - gap;  // where no step writes
    } else if (x->dtype == n->dtype) {
      sink.in[0] = use(x, x, i);
    } else {
      Instruction cast{Do::cast, x->dtype, 1};
      cast.to = n->dtype;
      cast.in[0] = use(x, x, i);
      cast.out = sink.in[0] = {nullptr, 0, take_scratch()};
      program_.code.push_back(cast);
      free_.push_back(cast.out.scratch);
    }
    sink.op = n->op;
    sink.length = r.columns() ? r.inner : r.length;
    sink.out = {v.memory, item_size(n->dtype), -1};
    sink.sink = n;
    program_.code.push_back(sink);
    let_go_of(x, i);
    let_go(i);
  }

  void finish(int i) const {
    Node* n = nodes_[i];
    const Value& v = values_[i];
    const bool waited = n->waiting() && n->has(taped);
    if (v.alias) {
      if (v.stored) bind(n, nodes_[source(i)], nullptr, 0);
    } else if (v.memory) {
      n->data = v.memory;
    }
    if (waited) waits_no_more(t_, n);
    n->flags = (n->flags | computed) & ~unsigned{wanted};
    ++t_.evaluated;
  }

  std::vector<Node*>& stored_ = scratch_.stored;
};

}  // namespace

void write_program(ThreadState& t, Node* const* nodes, std::size_t count, Program& program, char* (*memory)(Node*)) {
  const Workspace<Scratch, Use::region> scratch(t);
  Builder(t, nodes, count, program, *scratch).build(memory);
}

void run_region(ThreadState& t, Node* const* nodes, std::size_t count) {
  const Workspace<Program, Use::program> program(t);
  const Workspace<Scratch, Use::region> scratch(t);
  Builder builder(t, nodes, count, *program, *scratch);
  try {
    builder.build();
    run(t, *program);
  } catch (...) {
    builder.undo();
    throw;
  }
  ++t.regions;
  builder.finish();
}

}  // namespace xgrad::engine
