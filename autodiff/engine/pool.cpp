// Memory of nodes and buffers: free lists of the thread, which overflow into lists of the process.
#include <fmt/core.h>

#include <array>
#include <cstdlib>
#include <new>

#include <xgrad/autodiff/scope.hpp>
#include "autodiff/engine/located.hpp"
#include "autodiff/engine/nodes.hpp"

namespace xgrad::engine {

namespace {

constexpr std::size_t always_kept = std::size_t{16} << 20;  // bytes that a thread keeps, whatever it needed
constexpr std::size_t kept_by_process = std::size_t{64} << 20;

// Size classes: 64 x 2^k x {1, 1.25, 1.5, 1.75} bytes, from 1 on.
constexpr auto bytes_of_classes = [] {
  std::array<std::size_t, buffer_classes> bytes{};
  for (int c = 1; c < buffer_classes; ++c)
    bytes[static_cast<std::size_t>(c)] =
        (std::size_t{64} << (c - 1) / 4) + (c - 1) % 4 * (std::size_t{16} << (c - 1) / 4);
  return bytes;
}();
std::size_t class_bytes(int c) { return bytes_of_classes[static_cast<std::size_t>(c)]; }
int class_of(std::size_t bytes) {
  if (bytes <= 64) return 1;
  const int log = 63 - __builtin_clzll(bytes);  // 2^log <= bytes
  const std::size_t step = std::size_t{1} << (log - 2), above = bytes - (std::size_t{1} << log);
  return (log - 6) * 4 + static_cast<int>((above + step - 1) / step) + 1;
}

// Nodes come in chunks that are aligned to their size, so that a node tells its chunk.
constexpr std::size_t chunk_bytes = std::size_t{1} << 17;
struct alignas(64) Chunk {
  Node* nodes() { return reinterpret_cast<Node*>(this + 1); }
  std::size_t free;  // scratch of release_nodes
  Chunk* next;
};
static_assert(sizeof(Chunk) + node_magazine * sizeof(Node) <= chunk_bytes);
Chunk* chunk_of(void* node) {
  return reinterpret_cast<Chunk*>(reinterpret_cast<std::uintptr_t>(node) & ~(chunk_bytes - 1));
}

struct Process {
  std::mutex mutex;
  FreeList::Link* magazines = nullptr;  // lists of free nodes, linked by next_list
  FreeList buffers[buffer_classes];
  std::size_t kept = 0;
  std::atomic<std::uint32_t> releases{0};  // how often all threads were asked to give back what they do not use
};
constinit Process process;  // of trivial destruction: it outlives static tensors

void* system_memory(std::size_t bytes, std::size_t alignment = 64) noexcept {
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}
void to_system(int c, void* memory) noexcept {
  unpoison(memory, class_bytes(c));
  std::free(memory);
}

[[noreturn]] void fail_memory(std::size_t bytes, const char* op, Source source) try {
  fail(source.named(op), "no memory for {} bytes", bytes);
} catch (const std::bad_alloc&) {  // nor for the message
  fail_no_memory(source, op);
}

}  // namespace

// ---- buffers

inline void* Shelf::pop(int c) {
  free_ -= class_bytes(c);
  idle_[c] = std::min(idle_[c], static_cast<std::uint32_t>(lists_[c].size - 1));
  return lists_[c].pop();
}

inline void* Shelf::take(int c) {
  const std::size_t size = class_bytes(c);
  in_use_ += static_cast<std::int64_t>(size);
  rise_ = std::max(rise_, static_cast<std::size_t>(in_use_ - least_));
  taken_ += size;
  if (taken_ > 8 * always_kept && taken_ > 8 * needed()) next_window();
  return lists_[c].top ? pop(c) : nullptr;
}

inline bool Shelf::give(int c, void* p) {
  const std::size_t size = class_bytes(c), most = always_kept + needed();
  in_use_ -= static_cast<std::int64_t>(size);
  least_ = std::min(least_, in_use_);
  if (free_ + size > most) [[unlikely]] {
    if (size > most) return false;
    drop_idle(most - size);
    while (free_ + size > most) {  // of the class that has most goes one, so that what work needs by now finds room
      int largest = c;
      for (int k = 1; k < buffer_classes; ++k)
        if (lists_[k].size * class_bytes(k) > lists_[largest].size * class_bytes(largest)) largest = k;
      if (largest == c) return false;
      to_system(largest, pop(largest));
    }
  }
  free_ += size;
  lists_[c].push(p);
  return true;
}

void Shelf::untake(int c) { in_use_ -= static_cast<std::int64_t>(class_bytes(c)); }

void* Shelf::remove(int c) noexcept { return lists_[c].top ? pop(c) : nullptr; }

void Shelf::drop_idle(std::size_t enough) {
  for (int c = buffer_classes; free_ > enough && --c > 0;)
    while (free_ > enough && idle_[c] > 0) {
      --idle_[c];
      to_system(c, pop(c));
    }
}

void Shelf::next_window() {
  drop_idle(always_kept);
  for (int c = 1; c < buffer_classes; ++c) idle_[c] = static_cast<std::uint32_t>(lists_[c].size);
  rise_before_ = std::exchange(rise_, 0);
  least_ = in_use_;
  taken_ = 0;
}

namespace {

// Another thread's lack of memory, or release_memory() on one, is this one's business too.
inline void follow_releases(ThreadState& t) noexcept {
  if (t.releases != process.releases.load(std::memory_order_relaxed)) [[unlikely]]
    release_free(t);
}

void* take_from_process(int c) noexcept {
  const std::lock_guard lock(process.mutex);
  FreeList& list = process.buffers[c];
  if (!list.top) return nullptr;
  process.kept -= class_bytes(c);
  return list.pop();
}
void give_to_process(int c, void* memory) noexcept {
  const std::size_t size = class_bytes(c);
  {
    const std::lock_guard lock(process.mutex);
    if (process.kept + size <= kept_by_process) {
      process.buffers[c].push(memory);
      process.kept += size;
      return;
    }
  }
  to_system(c, memory);
}

// From the pools, or from the system; null where there is none.
inline char* find_buffer(std::size_t bytes, std::uint8_t& pool) {
  ThreadState& t = current();
  follow_releases(t);
  const int c = class_of(bytes);
  if (c >= buffer_classes) return nullptr;
  const std::size_t size = class_bytes(c);
  void* memory = t.buffers.take(c);
  if (!memory) memory = take_from_process(c);
  if (!memory) memory = system_memory(size);
  if (!memory) {
    process.releases.fetch_add(1, std::memory_order_relaxed);
    release_free(t);
    memory = system_memory(size);
  }
  if (!memory) {
    t.buffers.untake(c);
    return nullptr;
  }
  poison(memory, size);
  unpoison(memory, bytes);
  pool = static_cast<std::uint8_t>(c);
  return static_cast<char*>(memory);
}

}  // namespace

char* take_buffer(std::size_t bytes, std::uint8_t& pool, const char* op, Source source) {
  char* memory = find_buffer(bytes, pool);
  if (!memory) fail_memory(bytes, op, source);
  return memory;
}

namespace {
[[gnu::noinline]] char* allocate_buffer(Node* n, std::size_t bytes, const char* op) {
  char* memory = find_buffer(bytes, n->pool);
  if (!memory) fail_memory(bytes, op ? op : rule(n->op).name, line_of(n, op ? op : rule(n->op).name));
  n->unfinished() = memory;
  return memory;
}
}  // namespace
char* allocate(Node* n, const char* op) {
  const std::size_t bytes = static_cast<std::size_t>(n->count * item_size(n->dtype));
  return bytes <= inline_bytes ? n->local : allocate_buffer(n, bytes, op);
}

void give_unfinished(Node* n) noexcept {
  if (n->pool) give_buffer(n->unfinished(), std::exchange(n->pool, 0));
}

void give_buffer(char* data, std::uint8_t pool) noexcept {
  poison(data, class_bytes(pool));
  ThreadState* t = this_thread;
  if (!t) return give_to_process(pool, data);
  follow_releases(*t);
  if (!t->buffers.give(pool, data)) give_to_process(pool, data);
}

// ---- nodes

namespace {

// Chunks without a node in use, of the lists of this thread and of the process, go to the system.
void release_nodes(ThreadState& t) noexcept {
  const std::lock_guard lock(process.mutex);
  FreeList::Link* all = nullptr;  // free nodes, linked by next_list
  const auto gather = [&](FreeList::Link* list) {
    while (list) {
      FreeList::Link* const next = list->next;
      list->next_list = all;
      all = list;
      list = next;
    }
  };
  while (FreeList::Link* magazine = process.magazines) {
    process.magazines = magazine->next_list;
    gather(magazine);
  }
  gather(std::exchange(t.nodes, {}).top);
  gather(std::exchange(t.spare_nodes, {}).top);
  for (FreeList::Link* n = all; n; n = n->next_list) chunk_of(n)->free = 0;
  for (FreeList::Link* n = all; n; n = n->next_list) ++chunk_of(n)->free;
  Chunk* unused = nullptr;
  FreeList magazine;
  while (FreeList::Link* n = all) {
    all = n->next_list;
    Chunk* const chunk = chunk_of(n);
    if (chunk->free < node_magazine) {
      magazine.push(n);
      if (magazine.size < node_magazine) continue;
      magazine.top->next_list = process.magazines;
      process.magazines = std::exchange(magazine, {}).top;
    } else if (chunk->free++ == node_magazine) {  // the first of them
      chunk->next = unused;
      unused = chunk;
    }
  }
  t.nodes = magazine;  // the rest, fewer than a magazine
  while (unused) {
    Chunk* const chunk = std::exchange(unused, unused->next);
    unpoison(chunk, chunk_bytes);
    std::free(chunk);
  }
}

}  // namespace

void refill_nodes(ThreadState& t, Op op, Source source) {
  if (t.spare_nodes.top) {
    std::swap(t.nodes, t.spare_nodes);
    return;
  }
  {
    const std::lock_guard lock(process.mutex);
    if (process.magazines) {
      t.nodes.top = std::exchange(process.magazines, process.magazines->next_list);
      t.nodes.size = node_magazine;
      return;
    }
  }
  void* memory = system_memory(chunk_bytes, chunk_bytes);
  if (!memory) {
    process.releases.fetch_add(1, std::memory_order_relaxed);
    release_free(t);
    memory = system_memory(chunk_bytes, chunk_bytes);
  }
  if (!memory) fail_memory(chunk_bytes, op == Op::leaf ? "tensor" : rule(op).name, source);
  char* const nodes = reinterpret_cast<char*>(static_cast<Chunk*>(memory)->nodes());
  for (std::size_t i = node_magazine; i-- > 0;) {
    poison(nodes + i * sizeof(Node), sizeof(Node));
    t.nodes.push(nodes + i * sizeof(Node));
  }
}

void spill_nodes(ThreadState& t) noexcept {
  if (t.spare_nodes.top) {
    const std::lock_guard lock(process.mutex);
    t.spare_nodes.top->next_list = process.magazines;
    process.magazines = std::exchange(t.spare_nodes, {}).top;
  }
  std::swap(t.nodes, t.spare_nodes);
}

// ---- giving back

void release_free(ThreadState& t) noexcept {
  t.releases = process.releases.load(std::memory_order_relaxed);
  for (int c = 1; c < buffer_classes; ++c)
    while (void* memory = t.buffers.remove(c)) to_system(c, memory);
  {
    const std::lock_guard lock(process.mutex);
    for (int c = 1; c < buffer_classes; ++c)
      while (process.buffers[c].top) to_system(c, process.buffers[c].pop());
    process.kept = 0;
  }
  release_nodes(t);
}

void give_up_buffers(ThreadState& t) noexcept {
  if (t.buffers.free() == 0) return;
  for (int c = 1; c < buffer_classes; ++c)
    while (void* memory = t.buffers.remove(c)) give_to_process(c, memory);
}

void lock_pools() noexcept { process.mutex.lock(); }
void unlock_pools() noexcept { process.mutex.unlock(); }

}  // namespace xgrad::engine

namespace xgrad {

void release_memory() {
  engine::ThreadState& t = engine::current();
  if (t.has_foreign.load(std::memory_order_relaxed)) collect_foreign(t);
  engine::process.releases.fetch_add(1, std::memory_order_relaxed);
  engine::release_free(t);
}

}  // namespace xgrad
