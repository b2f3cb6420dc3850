// Memory of nodes and buffers: free lists of the thread, which overflow into lists of the process.
#include <cstdlib>
#include <new>

#include "autodiff/engine/thread.hpp"

namespace xgrad::engine {

namespace {

constexpr int classes = 200;
constexpr int magazine = 256;                            // nodes that move between lists at a time
constexpr std::size_t kept_by_thread = 1 << 20;          // bytes of one size class that a thread keeps, or 4 buffers
constexpr std::size_t kept_by_process = std::size_t{2} << 30;

struct Link {
  Link* next;
};
struct Stack {
  Link* top = nullptr;
  std::size_t size = 0;
  void push(void* p) {
    Link* l = static_cast<Link*>(p);
    l->next = top;
    top = l;
    ++size;
  }
  void* pop() {
    Link* l = top;
    top = l->next;
    --size;
    return l;
  }
};

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
  std::vector<Link*> node_magazines;
  Stack buffers[classes];
  std::size_t kept = 0;
};
Process& process() {
  static Process* p = new Process;  // outlives static tensors
  return *p;
}

void* system_memory(std::size_t bytes) {
  void* p = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (!p) throw std::bad_alloc();
  return p;
}

}  // namespace

struct Pools {
  Stack nodes, spare;
  Stack buffers[classes];
};

namespace {
Pools& pools() {
  Thread& t = current();
  if (!t.pools) t.pools = new Pools;
  return *t.pools;
}

void refill(Pools& p) {
  if (p.spare.top) {
    std::swap(p.nodes, p.spare);
    return;
  }
  {
    Process& shared = process();
    const std::lock_guard lock(shared.mutex);
    if (!shared.node_magazines.empty()) {
      p.nodes.top = shared.node_magazines.back();
      p.nodes.size = magazine;
      shared.node_magazines.pop_back();
      return;
    }
  }
  char* chunk = static_cast<char*>(system_memory(magazine * sizeof(Node)));
  for (int i = magazine; i-- > 0;) p.nodes.push(chunk + static_cast<std::size_t>(i) * sizeof(Node));
}
}  // namespace

void* take_node() {
  Pools& p = pools();
  if (!p.nodes.top) refill(p);
  return p.nodes.pop();
}

void give_node(void* memory) noexcept {
  Pools& p = pools();
  p.nodes.push(memory);
  if (p.nodes.size < magazine) return;
  if (p.spare.top) {
    Process& shared = process();
    const std::lock_guard lock(shared.mutex);
    shared.node_magazines.push_back(p.spare.top);
    p.spare = Stack{};
  }
  std::swap(p.nodes, p.spare);
}

char* take_buffer(std::size_t bytes, std::uint8_t& pool) {
  const int c = class_of(bytes);
  const std::size_t size = class_bytes(c);
  Pools& p = pools();
  void* memory = nullptr;
  if (p.buffers[c].top) memory = p.buffers[c].pop();
  else {
    Process& shared = process();
    const std::lock_guard lock(shared.mutex);
    if (shared.buffers[c].top) {
      memory = shared.buffers[c].pop();
      shared.kept -= size;
    }
  }
  if (!memory) memory = system_memory(size);
  pool = static_cast<std::uint8_t>(c);
  this_thread->bytes_in_use += static_cast<std::int64_t>(size);
  return static_cast<char*>(memory);
}

void give_buffer(char* data, std::uint8_t pool) noexcept {
  const std::size_t size = class_bytes(pool);
  Pools& p = pools();
  this_thread->bytes_in_use -= static_cast<std::int64_t>(size);
  Stack& own = p.buffers[pool];
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
  std::free(data);
}

}  // namespace xgrad::engine
