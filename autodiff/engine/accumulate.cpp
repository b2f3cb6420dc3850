#include "autodiff/engine/accumulate.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "autodiff/engine/evaluate.hpp"
#include "autodiff/engine/history.hpp"
#include "autodiff/engine/record.hpp"
#include <xgrad/autodiff/ops.hpp>

namespace xgrad::engine {

namespace {

struct Addend {
  Variable* v;
  Tensor g;  // empty: zero, or rows
  RowGradient rows = {};
};
struct Sums {
  std::vector<Addend> parts;  // as they come: of two values of one variable, two
  std::vector<Addend> list;  // of each variable that is ours one: its gradient, and once that is stored, the one before
  std::vector<Node*> targets;
};

// Each variable is one thread's from before its gradient is read until the sum is stored.
class Accumulation {
 public:
  Accumulation(ThreadState& t, bool create_graph, Source source)
      : t_(t),
        source_(source),
        no_grad_(std::exchange(t.no_grad, !create_graph)),
        cut_as_(std::exchange(t.cut_as, cut_sweep)),
        create_graph_(create_graph),
        room_(t) {}
  ~Accumulation() {
    t_.no_grad = no_grad_;
    t_.cut_as = cut_as_;
    give_back();
    sums().parts.clear();
  }
  Accumulation(const Accumulation&) = delete;

  void add(Variable* v, Tensor g, RowGradient rows) { sums().parts.push_back({v, std::move(g), std::move(rows)}); }

  void run(Node* y) {
    if (!take_all()) {
      evaluate_with(y, sums().parts);  // while others have them
      wait_for_all();
    }
    for (Addend& p : sums().parts) sum(p);
    evaluate_with(y, sums().list);
    for (Addend& s : sums().list) {
      std::swap(s.v->grad, s.g);
      std::swap(s.v->rows, s.rows);
    }
  }

 private:
  Sums& sums() { return *room_; }

  bool take(Variable* v) {
    ThreadState* nobody = nullptr;
    if (v->adding.load(std::memory_order_relaxed) == &t_) return true;
    sums().list.push_back({v, {}});  // first: there may be no memory for it
    if (!v->adding.compare_exchange_strong(nobody, &t_, std::memory_order_acquire, std::memory_order_relaxed)) {
      sums().list.pop_back();
      return false;
    }
    v->sum = sums().list.size() - 1;
    return true;
  }
  bool take_all() {
    for (const Addend& p : sums().parts)
      if (!take(p.v)) return give_back(), false;
    return true;
  }
  // In order of their addresses, so that no two wait for each other.
  void wait_for_all() {
    std::vector<Variable*> in_order;
    for (const Addend& p : sums().parts) in_order.push_back(p.v);
    std::sort(in_order.begin(), in_order.end());
    for (Variable* v : in_order)
      for (int tries = 0; !take(v); ++tries) {
        if (tries < 16) std::this_thread::yield();
        else std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
  }
  void give_back() {
    for (const Addend& s : sums().list) s.v->adding.store(nullptr, std::memory_order_release);
    sums().list.clear();
  }

  void sum(Addend& p) {
    Variable* v = p.v;
    Tensor& g = p.g;
    Addend& total = sums().list[v->sum];
    Tensor& so_far = total.g;
    if (!so_far.defined() && !total.rows.index.defined()) {
      total.rows = v->rows;
      if (!total.rows.index.defined()) so_far = v->grad;
    }
    const auto dense = [&](const RowGradient& rows) { return dense_rows(rows, v->leaf.node()->shape, source_); };
    if (p.rows.index.defined()) {
      if (so_far.defined()) so_far = so_far + dense(p.rows);
      else total.rows = total.rows.index.defined() ? engine::sum(total.rows, p.rows) : std::move(p.rows);
      return;
    }
    if (total.rows.index.defined()) {
      if (!g.defined()) return;
      so_far = dense(std::exchange(total.rows, {}));
    }
    if (so_far.defined() && g.defined()) so_far = so_far + g;
    else if (g.defined()) so_far = create_graph_ || !g.requires_grad() ? g : without_history(g.node(), cut_sweep);
    else if (!so_far.defined()) so_far = zeros_like(v->leaf);
  }

  void evaluate_with(Node* y, const std::vector<Addend>& list) {
    std::vector<Node*>& targets = sums().targets;
    targets.clear();
    targets.push_back(y);
    for (const Addend& s : list) {
      if (s.g.defined()) targets.push_back(s.g.node());
      if (s.rows.values.defined()) targets.push_back(s.rows.values.node());
    }
    evaluate(t_, targets.data(), targets.size());
  }

  ThreadState& t_;
  const Source source_;
  const bool no_grad_;
  const unsigned cut_as_;
  const bool create_graph_;
  const Workspace<Sums, Use::sums> room_;
};

}  // namespace

void accumulate(ThreadState& t, Node* y, Sweep& sweep, bool create_graph, Source source) {
  const Located at(source);
  Accumulation sums(t, create_graph, source);
  for (Sweep::Entry& e : sweep.leaves())
    if (Variable* v = e.n->variable; v && alive(v))
      sums.add(v, std::move(e.g), e.rows >= 0 ? std::move(sweep.rows(e)) : RowGradient{});
  sums.run(y);
}

}  // namespace xgrad::engine
