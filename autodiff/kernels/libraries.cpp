#include "autodiff/kernels/libraries.hpp"

#include <iterator>
#include <mutex>
#include <thread>

namespace xgrad::kernels {

Libraries::Libraries() {
  take_openblas();
  take_dnnl();
  if (found.empty()) found = "own loops: neither OpenBLAS nor oneDNN was found";
}

void Libraries::found_openblas(std::string_view config, std::string_view core) {
  const std::string_view version = config.substr(0, config.find(' ', config.find(' ') + 1));  // "OpenBLAS 0.3.21"
  found = std::string(version).append(" ").append(core);
}

namespace {
std::mutex opening;
}  // namespace

const Libraries& libraries() {
  static std::atomic<const Libraries*> opened{nullptr};
  if (const Libraries* l = opened.load(std::memory_order_acquire)) return *l;
  const std::lock_guard lock(opening);
  if (!opened.load(std::memory_order_relaxed)) opened.store(new Libraries, std::memory_order_release);
  return *opened.load(std::memory_order_relaxed);
}

namespace {

// Who is inside of a library is counted, each thread in a place that it shares with few others.
std::atomic<bool> closed{false};
struct alignas(64) Inside {
  std::atomic<int> calls{0};
};
Inside inside[64];

Inside& own_place() {
  static std::atomic<unsigned> threads{0};
  static thread_local Inside& own = inside[threads.fetch_add(1, std::memory_order_relaxed) % std::size(inside)];
  return own;
}

}  // namespace

LibraryCall::LibraryCall() : calls_(own_place().calls) {
  while (calls_.fetch_add(1), closed.load()) {
    calls_.fetch_sub(1);
    std::this_thread::yield();
  }
}
LibraryCall::~LibraryCall() { calls_.fetch_sub(1, std::memory_order_release); }

void close_libraries() {
  opening.lock();
  closed = true;
  for (Inside& place : inside)
    while (place.calls.load() != 0) std::this_thread::yield();
}
void open_libraries() {
  closed = false;
  opening.unlock();
}

}  // namespace xgrad::kernels
