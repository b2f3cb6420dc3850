// Errors of derivatives that are not there: which of the reasons it is.
#pragma once

#include "autodiff/engine/sweep.hpp"

namespace xgrad::engine {

// y had a history, and all of it was lost otherwise than by a detach() that says so.
inline bool is_lost(const Node* y) { return !y->has(needs_grad) && y->flags & (cut_no_grad | cut_sweep | cut_read); }

// A sweep of this record, which is not recorded itself: it loses the history of what it leads to.
void note_sweep(ThreadState& t, Sweep& sweep);

// Of grad(): y does not depend on x, the i-th that was asked for.
[[noreturn]] void fail_unused(Sweep& sweep, Node* y, Node* x, std::size_t i, Source source);

// Of backward(): nothing leads to y.
[[noreturn]] void fail_no_parameter(const Node* y, Source source);

// Of a transform: its function used its i-th argument without a record, and its result does not depend on it otherwise.
[[noreturn]] void fail_lost(const char* op, std::size_t i, unsigned why, Source source);

}  // namespace xgrad::engine
