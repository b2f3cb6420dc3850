#include <xgrad/autodiff/fused.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <vector>

#include "autodiff/engine/machine_code.hpp"
#include "autodiff/engine/program.hpp"
#include "autodiff/engine/walk.hpp"
#include "autodiff/ops/rules.hpp"

namespace xgrad {

using engine::Instruction;
using engine::kind_of;
using engine::Node;
using engine::Op;
using engine::Place;
using engine::Program;

namespace {

// An address that says which operand is meant: of what it holds before, or of what it is to hold.
constexpr std::intptr_t tag_step = 4096;
char* tag(int operand, bool result) { return reinterpret_cast<char*>((2 * operand + result + 1) * tag_step); }
int tagged(std::intptr_t address) {  // 2 operand + result; -1: it is a real one
  return address % tag_step == 0 && address > 0 && address <= 512 * tag_step ? static_cast<int>(address / tag_step) - 1
                                                                             : -1;
}

// A field of a program that is an address of an operand.
struct Field {
  bool of_step;
  std::size_t offset;  // bytes, from the first instruction or step
  int operand;
};

// A place in memory that a program reads or writes: of an instruction, or of a step of a chain.
struct Address {
  Place* place;  // null: of a step
  kernels::ChainStep* step;
  std::intptr_t kernels::ChainStep::*field;
  int at;  // of the step's form
  bool writes;

