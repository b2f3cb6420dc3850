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

  // Nodes but leaves, the latest first; then the leaves that they have, and y if it is one.
  std::vector<Entry>& entries() { return storage_.entries; }
  std::size_t nodes() const { return nodes_; }
  Entry* find(const Node* n);  // null where n does not lead to y

  // Marks what leads from the nodes for which wanted(n) holds; false where none does.
  template <class Wanted>
  bool prune(const Wanted& wanted) {
    bool any = false;
    std::vector<Entry>& all = entries();
    for (std::size_t i = all.size(); i-- > nodes_;) any |= all[i].keep = all[i].useful = wanted(all[i].n);
    for (std::size_t i = nodes_; i-- > 0;) {
      Node* n = all[i].n;
      bool useful = wanted(n);
      any |= all[i].keep = useful;
      for (int k = 0; !useful && k < n->inputs; ++k)
        if (n->input(k)->has(needs_grad)) useful = find(n->input(k))->useful;
      all[i].useful = useful;
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
    std::vector<Node*> walked;
    std::vector<Entry> entries;
  };

 private:
  void add(Entry& e, Tensor g, Source source);
  Thread& t_;
  Node* y_;
  Storage& storage_;
  std::size_t nodes_ = 0;
  std::vector<std::int32_t> outer_slots_;  // of the sweep that this one runs inside of
};

// The cotangent of input i of n, from that of n; empty: zero.
Tensor pull_one(Node* n, int i, const Tensor& g);

}  // namespace xgrad::engine
