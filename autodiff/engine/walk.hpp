// Walks down the record, from results to what led to them, without a search and without recursion.
#pragma once

#include <algorithm>

#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

// Nodes that lead to `roots`, the latest first, into `out`. `follow(n)`: is n, own and taped, part of the walk?
// Walks the tape while what it wants is dense there, and then a heap: a walk costs its own graph.
// `follow` calls nothing of the user's. Nodes of a finished walk have `walked` == its number and `position` == their place in
// it, until the next walk.
template <class Follow>
std::uint64_t walk(ThreadState& t, Node* const* roots, std::size_t count, const Follow& follow,
                   std::vector<Node*>& out) {
  const std::uint64_t id = ++t.walks;
  std::vector<Node*>& seen = t.seen;
  seen.clear();
  out.clear();
  Node* at = nullptr;
  const auto see = [&](Node* n) {
    if (!follow(n) || n->walked == id) return false;
    n->walked = id;
    seen.push_back(n);
    return true;
  };
  for (std::size_t i = 0; i < count; ++i)
    if (see(roots[i]) && (!at || roots[i]->order > at->order)) at = roots[i];
  std::size_t skipped = 0;
  while (at && out.size() < seen.size()) {
    if (at->walked == id) {
      at->position = static_cast<std::int32_t>(out.size());
      out.push_back(at);
      for (int i = 0; i < at->inputs; ++i) see(at->input(i));
    } else if (++skipped > 64 + 2 * out.size()) {
      break;
    }
    at = at->previous;
  }
  if (out.size() == seen.size()) return id;
  // Sparse: the rest by a heap of those seen and not visited.
  const auto later = [](const Node* a, const Node* b) { return a->order < b->order; };
  std::vector<Node*>& heap = t.heap;
  heap.clear();
  const std::uint64_t last = out.empty() ? ~std::uint64_t{0} : out.back()->order;
  for (Node* n : seen)
    if (n->order < last) heap.push_back(n);
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    Node* n = heap.back();
    heap.pop_back();
    n->position = static_cast<std::int32_t>(out.size());
    out.push_back(n);
    for (int i = 0; i < n->inputs; ++i)
      if (see(n->input(i))) {
        heap.push_back(n->input(i));
        std::push_heap(heap.begin(), heap.end(), later);
      }
  }
  return id;
}

}  // namespace xgrad::engine
