// Which line of the user's program an op is at, and whose name it goes by.
#pragma once

#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

// The outermost Located's, or the operand's own; by the name `op` where that gives none.
inline Source source_of(const In& x, const char* op = nullptr) {
  const ThreadState& t = current();
  return (t.located ? t.at : x.source()).named(op);
}
inline Source source_of(Source s, const char* op = nullptr) {
  const ThreadState& t = current();
  return (t.located ? t.at : s).named(op);
}

// Where n was recorded, for an Error of its own: by the name of what is being done on that line now, or else `op`.
inline Source line_of(const Node* n, const char* op) {
  if (const ThreadState* t = this_thread; t && t->located && t->at.file == n->file && t->at.line == n->line)
    return t->at.named(op);
  return Source(n->file, n->line, op);
}

[[noreturn]] inline void fail_empty(const char* op, Source source) {
  fail(source.named(op), "expected a tensor, got an empty one (default-constructed); give it a value first");
}

}  // namespace xgrad::engine
