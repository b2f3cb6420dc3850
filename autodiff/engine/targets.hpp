// What to differentiate by, among the nodes of a record.
#pragma once

#include <algorithm>
#include <boost/container/small_vector.hpp>

#include "autodiff/engine/node.hpp"

namespace xgrad::engine {

// What to differentiate by, and which of it a node is: one of the tensors, or any value of one of the variables.
class Targets {
 public:
  explicit Targets(const Tensors& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      indexed_.emplace_back(key(list[i].node()), i);
      only_variables_ &= list[i].node()->variable != nullptr;
    }
    std::sort(indexed_.begin(), indexed_.end());
  }
  static constexpr std::size_t none = ~std::size_t{0};
  std::size_t find(const Node* n) const {  // the first such
    if (only_variables_ && !n->variable) return none;
    const auto at = std::lower_bound(indexed_.begin(), indexed_.end(), Indexed(key(n), 0));
    return at != indexed_.end() && at->first == key(n) ? at->second : none;
  }

 private:
  using Indexed = std::pair<std::uintptr_t, std::size_t>;
  static std::uintptr_t key(const Node* n) {
    return n->variable ? reinterpret_cast<std::uintptr_t>(n->variable) : reinterpret_cast<std::uintptr_t>(n);
  }
  boost::container::small_vector<Indexed, 16> indexed_;
  bool only_variables_ = true;
};

}  // namespace xgrad::engine
