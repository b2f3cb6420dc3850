// A node: one recorded op, its result and its place on the tape of the thread that recorded it.
#pragma once

#include <atomic>
#include <memory>
#include <new>

#include <xgrad/autodiff/pointers.hpp>
#include <xgrad/autodiff/tensor.hpp>
#include "autodiff/engine/op.hpp"

namespace xgrad::engine {

struct Variable;

// What an op was told that is more than four numbers. Shared by the nodes that it is told to; it never changes.
struct Told {
  mutable std::atomic<int> refs{1};
  virtual ~Told() = default;
};
inline void retain(const Told* t) noexcept { t->refs.fetch_add(1, std::memory_order_relaxed); }
inline void release(const Told* t) noexcept {
  if (t->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete t;
}

// What few nodes need.
struct Extra {
  Node** in = nullptr;  // inputs past the third, counted
  std::uint8_t in_pool = 0, pool = 0;
  Ref<const Told> told;
  Extra* next = nullptr;  // of those that rest: see Quiet
};

enum Flag : std::uint16_t {
  needs_grad = 1,  // a derivative leads through here
  taped = 2,       // linked into its home's tape
  uniform = 4,     // all elements are the one number in `local`
  strided = 8,     // strides() tells where the elements are
  computed = 16,   // evaluated once without being stored; the next time it is
  watched = 32,    // an identity that starts a derivative, whatever its input needs
  released = 64,   // a backward() let go of what led here; `order` tells when
  wanted = 128,    // scratch of an evaluation: to be stored
  // The history is cut here or in what led here, which had one: see history.hpp
  cut_no_grad = 256,  // by NoGrad
  cut_sweep = 512,    // in a sweep without create_graph
  cut_detach = 1024,  // by detach()
  cut_read = 2048,    // its numbers were read
  weak = 4096,        // made from a C++ number: takes the dtype of what it meets
  turned = 8192,      // recorded as a transpose, or a view of one: matrix products read it by columns, wherever it lies
  traced = 16384,     // of one example, of a trace: it has a shape, and never gets numbers (batch.hpp)
};

// Written by the node's home alone, while other threads may look at those that are fixed when it is recorded.
class Flags {
 public:
  operator unsigned() const { return bits_.load(std::memory_order_relaxed); }
  void operator=(unsigned bits) { bits_.store(static_cast<std::uint16_t>(bits), std::memory_order_relaxed); }
  void operator|=(unsigned bits) { *this = *this | bits; }
  void operator&=(unsigned bits) { *this = *this & bits; }

 private:
  std::atomic<std::uint16_t> bits_;
};

// Likewise: moves once, from null to a node whose memory this one sees.
class Base {
 public:
  operator struct Node *() const { return node_.load(std::memory_order_acquire); }
  struct Node* operator->() const {
    return *this;
  }
  void operator=(struct Node* n) { node_.store(n, std::memory_order_release); }

 private:
  std::atomic<struct Node*> node_;
};

// Where the numbers are; null while pending. Set once, last of all that is known of the result, for other threads may
// look at any moment: who sees it here sees its strides, its flags and the numbers.
class Data {
 public:
  operator char*() const { return at_.load(std::memory_order_acquire); }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(static_cast<char*>(*this));
  }
  void operator=(char* at) { at_.store(at, std::memory_order_release); }

 private:
  std::atomic<char*> at_;
};

inline constexpr int inline_inputs = 3;
inline constexpr std::size_t most_inputs = 65535;
inline constexpr std::size_t inline_bytes = 64;

struct alignas(64) Node : NodeHead {
  ThreadState* home;  // that recorded it: whose tape it is on, whose scratch is in it
  Data data;          // null while pending
  Op op;
  DType dtype;
  std::uint8_t pool;  // size class of the buffer that this node owns; 0: none
  // Handles that are temporaries of a user's expression: they live to its semicolon, and are read no more.
  std::uint8_t temporaries;
  std::uint16_t inputs;
  Flags flags;
  std::uint32_t users;    // scratch of an evaluation: uses by the nodes of its region
  std::int32_t position;  // scratch: position in the walk that saw this last
  Size count;             // elements
  Node* previous;         // on the tape
  Node* next;
  union {
    std::uint64_t order;  // of recording, on this thread
    Node* next_doomed;    // of those that are being freed
  };
  Node* in[inline_inputs];
  Base base;             // whose memory `data` points into, counted; null: our own
  std::uint64_t walked;  // scratch: that walk's number; 0: none has
  Variable* variable;    // of a parameter's leaf: weak
  const char* file;
  int line;
  std::int32_t slot;  // scratch of a sweep: its entry
  // While it waits: an estimate of the memory that it keeps alive, its result or its largest stored input, in units of 64
  // bytes; summed, it bounds what waits (finish() in record.cpp).
  std::uint32_t waits;
  std::uint32_t given;  // handles that others let go of, for home to count down: under its mutex
  Size a[4];            // what the op was told: see the op
  Extra* extra;         // owned
  Node* next_foreign;   // the next in its home's list of nodes that others let go of, under its mutex
  Shape shape;
  alignas(64) char local[inline_bytes];  // small values live here, and the strides of a view that is not row-major

