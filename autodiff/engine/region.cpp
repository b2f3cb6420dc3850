#include "autodiff/engine/region.hpp"

#include <exception>

#include "autodiff/engine/compute.hpp"
#include "autodiff/engine/program.hpp"
#include "autodiff/engine/trees.hpp"

namespace xgrad::engine {

bool Blocking::admit(const Reduced& sink) {
  const auto chunks_of = [](Size length) { return chunk % length == 0 || length % chunk == 0; };
  if (sink.whole()) {
    if (row && !chunks_of(row)) return false;
    whole_ = true;
  } else if (sink.rows()) {
    if ((row && row != sink.length) || (columns && columns != sink.length)) return false;
    if (whole_ && !chunks_of(sink.length)) return false;
    row = sink.length;
  } else {
    constexpr Size most_columns = 16384;  // more: units too long to share among threads
    if (!sink.columns() || sink.inner > most_columns || sink.kind != kernels::Reduction::sum) return false;
    if ((columns && columns != sink.inner) || (row && row != sink.inner)) return false;
    columns = sink.inner;
  }
  return true;
}

namespace {

constexpr Size gap = 320;  // blocks a multiple of 4,096 bytes apart are slow: the processor mixes them up

struct Loaded {
  Node* node;
  const Shape* shape;
  int last;
  int scratch;
};
struct Scratch {
  std::vector<Value> values;
  std::vector<Loaded> loads;
  std::vector<int> free;
  std::vector<Node*> stored;
};

// Writes the program of a region.
class Builder : Values {
 public:
  Builder(Thread& t, Node* const* nodes, std::size_t count, Program& program, Scratch& scratch)
      : Values(t, nodes, count, scratch.values), program_(program), scratch_(scratch) {}

  void build(char* (*memory)(Node*) = nullptr) {
    look();
    begin();
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
    for (std::size_t i = 0; i < values_.size(); ++i)
      if (values_[i].memory && values_[i].memory != nodes_[i]->local && nodes_[i]->pool)
        give_buffer(values_[i].memory, nodes_[i]->pool), nodes_[i]->pool = 0;
  }

 private:
  bool is_running(const Node* n) const { return running_ >= 0 && mine(n) && source(place(n)) == running_; }

  void begin() {
    loads_.clear();
    free_.clear();
    stored_.clear();
    stored_.reserve(count_);
    program_.code.clear();
    program_.layouts.clear();
    program_.steps.clear();
    program_.scratch = 0;
    program_.blocking = {};
    Size item = 1;
    for (std::size_t i = 0; i < count_; ++i) {
      const Node* n = nodes_[i];
      item = std::max(item, item_size(n->dtype));
      for (int k = 0; k < n->inputs; ++k) item = std::max(item, item_size(n->in[k]->dtype));
      if (kind_of(n->op) != Kind::reduction) program_.count = n->count;
    }
    program_.scratch_bytes = chunk * item + gap;
  }

  void allocate_stored(char* (*memory)(Node*)) {
    for (std::size_t i = 0; i < count_; ++i)
      if (values_[i].stored && !values_[i].alias) values_[i].memory = memory ? memory(nodes_[i]) : allocate(nodes_[i]);
  }

  int take_scratch() {
    if (free_.empty()) return program_.scratch++;
    const int s = free_.back();
    free_.pop_back();
    return s;
  }

  // Where operand x of n is; a broadcast or strided one is loaded.
  Place operand(Node* x, Node* n, int at) {
    if (mine(x)) {
      const Value& v = values_[source(place(x))];
      if (v.memory) return {v.memory, item_size(x->dtype), -1};
      return {nullptr, 0, v.scratch};
    }
    if (is_number(x) && n->op != Op::cast) return {x->data, 0, -1};
    if (x->count == n->count && x->row_major()) return {x->data, item_size(x->dtype), -1};
    if (const Loaded* l = loaded(x, n)) return {nullptr, 0, l->scratch};
    const int scratch = take_scratch();
    loads_.push_back({x, &n->shape, last_load(x, n->shape, at), scratch});
    Instruction load{Do::load, x->dtype, 0};
    load.out.scratch = scratch;
    load.in[0].base = x->data;
    load.layout = static_cast<int>(program_.layouts.size());
    program_.layouts.push_back(broadcast_layout(x, n->shape));
    program_.code.push_back(load);
    return load.out;
  }
  const Loaded* loaded(const Node* x, const Node* n) const {
    for (const Loaded& l : loads_)
      if (l.node == x && *l.shape == n->shape) return &l;
    return nullptr;
  }
  bool needs_load(const Node* x, const Node* n) const {
    return !is_number(x) && !(x->count == n->count && x->row_major()) && !loaded(x, n);
  }
  int last_load(Node* x, const Shape& shape, int at) const {
    int last = at;
    for (std::size_t i = static_cast<std::size_t>(at); i < count_; ++i) {
      const Node* n = nodes_[i];
      if (values_[i].alias || kind_of(n->op) == Kind::reduction) continue;
      for (int k = 0; k < n->inputs; ++k)
        if (n->in[k] == x && n->shape == shape) last = std::max(last, values_[i].at);
    }
    return last;
  }

