// The reverse sweep: cotangents down the record, from a result to what led to it; and tangents up.
#pragma once

#include "autodiff/engine/variable.hpp"
#include "autodiff/engine/walk.hpp"

namespace xgrad::engine {

// The record that leads to one result, with a place for a cotangent or a tangent at each node.
class Record {
 public:
  Record(Thread& t, Node* y, const char* op, Source source);
  ~Record();
  Record(const Record&) = delete;

  struct Entry {
    Node* n;
    Tensor g;  // cotangent or tangent; empty: zero
    bool useful;
    bool keep = true;  // g is asked for; others are let go of as the sweep passes, so that they need not be stored
  };

  std::vector<Entry>& nodes() { return storage_.nodes; }    // the latest first; no leaves
  std::vector<Entry>& leaves() { return storage_.leaves; }  // that they have, and y if it is one
  Entry* find(const Node* n);                               // null where n does not lead to y

  // Marks what leads from the nodes for which wanted(n) holds; false where none does.
  template <class Wanted>
  bool prune(const Wanted& wanted) {
    bool any = false;
    for (Entry& e : leaves()) any |= e.keep = e.useful = wanted(e.n);
    for (std::size_t i = nodes().size(); i-- > 0;) {
      Entry& e = nodes()[i];
      e.keep = e.useful = wanted(e.n);
      any |= e.keep;
      for (int k = 0; !e.useful && k < e.n->inputs; ++k)
        if (Node* x = e.n->input(k); x->has(needs_grad)) e.useful = at(x).useful;
    }
    return any;
  }

  // Cotangents of all useful entries, from y's. Rules are recorded for differentiation where `create_graph`.
  void pull(const Tensor& g, bool create_graph);
  // Tangents of all useful entries, upwards; those known must be in the entries. Gives y's.
  Tensor push();
  // Lets go of the record: nodes become values.
  void release();

  struct Storage {
    std::vector<Node*> walked, in;
    std::vector<Entry> nodes, leaves;
    std::vector<std::pair<Node*, std::int32_t>> outer;  // slots, as the sweep that this one runs inside of has them
  };

 private:
  Entry& at(Node* x) {  // of an input with needs_grad, of a node of the record
    return x->op == Op::leaf ? leaf_at(x) : storage_.nodes[static_cast<std::size_t>(x->slot)];
  }
  Entry& leaf_at(Node* x) {
    std::vector<Entry>& all = storage_.leaves;
    if (x->owner.load(std::memory_order_relaxed) == &t_) return all[static_cast<std::size_t>(x->slot)];
    return *std::find_if(all.begin(), all.end(), [&](const Entry& e) { return e.n == x; });
  }
  void set_slot(Node* n, std::size_t slot);
  void restore_slots();
  void add_leaf(Node* x);
  void add(Entry& e, Tensor&& g, Source source);
  Thread& t_;
  Node* y_;
  Storage& storage_;
  const bool nested_;  // inside another's sweep
};

// The cotangent of input i of n, from that of n; empty: zero.
Tensor pull_one(Node* n, int i, const Tensor& g);

}  // namespace xgrad::engine
