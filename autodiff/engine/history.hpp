// What becomes of the history that a value's inputs have: it goes on, or is cut, and then the value says why. So a
// derivative that is asked for later and is not there is an Error that names the cause, and not a zero.
#pragma once

#include <boost/container/small_vector.hpp>

#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

inline constexpr unsigned cuts = cut_no_grad | cut_sweep | cut_detach | cut_read;

// Of functions that a transform calls: which of the values that it watches have been used without being recorded.
class Watching {
 public:
  Watching(ThreadState& t, Node* const* watched, std::size_t count);
  ~Watching() { t_.watching = outer_; }
  Watching(const Watching&) = delete;
  unsigned cut_at(std::size_t i) const { return cut_[i]; }  // why; 0: it has not been
  bool any_cut() const { return any_cut_; }

  // Those for which leads(x) have been; in this transform and those around it.
  template <class Leads>
  static void note(ThreadState& t, const Leads& leads, unsigned why) {
    for (Watching* w = t.watching; w; w = w->outer_)
      for (std::size_t i = 0; i < w->cut_.size(); ++i)
        if (w->cut_[i] == 0 && leads(w->watched_[i])) {
          w->cut_[i] = why;
          w->any_cut_ = true;
        }
  }

 private:
  friend void note_cut(ThreadState& t, Node* n, unsigned why);
  bool all_cut() const;
  ThreadState& t_;
  Node* const* watched_;
  boost::container::small_vector<unsigned, 4> cut_;
  bool any_cut_ = false;
  Watching* const outer_;
};

// n, which has a history, is used without being recorded. Walks the record where a transform watches. (Of sweeps: see
// note_sweep.)
void note_cut(ThreadState& t, Node* n, unsigned why);
inline void note_read(Node* n) {
  if (n->flags & (needs_grad | cuts)) [[unlikely]]
    note_cut(current(), n, cut_read);
}

// The inputs are used without being recorded, where no_grad says so; why.
void note_cuts(ThreadState& t, Node* const* in, int count);
inline unsigned cut_here(ThreadState& t, Node* const* in, int count) {
  if (t.watching && t.cut_as != cut_sweep) [[unlikely]]
    note_cuts(t, in, count);
  return t.cut_as;
}

// The flags of a node of floats whose inputs have those flags, all together.
inline unsigned history(ThreadState& t, unsigned flags, Node* const* in, int count) {
  if (!(flags & needs_grad)) return flags & cuts;
  if (!t.no_grad) return flags & (needs_grad | cuts);
  return (flags & cuts) | cut_here(t, in, count);
}

// Makes the pending d see n's numbers and hold nothing of n's history. No bytes are copied where that can be.
void bind_detached(Node* d, Node* n);
Node* detached(Node* n, Source source);  // such a leaf

// "it was computed under NoGrad; ...", of cut flags.
const char* why_cut(unsigned flags);

}  // namespace xgrad::engine
