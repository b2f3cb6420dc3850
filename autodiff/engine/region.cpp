#include "autodiff/engine/region.hpp"

#include "autodiff/engine/compute.hpp"
#include "autodiff/engine/program.hpp"

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

// Writes the program of a region.
class Builder {
 public:
  Builder(Thread& t, Node* const* nodes, std::size_t count, Program& program)
      : t_(t), nodes_(nodes), count_(count), program_(program), scratch_(kept<Scratch, Kept::region>(t)) {}

  void build() {
    number();
    fuse();
    find_last_uses();
    allocate_stored();
    for (std::size_t i = 0; i < count_; ++i) emit(static_cast<int>(i));
  }
  void finish() const {
    for (std::size_t i = 0; i < count_; ++i) finish(static_cast<int>(i));
    for (std::size_t i = 0; i < count_; ++i)
      if (values_[i].stored) stored_.push_back(nodes_[i]);
    for (Node* n : stored_) settle(t_, n);  // the oldest first: it may be all that holds what was visited before it
  }
  void undo() const {
    for (std::size_t i = 0; i < count_; ++i)
      if (values_[i].memory && values_[i].memory != nodes_[i]->local && nodes_[i]->pool)
        give_buffer(values_[i].memory, nodes_[i]->pool), nodes_[i]->pool = 0;
  }

 private:
  struct Value {
    bool stored = false;
    bool alias = false;   // a reshape: the numbers of its input
    bool inner = false;   // computed by the instruction of its one use
    int with = -1;        // the node whose op runs inside this one's instruction
    int with_slot = 0;    // as which of its inputs
    int last = -1;        // position of the last use
    int scratch = -1;
    char* memory = nullptr;
  };
  struct Loaded {
    Node* node;
    const Shape* shape;
    int last;
    int scratch;
  };

  bool mine(const Node* n) const { return n->data == nullptr && n->mark == id_; }
  int place(const Node* n) const { return n->place; }
  int source(int i) const {  // through reshapes
    while (values_[i].alias) i = place(nodes_[i]->in[0]);
    return i;
  }

  void number() {
    id_ = ++t_.walks;
    values_.assign(count_, {});
    loads_.clear();
    free_.clear();
    stored_.clear();
    program_.code.clear();
    program_.layouts.clear();
    program_.scratch = 0;
    program_.blocking = {};
    Size item = 1;
    for (std::size_t i = 0; i < count_; ++i) {
      Node* n = nodes_[i];
      n->mark = id_;
      n->place = static_cast<std::int32_t>(i);
      n->users = 0;
      values_[i].alias = n->op == Op::reshape;
      item = std::max(item, item_size(n->dtype));
      for (int k = 0; k < n->inputs; ++k) {
        if (mine(n->in[k])) ++n->in[k]->users;
        item = std::max(item, item_size(n->in[k]->dtype));
      }
    }
    program_.scratch_bytes = chunk * item + 320;  // blocks a multiple of 4,096 bytes apart are slow: the processor mixes them up
    for (std::size_t i = count_; i-- > 0;) {
      Node* n = nodes_[i];
      Value& v = values_[i];
      v.stored |= held_beside(n, n->users) || n->has(wanted) || n->has(computed) || kind_of(n->op) == Kind::reduction;
      if (v.alias && v.stored) values_[source(static_cast<int>(i))].stored = true;
      if (kind_of(n->op) != Kind::reduction) program_.count = n->count;
    }
  }

  // u = x op y of one use, right before z = u op w: one instruction for both.
  void fuse() {
    for (std::size_t i = 0; i < count_; ++i) {
      Node* n = nodes_[i];
      if (!is_float(n->dtype) || (n->op != Op::add && n->op != Op::sub && n->op != Op::mul)) continue;
      for (int k = 0; k < 2; ++k) {
        Node* u = n->in[k];
        if (!mine(u) || u->users != 1 || u->dtype != n->dtype) continue;
        if (u->op != Op::add && u->op != Op::sub && u->op != Op::mul && u->op != Op::square) continue;
        Value& inner = values_[place(u)];
        if (inner.stored || inner.with >= 0) continue;
        inner.inner = true;
        values_[i].with = place(u);
        values_[i].with_slot = k;
        break;
      }
    }
  }

  void find_last_uses() {
    const auto use = [&](Node* n, int at) {
      if (mine(n)) values_[source(place(n))].last = at;
    };
    for (std::size_t i = 0; i < count_; ++i) {
      if (values_[i].inner || values_[i].alias) continue;
      const int at = static_cast<int>(i);
      Node* n = nodes_[i];
      for (int k = 0; k < n->inputs; ++k)
        if (values_[i].with < 0 || k != values_[i].with_slot) use(n->in[k], at);
      if (values_[i].with >= 0) {
        Node* u = nodes_[values_[i].with];
        for (int k = 0; k < u->inputs; ++k) use(u->in[k], at);
      }
    }
  }

