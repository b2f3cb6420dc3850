// Memory of nodes and buffers: free lists of the thread, which overflow into lists of the process.
#include <fmt/core.h>

#include <cstdlib>

#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

namespace {

constexpr std::size_t kept_by_thread = 1 << 20;  // bytes of one size class that a thread keeps, or 4 buffers
constexpr std::size_t kept_by_process = std::size_t{2} << 30;

// Size classes: 64 x 2^k x {1, 1.25, 1.5, 1.75} bytes, from 1 on.
std::size_t class_bytes(int c) {
  const int k = (c - 1) / 4, quarter = (c - 1) % 4;
  return (std::size_t{64} << k) + quarter * (std::size_t{16} << k);
}
int class_of(std::size_t bytes) {
  if (bytes <= 64) return 1;
  const int log = 63 - __builtin_clzll(bytes);  // 2^log <= bytes
  const std::size_t step = std::size_t{1} << (log - 2), above = bytes - (std::size_t{1} << log);
  return (log - 6) * 4 + static_cast<int>((above + step - 1) / step) + 1;
}

struct Process {
  std::mutex mutex;
  std::vector<FreeList::Link*> node_magazines;
  FreeList buffers[buffer_classes];
  std::size_t kept = 0;
};
Process& process() {
  static Process* p = new Process;  // outlives static tensors
  return *p;
}

void* system_memory(std::size_t bytes) noexcept { return std::aligned_alloc(64, (bytes + 63) / 64 * 64); }

[[noreturn]] void fail_memory(std::size_t bytes, const char* op, Source source) {
  fail(source, fmt::format("[{}] no memory for {} bytes", op, bytes));
}

// From the pools, or from the system; null where there is none.
inline char* find_buffer(std::size_t bytes, std::uint8_t& pool) noexcept {
  Thread& t = current();
  const int c = class_of(bytes);
  if (c >= buffer_classes) return nullptr;
  const std::size_t size = class_bytes(c);
  void* memory = nullptr;
  if (t.buffers[c].top) {
    memory = t.buffers[c].pop();
  } else {
    Process& shared = process();
    const std::lock_guard lock(shared.mutex);
    if (shared.buffers[c].top) {
      memory = shared.buffers[c].pop();
      shared.kept -= size;
    }
  }
  if (!memory) memory = system_memory(size);
  if (!memory) return nullptr;
  forbid(memory, size);
  lend(memory, bytes);
  pool = static_cast<std::uint8_t>(c);
  t.bytes_in_use += static_cast<std::int64_t>(size);
  return static_cast<char*>(memory);
}

}  // namespace

void refill_nodes(Thread& t, Op op, Source source) {
  if (t.spare_nodes.top) {
    std::swap(t.nodes, t.spare_nodes);
    return;
  }
  {
    Process& shared = process();
    const std::lock_guard lock(shared.mutex);
    if (!shared.node_magazines.empty()) {
      t.nodes.top = shared.node_magazines.back();
      t.nodes.size = node_magazine;
      shared.node_magazines.pop_back();
      return;
    }
  }
  constexpr std::size_t bytes = node_magazine * sizeof(Node);
  char* chunk = static_cast<char*>(system_memory(bytes));
  if (!chunk) fail_memory(bytes, op == Op::leaf ? "tensor" : rule(op).name, source);
  for (std::size_t i = node_magazine; i-- > 0;) {
    forbid(chunk + i * sizeof(Node), sizeof(Node));
    t.nodes.push(chunk + i * sizeof(Node));
  }
}

void spill_nodes(Thread& t) noexcept {
  if (t.spare_nodes.top) {
    Process& shared = process();
    const std::lock_guard lock(shared.mutex);
    shared.node_magazines.push_back(t.spare_nodes.top);
    t.spare_nodes = FreeList{};
  }
  std::swap(t.nodes, t.spare_nodes);
}

char* take_buffer(std::size_t bytes, std::uint8_t& pool, const char* op, Source source) {
  char* memory = find_buffer(bytes, pool);
  if (!memory) fail_memory(bytes, op, source);
  return memory;
}

namespace {
[[gnu::noinline]] char* allocate_buffer(Node* n, std::size_t bytes, const char* op) {
  char* memory = find_buffer(bytes, n->pool);
  if (!memory) fail_memory(bytes, op ? op : rule(n->op).name, {n->file, n->line});
  return memory;
}
}  // namespace
char* allocate(Node* n, const char* op) {
  const std::size_t bytes = static_cast<std::size_t>(n->count * item_size(n->dtype));
  return bytes <= inline_bytes ? n->local : allocate_buffer(n, bytes, op);
}

void give_buffer(char* data, std::uint8_t pool) noexcept {
  Thread& t = current();
  const std::size_t size = class_bytes(pool);
  t.bytes_in_use -= static_cast<std::int64_t>(size);
  forbid(data, size);
  FreeList& own = t.buffers[pool];
  if (own.size < 4 || (own.size + 1) * size <= kept_by_thread) {
    own.push(data);
    return;
  }
  Process& shared = process();
  {
    const std::lock_guard lock(shared.mutex);
    if (shared.kept + size <= kept_by_process) {
      shared.buffers[pool].push(data);
      shared.kept += size;
      return;
    }
  }
  lend(data, size);
  std::free(data);
}

}  // namespace xgrad::engine