  // Of a node of a trace, which gets no numbers: what the user wrote, where that is not the op itself; null: it is.
  const char*& written() { return *reinterpret_cast<const char**>(local); }

  // Of a node that waits, between allocate() and its numbers: that memory.
  char*& unfinished() { return *reinterpret_cast<char**>(local); }

  Shape& strides() { return *std::launder(reinterpret_cast<Shape*>(local)); }
  const Shape& strides() const { return *std::launder(reinterpret_cast<const Shape*>(local)); }

  std::atomic_ref<std::int32_t> shared() const { return atomic(shared_count); }
  std::atomic_ref<ThreadState*> owner() const { return atomic(owner_thread); }
  bool has(Flag f) const { return flags & f; }
  bool pending() const { return data == nullptr; }
  bool waiting() const { return data == nullptr && !(flags & (computed | traced)); }
  Node*& input(int i) { return i < inline_inputs ? in[i] : extra->in[i - inline_inputs]; }
  bool row_major() const { return !(flags & (strided | uniform)); }

 private:
  template <class T>
  static std::atomic_ref<T> atomic(const T& counted) {
    return std::atomic_ref<T>(const_cast<T&>(counted));
  }
};

// Counts that are as wide as they look, for all of a program's life: walks and ops have 64 bits, what numbers nodes in
// memory 32 (2^31 nodes take 690 GB), and a count of handles is bounded by the memory that they lie in.
static_assert(sizeof(Node) == 5 * 64, "a node is five cache lines");

// More handles than `uses` and those that do not count: somebody outside holds it.
inline bool held_beside(const Node* n, std::uint32_t uses) {
  const auto shared = static_cast<std::uint32_t>(n->shared().load(std::memory_order_relaxed) >> 1);
  return n->refs + shared > uses + n->temporaries;
}

// The axes of view v are those of x: what one is read by, rows or columns, the other is.
inline void turn_like(Node* v, const Node* x) {
  if (x->has(turned)) v->flags |= turned;
}

// n is of a trace, of the op that the user wrote at `source`.
inline void put_on_trace(Node* n, Source source) {
  n->flags |= traced;
  n->written() = source.op;
}
inline const char* written_name(const Node* n) {
  const char* written = n->has(traced) && n->op != Op::leaf ? const_cast<Node*>(n)->written() : nullptr;
  return written ? written : rule(n->op).name;
}

inline bool is_number(const Node* n) { return n->count == 1 || n->has(uniform); }  // one number, whatever the shape

// A node as a Tensor for as long as this lives, uncounted: for calls whose arguments are held by others.
class Borrowed {
 public:
  explicit Borrowed(Node* n) noexcept { new (memory_) Tensor(Tensor::adopt(n)); }
  operator const Tensor&() const noexcept { return *std::launder(reinterpret_cast<const Tensor*>(memory_)); }

 private:
  alignas(Tensor) unsigned char memory_[sizeof(Tensor)];
};

inline Tensor share(Node* n) {  // a new handle
  retain(n);
  return Tensor::adopt(n);
}

template <class T>
const T& told(const Node* n) {  // what it was told, of the type that its op has
  return static_cast<const T&>(*n->extra->told);
}
inline bool same_numbers(const Node* a, const Node* b) { return a->count == b->count && a->shape == b->shape; }

// The number of elements of a shape; an Error where an extent is negative or the product overflows.
Size checked_numel(const Shape& shape, DType dtype, const char* op, Source source);

Shape row_major_strides(const Shape& shape);
Shape strides_of(const Node* n);  // in elements; 0 for a uniform

double read_number(DType dtype, const void* at);
void write_number(DType dtype, void* at, double value);

}  // namespace xgrad::engine
