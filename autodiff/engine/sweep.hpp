// The reverse sweep: cotangents down the record, from a result to what led to it; and tangents up.
#pragma once

#include <vector>

#include "autodiff/engine/rows.hpp"
#include "autodiff/engine/variable.hpp"
#include "autodiff/engine/walk.hpp"

namespace xgrad::engine {

// The record that leads to one result, with a place for a cotangent or a tangent at each node.
class Sweep {
 public:
  enum class Older : std::uint8_t { constants, leaves };
  // What was recorded before `oldest`, and what other threads did, counts as constants; or as leaves.
  Sweep(ThreadState& t, Node* y, const char* op, Source source, std::uint64_t oldest = 0,
        Older older = Older::constants);
  ~Sweep();
  Sweep(const Sweep&) = delete;

  struct Entry {
    Node* n;
    Tensor g;  // cotangent or tangent; empty: zero
    bool useful;
    bool asked = true;  // g is asked for; others are let go of as the sweep passes, so that they need not be stored
    std::int32_t parts = -1;  // the last cotangent of a use that comes by parts, and is not in g yet; -1: none
    std::int32_t rows = -1;   // of a variable that is picked from by rows alone: its gradient, instead of g; -1: none
  };

  std::vector<Entry>& nodes() { return storage_.nodes; }    // the latest first; no leaves
  std::vector<Entry>& leaves() { return storage_.leaves; }  // that they have, and y if it is one
  Entry* find(const Node* n);                               // null where n does not lead to y

  // The entry of an input of a node of the record; null where that counts as a constant.
  Entry* entry(Node* x) {
    if (!x->has(needs_grad)) return nullptr;
    if (is_own(x)) return &at(x);
    return older_are_leaves_ ? older_leaf(x) : nullptr;
  }

  // Marks what leads from the nodes for which wanted(n) holds; false where none does.
  template <class Wanted>
  bool prune(const Wanted& wanted) {
    bool any = false;
    for (Entry& e : leaves()) any |= e.asked = e.useful = wanted(e.n);
    for (std::size_t i = nodes().size(); i-- > 0;) {
      Entry& e = nodes()[i];
      e.asked = e.useful = wanted(e.n);
      any |= e.asked;
      for (int k = 0; !e.useful && k < e.n->inputs; ++k)
        if (const Entry* x = entry(e.n->input(k))) e.useful = x->useful;
    }
    return any;
  }

  // Variables that are picked from by rows alone get their gradients as rows.
  void keep_rows() { keeps_rows_ = true; }
  RowGradient& rows(const Entry& e) { return storage_.rows[static_cast<std::size_t>(e.rows)]; }

  // What is one number, and is met by all of y's, has a cotangent for each of those, in y's shape, that is not summed; views of
  // inputs are not passed. For a y whose numbers are each made of numbers of its own place and of single ones.
  void keep_points() { keeps_points_ = true; }

  // Cotangents of all useful entries, from y's. Rules are recorded for differentiation where `create_graph`.
  void pull(const Tensor& g, bool create_graph);
  // Tangents of all useful entries, upwards; those known must be in the entries. Gives y's. With `columns`, each is as many
  // tangents, side by side along one more axis in front.
  Tensor push(bool create_graph, Size columns = 0);
  // Lets go of the record: nodes become values, but for those that a sweep around this one has yet to pass.
  void release();

  struct Storage {
    std::vector<Node*> walked, in;
    std::vector<Entry> nodes, leaves;
    std::vector<Part> parts;
    std::vector<const Part*> order, alike;  // of one tensor; of those, by one op
    std::vector<RowGradient> rows;
    std::vector<std::pair<Node*, std::int32_t>> outer;  // slots, as the sweep that this one runs inside of has them
    std::vector<std::pair<const Node*, std::int32_t>> foreign;  // leaves without slots: a hash table, half full at most
    std::size_t foreign_count = 0;
  };

 private:
  // Is x, an input of a node of the record, part of it too?
  bool leads(const Node* x) const { return x->has(needs_grad) && is_own(x); }
  bool is_own(const Node* x) const { return oldest_ == 0 || (x->home == &t_ && x->order >= oldest_); }
  Entry& at(Node* x) {  // of such an input
    return x->op == Op::leaf ? leaf_at(x) : storage_.nodes[static_cast<std::size_t>(x->slot)];
  }
  Entry& leaf_at(Node* x) {
    return storage_.leaves[static_cast<std::size_t>(x->home == &t_ ? x->slot : *foreign_slot(x))];
  }
  void set_slot(Node* n, std::size_t slot);
  std::int32_t* foreign_slot(const Node* x) const;  // of a leaf whose scratch is not ours; null: none
  void add_foreign_slot(const Node* x, std::int32_t slot);
  void clear();
  void leave();
  bool is_in_outer(const Node* n) const;
  void restore_slots();
  void add_leaf(Node* x);
  void add_older_leaf(Node* x);
  Entry* older_leaf(const Node* x);
  void add(Entry& e, Tensor&& g, const Node* by);
  void gather_parts(Entry& e);
  ThreadState& t_;
  Node* y_;
  const Tensor held_;   // y: the user's functions may let go of it
  Sweep* const outer_;  // the sweep that this one runs inside of; null: none
  const Workspace<Storage, Use::sweeps> room_;
  Storage& storage_;
  const bool older_are_leaves_;
  bool keeps_rows_ = false, keeps_points_ = false;
  const std::uint64_t oldest_;
};

}  // namespace xgrad::engine