  void allocate_stored() {
    for (std::size_t i = 0; i < count_; ++i)
      if (values_[i].stored && !values_[i].alias) values_[i].memory = allocate(nodes_[i]);
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
    for (Loaded& l : loads_)
      if (l.node == x && *l.shape == n->shape) return {nullptr, 0, l.scratch};
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
  int last_load(Node* x, const Shape& shape, int at) const {
    int last = at;
    for (std::size_t i = static_cast<std::size_t>(at); i < count_; ++i) {
      const Node* n = nodes_[i];
      if (values_[i].alias || kind_of(n->op) == Kind::reduction) continue;
      for (int k = 0; k < n->inputs; ++k)
        if (n->in[k] == x && n->shape == shape) last = std::max(last, uses_at(static_cast<int>(i)));
    }
    return last;
  }
  int uses_at(int i) const {  // the position of the instruction that does node i
    if (!values_[i].inner) return i;
    for (std::size_t k = static_cast<std::size_t>(i) + 1; k < count_; ++k)
      if (values_[k].with == i) return static_cast<int>(k);
    return i;
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
    if (v.alias || v.inner) return;
    if (kind_of(n->op) == Kind::reduction) return emit_sink(n, v, i);
    Instruction op{n->op == Op::cast ? Do::cast : Do::kernel, operand_dtype(n), 0};
    Node* in[3] = {};
    int used = 0;
    if (v.with >= 0) {
      Node* u = nodes_[v.with];
      in[used++] = u->in[0];
      in[used++] = u->op == Op::square ? u->in[0] : u->in[1];
      in[used++] = n->in[1 - v.with_slot];
      for (int k = 0; k < 3; ++k) op.in[k] = operand(in[k], k < 2 ? u : n, i);
    } else {
      for (; used < n->inputs; ++used) {
        in[used] = n->in[used];
        op.in[used] = operand(in[used], n, i);
      }
    }
    op.operands = static_cast<std::uint8_t>(used);
    int mask = 0;
    for (int k = 0; k < used; ++k)
      if (op.in[k].scratch < 0 && op.in[k].step == 0) mask |= 1 << k;
    op.kernel = pick_kernel(n, v, mask);
    // The result may take an operand's place where their elements are of one size.
    for (int k = 0; k < used; ++k)
      if (item_size(in[k]->dtype) == item_size(n->dtype)) let_go_of(in[k], i);
    if (v.memory) {
      op.out = {v.memory, item_size(n->dtype), -1};
    } else {
      v.scratch = take_scratch();
      op.out.scratch = v.scratch;
      if (v.last < 0) free_.push_back(v.scratch);
    }
    for (int k = 0; k < used; ++k) let_go_of(in[k], i);
    let_go(i);
    program_.code.push_back(op);
  }

  kernels::Kernel pick_kernel(Node* n, const Value& v, int mask) const {
    const kernels::Table& k = *t_.kernels;
    if (n->op == Op::cast) return k.cast[static_cast<int>(n->in[0]->dtype)][static_cast<int>(n->dtype)];
    if (v.with < 0) return k.elementwise[static_cast<int>(n->op) - 1][static_cast<int>(operand_dtype(n))][mask];
    using kernels::Inner, kernels::Outer;
    const Op u = nodes_[v.with]->op;
    const Inner inner = u == Op::add ? Inner::add : u == Op::sub ? Inner::sub : Inner::mul;
    const Outer outer = n->op == Op::add   ? Outer::add
                        : n->op == Op::mul ? Outer::mul
                                           : (v.with_slot == 0 ? Outer::sub : Outer::rsub);
    return k.fused[static_cast<int>(inner)][static_cast<int>(outer)][n->dtype == DType::f64][mask];
  }

  void emit_sink(Node* n, const Value& v, int i) {
    const Reduced r = reduced(n);
    program_.blocking.admit(r);
    Instruction sink{r.whole() ? Do::fold_whole : r.rows() ? Do::fold_rows : Do::add_columns, n->dtype, 1};
    sink.in[0] = operand(n->in[0], n->in[0], i);
    sink.fold = folding(t_, r.kind, n->dtype);
    sink.length = r.columns() ? r.inner : r.length;
    sink.out = {v.memory, item_size(n->dtype), -1};
    sink.sink = n;
    program_.code.push_back(sink);
    let_go_of(n->in[0], i);
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

  Thread& t_;
  Node* const* nodes_;
  const std::size_t count_;
  Program& program_;
  std::uint32_t id_ = 0;
  struct Scratch {
    std::vector<Value> values;
    std::vector<Loaded> loads;
    std::vector<int> free;
    std::vector<Node*> stored;
  };
  Scratch& scratch_;
  std::vector<Value>& values_ = scratch_.values;
  std::vector<Loaded>& loads_ = scratch_.loads;
  std::vector<int>& free_ = scratch_.free;
  std::vector<Node*>& stored_ = scratch_.stored;
};

}  // namespace

void run_region(Thread& t, Node* const* nodes, std::size_t count) {
  Program& program = kept<Program, Kept::program>(t);
  Builder builder(t, nodes, count, program);
  try {
    builder.build();
    run(t, program);
  } catch (...) {
    builder.undo();
    throw;
  }
  ++t.regions;
  builder.finish();
}

}  // namespace xgrad::engine
