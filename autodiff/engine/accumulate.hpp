// Gradients into the variables that they are of, from several threads at once, too.
#pragma once

#include "autodiff/engine/sweep.hpp"

namespace xgrad::engine {

// Adds the cotangents of a record's leaves to the gradients of their variables, and evaluates those, and y, together.
// An error changes nothing.
void accumulate(ThreadState& t, Node* y, Sweep& sweep, bool create_graph, Source source);

}  // namespace xgrad::engine