  void let_go(int at) {
    for (std::size_t k = 0; k < loads_.size();) {
      if (loads_[k].last <= at) {
        free_.push_back(loads_[k].scratch);
        loads_[k] = loads_.back();
        loads_.pop_back();
      } else {
        ++k;
      }
    }
  }
  void let_go_of(Node* x, int at) {
    if (!mine(x)) return;
    Value& v = values_[source(place(x))];
    if (v.last == at && v.scratch >= 0) {
      free_.push_back(v.scratch);
      v.last = -2;  // its scratch is given back once
    }
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
    const kernels::Table& table = *t_.kernels;
    op.kernel = n->op == Op::cast
                    ? table.cast[static_cast<int>(n->in[0]->dtype)][static_cast<int>(n->dtype)]
                    : kernels_of(table, n->op, op.dtype)[mask];
    // The result may take an operand's place where their elements are of one size.
    for (int k = 0; k < n->inputs; ++k)
      if (item_size(n->in[k]->dtype) == item_size(n->dtype)) let_go_of(n->in[k], i);
    op.out = result(i);
    if (v.slope >= 0) {
      op.what = Do::with_slope;
      op.with_slope = table.with_slope[static_cast<int>(lanes_of(n->op))][static_cast<int>(op.dtype)];
      op.slope = result(v.slope);
    }
    for (int k = 0; k < n->inputs; ++k) let_go_of(n->in[k], i);
    let_go(i);
    program_.code.push_back(op);
  }

  Place use(Node* x, Node* n, int at) {
    if (mine(x)) --values_[source(place(x))].uses;
    return operand(x, n, at);
  }

  // Where the value of node i goes.
  Place result(int i) {
    Value& v = values_[i];
    if (v.memory) return {v.memory, item_size(nodes_[i]->dtype), -1};
    v.scratch = take_scratch();
    if (v.last < 0) free_.push_back(v.scratch);
    return {nullptr, 0, v.scratch};
  }

  // ---- chains

  // Operands that are loaded are loaded before the chain.
  void load_operands(int i) {
    Node* n = nodes_[i];
    for (int k = 0; k < n->inputs; ++k) {
      if (mine(n->in[k])) {
        if (values_[place(n->in[k])].inner) load_operands(place(n->in[k]));
      } else if (needs_load(n->in[k], n)) {
        close_chain();
        operand(n->in[k], n, values_[i].at);
      }
    }
  }

  void emit_tree(int i) {
    Node* n = nodes_[i];
    load_operands(i);
    if (chain_ >= 0 && chain_dtype_ != n->dtype) close_chain();
    open_chain(n->dtype);
    compute(i);
    running_ = i;
    saved_ = false;
    if (values_[i].memory) save();
    let_go_of_tree(i, i);
    let_go(i);
  }

  // Makes the running value that of node i.
  void compute(int i) {
    Node* n = nodes_[i];
    Node *a = n->in[0], *b = n->in[1];
    const Acts& acts = acts_of(n->op);
    if (n->inputs == 1) return take(a, n), step(acts.straight);
    bool reversed = false;
    const auto swap = [&] { std::swap(a, b), reversed = !reversed; };
    const bool products = acts.product != kernels::Act::none;
    if (products && !is_product(b) && is_product(a)) swap();
    if (products && is_product(b)) {
      Node *x = b->in[0], *y = b->op == Op::square ? x : b->in[1];
      if (is_number(x)) std::swap(x, y);
      take(a, n);
      const Place at_x = use(x, b, values_[i].at);
      return step(reversed ? acts.product_reversed : acts.product, at_x, y == x ? at_x : use(y, b, values_[i].at));
    }
    if (is_inner(b)) {
      if (is_inner(a)) {
        compute(place(b));
        const Place kept{nullptr, 0, take_scratch()};
        program_.steps.back().store(located(kept));
        compute(place(a));
        step(reversed ? acts.reversed : acts.straight, kept);
        return free_.push_back(kept.scratch);
      }
      swap();
    } else if (!is_inner(a) && (is_running(b) || (is_number(a) && !mine(a)))) {
      swap();
    }
    take(a, n);
    step(reversed ? acts.reversed : acts.straight, use(b, n, values_[i].at));
  }

