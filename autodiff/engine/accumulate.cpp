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

struct Part {
  Variable* v;
  Tensor g;  // empty: zero
};
struct Sums {
  std::vector<Part> parts;  // as they come: of two values of one variable, two
  std::vector<Part> list;   // of each variable that is ours one: its gradient, and once that is stored, the one before
  std::vector<Node*> targets;
};

// Each variable is one thread's from before its gradient is read until the sum is stored.
class Accumulation {
 public:
  Accumulation(Thread& t, bool create_graph)
      : t_(t),
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

  void add(Variable* v, Tensor g) { sums().parts.push_back({v, std::move(g)}); }

  void run(Node* y) {
    if (!take_all()) {
      evaluate_with(y, sums().parts);  // while others have them
      wait_for_all();
    }
    for (Part& p : sums().parts) sum(p.v, std::move(p.g));
    evaluate_with(y, sums().list);
    for (Part& s : sums().list) std::swap(s.v->grad, s.g);
  }

 private:
  Sums& sums() { return *room_; }

  bool take(Variable* v) {
    Thread* nobody = nullptr;
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
    for (const Part& p : sums().parts)
      if (!take(p.v)) return give_back(), false;
    return true;
  }
  // In order of their addresses, so that no two wait for each other.
  void wait_for_all() {
    std::vector<Variable*> in_order;
    for (const Part& p : sums().parts) in_order.push_back(p.v);
    std::sort(in_order.begin(), in_order.end());
    for (Variable* v : in_order)
      for (int tries = 0; !take(v); ++tries) {
        if (tries < 16) std::this_thread::yield();
        else std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
  }
  void give_back() {
    for (const Part& s : sums().list) s.v->adding.store(nullptr, std::memory_order_release);
    sums().list.clear();
  }

  void sum(Variable* v, Tensor g) {
    Tensor& so_far = sums().list[v->sum].g;
    if (!so_far.defined()) so_far = v->grad;
    if (so_far.defined() && g.defined()) so_far = so_far + g;
    else if (g.defined()) so_far = create_graph_ || !g.requires_grad() ? g : without_history(g.node(), cut_sweep);
    else if (!so_far.defined()) so_far = zeros_like(v->leaf);
  }

  void evaluate_with(Node* y, const std::vector<Part>& list) {
    std::vector<Node*>& targets = sums().targets;
    targets.clear();
    targets.push_back(y);
    for (const Part& s : list)
      if (s.g.defined()) targets.push_back(s.g.node());
    evaluate(t_, targets.data(), targets.size());
  }

  Thread& t_;
  const bool no_grad_;
  const unsigned cut_as_;
  const bool create_graph_;
  const Workspace<Sums, Kept::sums> room_;
};

}  // namespace

void accumulate(Thread& t, Node* y, std::vector<Record::Entry>& leaves, bool create_graph, Source source) {
  const Located at(source);
  Accumulation sums(t, create_graph);
  for (Record::Entry& e : leaves)
    if (Variable* v = e.n->variable; v && alive(v)) sums.add(v, std::move(e.g));
  sums.run(y);
}

}  // namespace xgrad::engine