  std::intptr_t get() const { return place ? reinterpret_cast<std::intptr_t>(place->base) : step->*field; }
  const void* where() const { return place ? static_cast<const void*>(&place->base) : &(step->*field); }
  void move_to_scratch(int block, Size bytes) const {  // of so many bytes
    if (place) {
      *place = {nullptr, 0, block};
      return;
    }
    const auto form = [&](kernels::From from) { return static_cast<std::uint64_t>(from) << (8 * at); };
    step->form ^= form(kernels::From::memory) ^ form(kernels::From::scratch);
    step->*field = block * bytes;
  }
};

// f(address) for each place in memory, in the order in which a block meets them.
template <class F>
void each_address(Program& p, const F& f) {
  using kernels::ChainStep;
  constexpr std::intptr_t ChainStep::*fields[] = {&ChainStep::first, &ChainStep::x, &ChainStep::y, &ChainStep::out};
  for (Instruction& op : p.code) {
    if (op.what == engine::Do::chain) {
      for (ChainStep* s = &p.steps[static_cast<std::size_t>(op.step)];; ++s) {
        for (int at = 1; at <= 4; ++at)
          if (static_cast<kernels::From>(s->form >> (8 * at) & 255) == kernels::From::memory)
            f(Address{nullptr, s, fields[at - 1], at, at == 4});
        if (s->act() == kernels::Act::end) break;
      }
      continue;
    }
    for (int k = 0; k < op.operands; ++k)
      if (op.in[k].step) f(Address{&op.in[k], nullptr, nullptr, 0, false});
    for (Place* out : {&op.out, &op.slope})
      if (out->step) f(Address{out, nullptr, nullptr, 0, true});
  }
}

}  // namespace

struct Fused::Recorded {
  int operands;
  DType dtype;
  std::vector<bool> changed;
  std::unique_ptr<engine::MachineCode> code;  // of this formula
  engine::Formula formula;
  // where there is none:
  Tensors held;  // the trace: numbers of it are read where they lie
  Program program;
  std::vector<Field> fields;
};

namespace {

struct Trace {
  Tensors operands, results;
  std::vector<Node*> nodes;  // in order of recording
};

// What a rule may not do, seen after it has been recorded.
void check(const Trace& trace, std::size_t i, DType dtype, const char* what, Source source) {
  const Tensor& y = trace.results[i];
  if (!y.defined()) fail(source.named(what), "the formula left operand {} empty", i);
  const Node* n = y.node();
  if (n->dtype != dtype || !(n->shape == trace.operands[i].node()->shape))
    fail(Source{n->file, n->line}.named(what),
         "says that it is elementwise, but what operand {} becomes is {} {}, not of the operand's shape and dtype; "
         "leave out `elementwise` where a formula is of whole tensors",
         i, name(n->dtype), n->shape);
}
void check_ops(const Trace& trace, const char* what) {
  const Node* odd = nullptr;  // the latest: what the user wrote, and not what that is made of
  for (const Node* n : trace.nodes) {
    const bool is_elementwise = kind_of(n->op) == engine::Kind::elementwise;
    if (is_elementwise && n->shape == trace.operands[0].node()->shape) continue;
    if (!odd || !is_elementwise) odd = n;
  }
  if (odd)
    fail(Source{odd->file, odd->line}.named(what),
         "says that it is elementwise, but {} is not: it looks at a whole tensor; leave out "
         "`elementwise`",
         engine::written_name(odd));
  for (Node* n : trace.nodes)
    for (int k = 0; k < n->inputs; ++k)
      if (const Node* x = n->in[k]; !x->has(engine::traced) && !is_number(x))
        fail(Source{n->file, n->line}.named(what),
             "says that it is elementwise, but {} has an operand {} of its own; keep it as state "
             "(a slot), or leave out `elementwise`",
             engine::written_name(n), x->shape);
}

// The formula on placeholders of `count` elements. Its results are nodes of their own, each of one operand.
Trace trace_of(const Callable<void(Tensors&)>& f, int operands, DType dtype, Size count, const char* what,
               Source source) {
  engine::ThreadState& t = engine::current();
  const NoGrad constant;
  Trace trace;
  for (int k = 0; k < operands; ++k) {
    Node* n = engine::new_node(Op::leaf, dtype, Shape{count}, source);
    trace.operands.push_back(Tensor::adopt(n));
    n->flags |= engine::traced;
  }
  trace.results = trace.operands;
  {
    const engine::TracedBy scope(t, what);
    const engine::UsersOwn users(t, true);
    f(trace.results);
  }
  if (trace.results.size() != trace.operands.size())
    fail(source.named(what), "the formula changed the number of its operands");
  const Tensor always = trace.operands[0] == trace.operands[0];
  std::vector<const Node*> taken;
  for (std::size_t i = 0; i < trace.results.size(); ++i) {
    Tensor& y = trace.results[i];
    check(trace, i, dtype, what, source);
    if (y.node() == trace.operands[i].node()) continue;
    // another operand, a constant, or what another operand becomes, too: a copy
    const bool own = y.node()->has(engine::traced) && y.node()->op != Op::leaf &&
                     std::find(taken.begin(), taken.end(), y.node()) == taken.end();
    if (!own) y = where(always, y, y);
    taken.push_back(y.node());
  }
  std::vector<Node*> roots;
  for (const Tensor& y : trace.results) roots.push_back(y.node());
  engine::walk(
      t, roots.data(), roots.size(), [](const Node* n) { return n->has(engine::traced) && n->op != Op::leaf; },
      trace.nodes);
  std::reverse(trace.nodes.begin(), trace.nodes.end());
  check_ops(trace, what);
  return trace;
}

constexpr Size some = 1025, others = 1531;  // elements of placeholders: more than are computed as they are recorded

// Does the formula know how many elements there are?
void check_sizes(const Trace& a, const Callable<void(Tensors&)>& f, DType dtype, const char* what, Source source) {
  const Trace b = trace_of(f, static_cast<int>(a.operands.size()), dtype, others, what, source);
  bool same = a.nodes.size() == b.nodes.size();
  for (std::size_t i = 0; same && i < a.nodes.size(); ++i) {
    const Node *x = a.nodes[i], *y = b.nodes[i];
    same = x->op == y->op && x->inputs == y->inputs;
    for (int k = 0; same && k < x->inputs; ++k)
      if (const Node* p = x->in[k], *q = y->in[k]; p->data || q->data)
        same = p->data && q->data && p->dtype == q->dtype &&
               std::memcmp(p->data, q->data, static_cast<std::size_t>(item_size(p->dtype))) == 0;
  }
  if (!same)
    fail(source.named(what),
         "says that it is elementwise, but its numbers depend on the shape of the parameter; leave out "
         "`elementwise`");
}

// The trace without its nodes. None where it has operands of dtypes that machine code does not know.
std::optional<engine::Formula> formula_of(const Trace& trace, DType dtype) {
  engine::Formula f{dtype, static_cast<int>(trace.operands.size()), {}, {}, {}};
  for (std::size_t k = 0; k < trace.operands.size(); ++k) trace.operands[k].node()->slot = -1 - static_cast<int>(k);
  for (Node* n : trace.nodes) {
    n->slot = static_cast<std::int32_t>(f.lines.size());
    engine::Formula::Line line{n->op, static_cast<std::uint8_t>(n->inputs), {}};
    const bool of_booleans = n->op == Op::logical_and || n->op == Op::logical_or || n->op == Op::logical_not;
    for (int k = 0; k < n->inputs; ++k) {
      const Node* x = n->in[k];
      const bool a_mask = of_booleans || (n->op == Op::where && k == 0);
      if (x->dtype != (a_mask ? DType::boolean : dtype) || (a_mask && !x->has(engine::traced))) return {};
      if (x->has(engine::traced)) {
        line.in[k] = x->slot;
        continue;
      }
      line.in[k] = engine::Formula::first_number + static_cast<int>(f.numbers.size());
      f.numbers.push_back(dtype == DType::f32 ? static_cast<double>(*x->data.as<float>()) : *x->data.as<double>());
    }
    f.lines.push_back(line);
  }
  for (std::size_t k = 0; k < trace.results.size(); ++k) f.results.push_back(trace.results[k].node()->slot);
  return f;
}

}  // namespace

Fused::Fused(const Callable<void(Tensors&)>& f, int operands, DType dtype, const char* what, Source source) try
    : recorded_(new Recorded{operands, dtype, {}, nullptr, {}, {}, {}, {}}) {
  Trace trace = trace_of(f, operands, dtype, some, what, source);
  check_sizes(trace, f, dtype, what, source);
  Recorded& r = *recorded_;
  r.changed.resize(static_cast<std::size_t>(operands));
  for (int k = 0; k < operands; ++k)
    r.changed[static_cast<std::size_t>(k)] = trace.operands[k].node() != trace.results[k].node();
  if (std::optional<engine::Formula> formula = formula_of(trace, dtype)) {
    r.code = engine::MachineCode::of(*formula);
    r.formula = std::move(*formula);
    if (r.code) return;
  }
  for (int k = 0; k < operands; ++k) {
    Node *x = trace.operands[k].node(), *y = trace.results[k].node();
    if (x != y) y->flags |= engine::wanted, y->slot = 2 * k + 2;  // see the tags
  }
  struct Tags {  // operands are there while the program is written
    const Tensors& operands;
    explicit Tags(const Tensors& list) : operands(list) {
      for (std::size_t k = 0; k < list.size(); ++k) list[k].node()->data = tag(static_cast<int>(k), false);
    }
    ~Tags() {
      for (const Tensor& x : operands) x.node()->data = nullptr;
    }
  };
  {
    const Tags tags(trace.operands);
    if (!trace.nodes.empty())
      engine::write_program(engine::current(), trace.nodes.data(), trace.nodes.size(), r.program,
                            [](Node* n) { return reinterpret_cast<char*>(n->slot * tag_step); });
  }

  // An operand that is read after it has got its new value gets that at the end of the block.
  std::vector<bool> written(static_cast<std::size_t>(operands)), late(static_cast<std::size_t>(operands));
  each_address(r.program, [&](const Address& address) {
    const int which = tagged(address.get());
    if (which < 0) return;
    const auto k = static_cast<std::size_t>(which / 2);
    if (address.writes) written[k] = true;
    else if (which % 2 == 0 && written[k]) late[k] = true;
  });
  std::vector<int> scratch(static_cast<std::size_t>(operands), -1);
  for (std::size_t k = 0; k < late.size(); ++k)
    if (late[k]) scratch[k] = r.program.scratch++;
  each_address(r.program, [&](const Address& address) {
    const int which = tagged(address.get());
    if (which < 0 || which % 2 == 0) return;
    if (const int to = scratch[static_cast<std::size_t>(which / 2)]; to >= 0)
      address.move_to_scratch(to, r.program.scratch_bytes);
  });
  for (int k = 0; k < operands; ++k) {
    const int from = scratch[static_cast<std::size_t>(k)];
    if (from < 0) continue;
    Instruction copy{engine::Do::cast, dtype, 1};
    copy.in[0] = {nullptr, 0, from};
    copy.out = {tag(k, true), item_size(dtype), -1};
    r.program.code.push_back(copy);
  }
  each_address(r.program, [&](const Address& address) {
    const int which = tagged(address.get());
    if (which < 0) return;
    const void* first = address.place ? static_cast<const void*>(r.program.code.data()) : r.program.steps.data();
    r.fields.push_back(
        {!address.place,
         static_cast<std::size_t>(static_cast<const char*>(address.where()) - static_cast<const char*>(first)),
         which / 2});
  });
  engine::find_code(r.program, std::numeric_limits<Size>::max() / (Size(1) << 20));  // it will be run again and again
  r.held = std::move(trace.operands);
  for (Tensor& y : trace.results) r.held.push_back(std::move(y));
} catch (const std::bad_alloc&) {
  fail_no_memory(source, what);
}
Fused::Fused(Fused&&) noexcept = default;
Fused& Fused::operator=(Fused&&) noexcept = default;
Fused::~Fused() = default;

void Fused::renew(const Callable<void(Tensors&)>& f, const char* what, Source source) try {
  Recorded& r = *recorded_;
  if (r.code) {
    const std::optional<engine::Formula> now =
        formula_of(trace_of(f, r.operands, r.dtype, some, what, source), r.dtype);
    if (now && r.formula.same_but_numbers(*now)) return r.code->set_numbers(now->numbers);
  }
  *this = Fused(f, r.operands, r.dtype, what, source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, what);
}

bool Fused::changes(int operand) const { return recorded_->changed[static_cast<std::size_t>(operand)]; }

struct Fused::Worker::State {
  const engine::MachineCode* code;
  Program program;  // its own, as addresses are written into it
  const std::vector<Field>& fields;
  char* scratch = nullptr;

  explicit State(const Recorded& r) : code(r.code.get()), program(r.program), fields(r.fields) {
    if (code) return;
    const auto bytes = static_cast<std::size_t>(program.scratch * program.scratch_bytes + 4095) / 4096 * 4096;
    scratch = static_cast<char*>(std::aligned_alloc(64, std::max<std::size_t>(bytes, 4096)));
    if (!scratch) throw std::bad_alloc();
  }
  State(const State&) = delete;
  ~State() { std::free(scratch); }
};

Fused::Worker::Worker(const Fused& fused) : state_(new State(*fused.recorded_)) {}
Fused::Worker::Worker(Worker&&) noexcept = default;
Fused::Worker::~Worker() = default;

void Fused::Worker::operator()(char* const* base, Size begin, Size end) {
  State& s = *state_;
  if (s.code) return (*s.code)(base, begin, end);
  char* const code = reinterpret_cast<char*>(s.program.code.data());
  char* const steps = reinterpret_cast<char*>(s.program.steps.data());
  for (const Field& f : s.fields) std::memcpy((f.of_step ? steps : code) + f.offset, base + f.operand, sizeof(char*));
  engine::run_blocks(s.program, begin, end, s.scratch);
}

}  // namespace xgrad