  // The next step begins with x.
  void take(Node* x, Node* n) {
    if (is_inner(x)) return compute(place(x));
    if (is_running(x)) --values_[running_].uses;
    else first_ = located(use(x, n, values_[place(n)].at));
    // The running value goes: it is stored where it will be used again.
    if (running_ >= 0 && !saved_ && values_[running_].uses > 0) save();
    running_ = -1;
  }
  void save() {
    program_.steps.back().store(located(result(running_)));
    saved_ = true;
  }

  kernels::Spot located(const Place& p) const {
    using kernels::From;
    if (p.scratch >= 0) return {From::scratch, p.scratch * program_.scratch_bytes};
    return {!p.base ? From::none : p.step == 0 ? From::number : From::memory, reinterpret_cast<std::intptr_t>(p.base)};
  }
  void step(kernels::Act act, const Place& x = {}, const Place& y = {}) {
    program_.steps.emplace_back(act, first_, located(x), located(y), kernels::Spot{});
    first_ = {};
  }

  void open_chain(DType dtype) {
    if (chain_ >= 0) return;
    chain_ = static_cast<int>(program_.steps.size());
    chain_dtype_ = dtype;
    running_ = -1;
    sums_ = 0;
  }
  void close_chain() {
    if (chain_ < 0) return;
    if (running_ >= 0 && !saved_ && values_[running_].uses > 0) save();
    step(kernels::Act::end);
    Instruction chain{Do::chain, chain_dtype_, 0};
    chain.step = chain_;
    program_.code.push_back(chain);
    chain_ = -1;
  }

  void let_go_of_tree(int i, int at) {
    for (int k = 0; k < nodes_[i]->inputs; ++k) {
      Node* x = nodes_[i]->in[k];
      if (is_inner(x)) let_go_of_tree(place(x), at);
      else let_go_of(x, at);
    }
  }

  // ---- sinks

  void emit_sink(Node* n, const Value& v, int i) {
    const Reduced r = reduced(n);
    program_.blocking.admit(r);
    Node* x = n->in[0];
    const bool here = chain_ >= 0 && chain_dtype_ == n->dtype && mine(x) && r.whole() && r.kind == kernels::Reduction::sum;
    if (!here) close_chain();
    Instruction sink{here        ? Do::chain_sum
                     : r.whole() ? Do::fold_whole
                     : r.rows()  ? Do::fold_rows
                                 : Do::add_columns, n->dtype, 1};
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
      cast.kernel = t_.kernels->cast[static_cast<int>(x->dtype)][static_cast<int>(n->dtype)];
      cast.in[0] = use(x, x, i);
      cast.out = sink.in[0] = {nullptr, 0, take_scratch()};
      program_.code.push_back(cast);
      free_.push_back(cast.out.scratch);
    }
    sink.fold = folding(t_, r.kind, n->dtype);
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

  Program& program_;
  Scratch& scratch_;
  std::vector<Loaded>& loads_ = scratch_.loads;
  std::vector<int>& free_ = scratch_.free;
  std::vector<Node*>& stored_ = scratch_.stored;
  // The chain that is being written.
  int chain_ = -1;  // its first step; -1: none
  DType chain_dtype_ = DType::f32;
  kernels::Spot first_;  // what the next step begins with, if not the running value
  int running_ = -1;    // the node that the running value is of; -1: none that is needed
  bool saved_ = false;  // it lies elsewhere, too
  int sums_ = 0;        // of the chain
};

}  // namespace

void write_program(Thread& t, Node* const* nodes, std::size_t count, Program& program, char* (*memory)(Node*)) {
  const Workspace<Scratch, Kept::region> scratch(t);
  Builder(t, nodes, count, program, *scratch).build(memory);
}

void run_region(Thread& t, Node* const* nodes, std::size_t count) {
  const Workspace<Program, Kept::program> program(t);
  const Workspace<Scratch, Kept::region> scratch(t);
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
